// A client's way through the connection master. See re/transport/master.hpp.
#pragma once

#include <memory>

#include "re/transport/target.hpp"

namespace re::transport {

/// A connection that the master holds, made by it if need be; the master is started if there is none. Nothing
/// where no master can be had within two seconds: connect directly then. Questions are asked here, by the
/// context's prompter. Throws Error as connect() does.
///
/// The connection is as good as its host: when the master loses its own, or ends, exec() and open_forward()
/// connect anew, at the last without a master.
Async<std::unique_ptr<Connection>> connect_by_master(const Target& target, const ConnectContext& context,
                                                     Reuse reuse);

}  // namespace re::transport
