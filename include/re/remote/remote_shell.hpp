// The remote shell that `re` is for rsync and sshfs: `re __rsh`, a hidden command.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace re::remote {

/// The hidden command's name: `re __rsh FD HOST WORD…`.
inline constexpr std::string_view k_remote_shell_command = "__rsh";

/// What `re __rsh` does: hands the command words and its own descriptors 0, 1 and 2 over the inherited unix
/// socket FD to the `re` that started rsync, and waits for the exit code, which it returns (255 when that
/// process went away, as ssh does). Blocks; needs no Asio. From then on its descriptors 0 and 1 are closed.
/// \param arguments what follows `__rsh`: the descriptor's number, a host name that is not used, the words
/// Throws Error (usage) when it was not called so.
int remote_shell_main(std::span<const std::string> arguments);

}  // namespace re::remote
