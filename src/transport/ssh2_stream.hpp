// The byte stream below an ssh session: a TCP socket, or a channel of another connection (ProxyJump).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "re/sys/async.hpp"
#include "transport/ssh_config.hpp"

namespace re::transport {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// At least one byte; 0 at the end, and after close(). Throws Error (unreachable).
  virtual Async<std::size_t> read_some(char* data, std::size_t size) = 0;
  /// All of it. Throws Error (unreachable).
  virtual Async<void> write(std::string_view data) = 0;
  /// Ends what waits in read_some(), and with an Error what waits in write(). Idempotent.
  virtual void close() noexcept = 0;
  /// The socket at the bottom, for libssh2's handshake only: it is not read or written through it.
  [[nodiscard]] virtual int descriptor() const = 0;
};

struct TcpOptions {
  std::string host;
  unsigned short port = 22;
  AddressFamily family = AddressFamily::any;
  std::string bind_address;                        ///< empty: any
  std::chrono::steady_clock::time_point deadline;  ///< for all addresses together
  std::chrono::milliseconds user_timeout{};        ///< TCP_USER_TIMEOUT of the connection
};

/// Resolves and connects, every address in turn. Throws Error (unreachable, timeout) with the system's
/// reason.
Async<std::unique_ptr<ByteStream>> connect_tcp(TcpOptions options);

}  // namespace re::transport
