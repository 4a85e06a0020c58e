#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace re::cli {

/// The whole program: runs the command that the words name, prints errors, returns the exit code.
/// \param program argv[0]
int run(std::string_view program, const std::vector<std::string>& words);

}  // namespace re::cli
