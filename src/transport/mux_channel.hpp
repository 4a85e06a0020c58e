// A channel of an OpenSSH connection master, asked for over its control socket. The master moves the bytes
// between the network and descriptors that we hand it, so that no process stands between.
#pragma once

#include <memory>
#include <string>

#include "re/transport/connection.hpp"
#include "transport/openssh_master.hpp"

namespace re::transport {

/// Throws Error: unreachable (the master is gone), remote (the server refused the channel). A pty that the
/// server refuses is told by the first read(), as Error (remote): the protocol reports it late.
Async<std::unique_ptr<Channel>> open_mux_session(std::shared_ptr<OpensshMaster> master, ExecRequest request);
/// A forwarded TCP stream.
Async<std::unique_ptr<Channel>> open_mux_forward(std::shared_ptr<OpensshMaster> master, std::string host,
                                                 unsigned short port);

}  // namespace re::transport
