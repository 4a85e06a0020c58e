// A Channel over a child process of this machine: three pipes, or a pseudo-terminal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "re/transport/connection.hpp"

namespace re::transport {

struct ProcessRequest {
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::optional<std::string> directory;
  /// The child gets a session and a pseudo-terminal of its own; its streams come as one.
  std::optional<PtyRequest> pty;
  std::vector<int> inherited;
};

/// Starts the process. Throws Error as sys::Child::spawn does.
std::unique_ptr<Channel> start_process(const boost::asio::any_io_executor& executor,
                                       const ProcessRequest& request);

}  // namespace re::transport
