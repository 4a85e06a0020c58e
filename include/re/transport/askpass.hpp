// The other half of ssh's questions: ssh runs this program under the name k_askpass_name (SSH_ASKPASS,
// ssh(1)), which passes the question to the `re` that started ssh, over a private unix socket, and prints the
// answer. No secret is in an argument, in the environment or in a file.
#pragma once

#include <string_view>

namespace re::transport {

/// The name of a link to this program in the private directory of a connection.
inline constexpr std::string_view k_askpass_name = "re-askpass";

/// Whether this process was started by ssh to ask a question: main() looks at argv[0] before all else.
bool is_askpass_call(std::string_view argv0);

/// Asks, prints the answer on stdout, and returns the exit code: 0, or 1 when there is no answer. Never
/// throws; reads RE_ASKPASS_SOCKET and SSH_ASKPASS_PROMPT.
/// \param prompt argv[1]
int askpass_main(std::string_view prompt) noexcept;

}  // namespace re::transport
