// One end of a connection between a client and the connection master: frames, and descriptors beside them.
#pragma once

#include <boost/asio/local/stream_protocol.hpp>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "re/sys/async.hpp"
#include "re/sys/fd.hpp"
#include "transport/master_protocol.hpp"

namespace re::transport {

class MasterSocket {
 public:
  using Socket = boost::asio::local::stream_protocol::socket;
  explicit MasterSocket(Socket socket);

  /// Sends a frame, one at a time; the descriptors travel with its first byte and stay ours. Throws Error
  /// (unreachable) when the other side is gone.
  Async<void> send(std::string frame, std::vector<int> descriptors = {});
  /// Sends what fits without waiting, and otherwise nothing: for remarks.
  void send_ready(const std::string& frame);
  /// The next frame; nothing when the other side has closed. Throws Error (protocol).
  Async<std::optional<master::Frame>> receive();
  /// A frame that is there already. `has_ended`: the other side has closed.
  struct Ready {
    std::optional<master::Frame> frame;
    bool has_ended = false;
  };
  Ready receive_ready();
  /// The next descriptors that came, in order; fewer where fewer came.
  std::vector<sys::Fd> take_descriptors(std::size_t count);

  /// Whether the process at the other end is this user's (SO_PEERCRED).
  [[nodiscard]] bool is_of_this_user();
  [[nodiscard]] int native_handle() { return m_socket.native_handle(); }
  /// Wakes whoever waits.
  void close();

 private:
  Socket m_socket;
  std::string m_received;
  std::deque<sys::Fd> m_descriptors;
};

}  // namespace re::transport
