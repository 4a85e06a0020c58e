// What this machine has and lacks for `re`: the local half of `re doctor`.
#pragma once

#include <vector>

#include "cli/context.hpp"
#include "re/remote/doctor.hpp"

namespace re::cli {

/// Starts a few programs (ssh, rsync, git, ssh-add) and waits for them; changes nothing. Throws nothing that
/// a finding can say.
Async<std::vector<remote::Finding>> check_this_machine(Context& context);

}  // namespace re::cli
