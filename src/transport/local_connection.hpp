// This machine as a host: a child process per channel, no ssh.
#pragma once

#include <memory>

#include "re/transport/connection.hpp"

namespace re::transport {

/// \param home where commands start, and what HOME is for them
std::unique_ptr<Connection> connect_local(const boost::asio::any_io_executor& executor, std::string home);

}  // namespace re::transport
