// A client of ssh-agent (draft-miller-ssh-agent). libssh2's own cannot be used: it would talk through the
// session's callbacks, and it blocks.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "re/sys/async.hpp"

namespace re::transport {

struct AgentIdentity {
  std::string public_blob;
  std::string comment;
};

class Ssh2Agent {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// Connects. Throws Error (io).
  Ssh2Agent(const boost::asio::any_io_executor& executor, const std::filesystem::path& socket);
  /// The keys it holds, in its order. Throws Error (io, protocol, timeout).
  Async<std::vector<AgentIdentity>> identities(TimePoint deadline);
  /// A signature without the name of its algorithm. It may wait for its user (a confirmation, a touch).
  /// \param flags  2 for rsa-sha2-256, 4 for rsa-sha2-512, else 0
  /// Throws Error (auth when it refuses; io, protocol, timeout).
  Async<std::string> sign(std::string public_blob, std::string data, std::uint32_t flags, TimePoint deadline);

 private:
  Async<std::string> ask(std::string request, TimePoint deadline);
  std::shared_ptr<boost::asio::local::stream_protocol::socket> m_socket;
};

}  // namespace re::transport
