#pragma once

#include <string>

#include "cli/command.hpp"

namespace re::cli {

/// The words of `text` in lines of less than 80 columns, each begun by `indent` blanks and ended.
std::string wrap(std::string_view text, std::size_t indent);

enum class Detail { brief, verbose };
/// `re --version`; verbose: with how it was built and what is linked into it.
std::string version_text(Detail detail);

/// `re --help`: the commands by group. Lines fit 80 columns.
std::string general_help();
/// `re COMMAND --help`.
std::string command_help(const Command& command);

}  // namespace re::cli
