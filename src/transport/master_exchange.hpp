// A channel of a host, joined with the descriptors that a client handed to the master.
#pragma once

#include <memory>
#include <vector>

#include "re/sys/fd.hpp"
#include "transport/master_link.hpp"
#include "transport/master_socket.hpp"

namespace re::transport {

/// Passes everything on in both directions until the client lets go, and tells the client how the process
/// ended. Never throws Error.
/// \param descriptors the process's input, output and (not for a forward) error, as they came
Async<void> exchange(std::shared_ptr<MasterSocket> client, std::shared_ptr<MasterLink> link,
                     std::unique_ptr<Channel> channel, std::vector<sys::Fd> descriptors);

}  // namespace re::transport
