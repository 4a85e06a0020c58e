#pragma once

#include <memory>

#include "cli/context.hpp"

namespace re::cli {

/// Whether input and output are both a terminal.
bool has_terminal();
/// What to ask for, for a process that shall have our terminal.
transport::PtyRequest terminal_request();

/// Joins a channel with a pty and our terminal until the process there ends: raw mode, window size, ssh's
/// escapes (cli/escape.hpp). The terminal is as it was when this returns or throws. Throws Error
/// (unreachable) when the connection is lost or the user leaves it.
/// \param size  what the pty was made with
/// \param label  names the other end in messages
Async<sys::ExitStatus> join_terminal(Context& context, std::unique_ptr<transport::Channel> channel,
                                     sys::WindowSize size, std::string label);

}  // namespace re::cli
