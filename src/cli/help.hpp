#pragma once

#include <string>

#include "cli/command.hpp"

namespace re::cli {

/// `re --help`: the commands by group. Lines fit 80 columns.
std::string general_help();
/// `re COMMAND --help`.
std::string command_help(const Command& command);

}  // namespace re::cli
