// The known holes of rsync, as far as a host that we pull from could use them: pure functions of text.
#pragma once

#include <string_view>

#include "re/remote/doctor.hpp"

namespace re::remote {

/// \param version_text of `rsync --version`; empty where there is none
/// \param changelog of the installed package; empty where it is not known
Finding judge_local_rsync(std::string_view version_text, std::string_view changelog);

}  // namespace re::remote
