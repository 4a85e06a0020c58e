// The ssh2 transport: libssh2 over Asio, no child process, no second program.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>

#include "re/transport/connection.hpp"
#include "re/transport/target.hpp"

namespace re::transport {

/// Connects as the effective ssh configuration says (ProxyJump included), checks the host key, authenticates.
/// Both arguments outlive the connection. Throws Error: unsupported (libssh2 cannot, OpenSSH may),
/// unreachable, timeout, auth, host_key, config, protocol.
Async<std::unique_ptr<Connection>> connect_ssh2(const Target& target, const ConnectContext& context);

}  // namespace re::transport
