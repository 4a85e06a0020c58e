// A client's connection to the control socket of an OpenSSH connection master.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "re/sys/async.hpp"
#include "transport/mux_protocol.hpp"

namespace re::transport {

class MuxSocket {
 public:
  /// Connects and exchanges hellos. Throws Error (unreachable) when no master answers, (protocol) for another
  /// version.
  static Async<MuxSocket> connect(std::filesystem::path path);

  /// Sends a framed message and then the descriptors, as OpenSSH's mm_send_fd() does. The descriptors stay
  /// ours. Throws Error (unreachable).
  Async<void> send(std::string message, std::vector<int> descriptors = {});
  /// The next reply; nothing when the master has closed the connection. Throws Error (protocol).
  Async<std::optional<mux::Reply>> receive();

  /// A reply that is there already. `ended` tells that the master has closed the connection.
  struct Ready {
    std::optional<mux::Reply> reply;
    bool ended = false;
  };
  Ready receive_ready();

  [[nodiscard]] int native_handle() { return m_socket.native_handle(); }
  void cancel();
  void close();

 private:
  using Socket = boost::asio::local::stream_protocol::socket;
  explicit MuxSocket(const boost::asio::any_io_executor& executor) : m_socket(executor) {}
  Async<void> send_descriptor(int fd);
  std::optional<mux::Reply> take_reply();

  Socket m_socket;
  std::string m_received;  // not yet a whole reply; kept here so that a cancelled receive() loses nothing
};

}  // namespace re::transport
