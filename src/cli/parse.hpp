#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"

namespace re::cli {

/// Checks the words after the command's name. Throws Error (usage) with a suggestion for a mistyped option.
/// `notes` gets remarks for the user (an option of ours that went to the remote command).
Parsed parse_arguments(const Command& command, const std::vector<std::string>& words,
                       std::vector<std::string>& notes);

/// Where the remote command begins among the words of a Arguments::command command: the first word that is no
/// option of ours nor an option's value. A word with a blank in it is a whole command in quotes, as
/// recompute.py took it, and our options may follow; otherwise all that follows belongs to the command, as
/// with ssh.
struct CommandLine {
  std::vector<std::string> ours;
  std::vector<std::string> command;
};
CommandLine split_command_line(const Command& command, const std::vector<std::string>& words);

}  // namespace re::cli
