// OpenSSH's match_pattern(): '*' and '?' (ssh_config(5), "PATTERNS").
#pragma once

#include <string_view>

namespace re::transport {

/// Whether all of the text matches. No pattern takes exponential time.
bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace re::transport
