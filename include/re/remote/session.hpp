// A visit to a host outside of any job: the user's own shell, or one command, in a directory.
#pragma once

#include <string>
#include <vector>

#include "re/remote/host.hpp"

namespace re::remote {

struct Visit {
  std::string directory;           ///< absolute or relative to the home there; empty: the home
  std::vector<std::string> words;  ///< the command, as a list of arguments; empty: the login shell
};

/// What a channel with a terminal executes (transport::ExecRequest::command). There the standard input is the
/// terminal's, so that the script has to stand in the command itself: in letters that sh, bash, zsh, fish,
/// tcsh and csh all read as one plain word. Throws Error (usage) for a command that is too long for one
/// message.
std::string terminal_command(const Visit& visit);

/// The same without a terminal. The return code is the command's.
ScriptCall visit_call(Visit visit);

}  // namespace re::remote
