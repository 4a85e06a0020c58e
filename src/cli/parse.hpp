#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"

namespace re::cli {

/// The command's own options and those that every command has.
std::vector<Option> all_options(const Command& command);
/// The one that a word such as "--name", "--name=x" or "-nx" means, or nullptr.
const Option* find_option(const std::vector<Option>& options, std::string_view word);
/// Whether a word that means an option with a value has it: "--name=x", "-nx".
bool has_attached_value(std::string_view word);

/// Where the command stands among the words, or words.size(): recompute.py took its options before the mode
/// too (`re --force init`); the command is the first word that is none.
std::size_t find_command_word(const std::vector<std::string>& words);

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
