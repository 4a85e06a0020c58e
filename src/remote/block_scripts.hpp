#pragma once

#include <string_view>

namespace re::remote {

/// transfer.sh and blocks.sh behind it, for a ScriptCall.
std::string_view block_scripts();

}  // namespace re::remote
