// The `openssh` transport: the user's own ssh program, for what libssh2 cannot do (design: ProxyCommand,
// GSSAPI, FIDO and certificate keys, servers with newer algorithms only).
#pragma once

#include <memory>

#include "re/transport/connection.hpp"
#include "transport/openssh_master.hpp"

namespace re::transport {

/// Throws Error as connect() does. The target and the context are copied; what the context refers to outlives
/// the connection.
Async<std::unique_ptr<Connection>> connect_openssh(Target target, ConnectContext context,
                                                   OpensshPrograms programs);

}  // namespace re::transport
