// Whether a notebook server on a host is there for its owner, and for nobody else.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "re/jobs/notebook.hpp"
#include "re/remote/host.hpp"

namespace re::engine {

/// Asks it over a stream of the host's connection until it answers with the token's owner's rights. Throws
/// Error: timeout; remote when it also serves those who have no token, or not those who have (a configuration
/// on the host says so).
Async<void> check_jupyter(remote::Host& host, jobs::JupyterServer server, std::chrono::milliseconds limit);

/// The status code of an HTTP answer's first line; nothing while there is no whole line, 0 for another
/// protocol.
std::optional<int> parse_http_status(std::string_view answer);

}  // namespace re::engine
