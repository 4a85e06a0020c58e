// The local ends of a channel's streams: up to three descriptors, read and written without blocking the
// thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "re/sys/fd.hpp"
#include "re/transport/connection.hpp"

namespace re::transport {

/// One read of a descriptor that does not block, at most 64 KiB; empty: its end, also where a peer or the
/// other side of a pseudo-terminal has gone. Nothing: not now. Throws Error.
std::optional<std::string> read_available(int fd);

class ChannelStreams {
 public:
  struct Ends {
    sys::Fd input;   ///< a socket, a pipe, or a pseudo-terminal's master
    sys::Fd output;  ///< as is the next
    sys::Fd error;   ///< may be closed: then there is no second stream
  };
  ChannelStreams(const boost::asio::any_io_executor& executor, Ends ends);

  /// What can be had without waiting, at most 64 KiB; the streams take turns, so that none starves.
  std::optional<Chunk> read_ready();
  [[nodiscard]] bool have_ended() const { return !m_output.is_open() && !m_error.is_open(); }
  /// Until read_ready() is worth a try, or a further descriptor (also_watch) is readable. Throws Error
  /// (interrupted) when cancelled or closed.
  Async<void> wait_readable();
  void also_watch(int fd);
  void stop_watching(int fd);

  enum class Sent { all, broken };
  /// `broken`: nobody reads any more; the input is closed then. Throws Error (interrupted) when cancelled or
  /// closed.
  Async<Sent> write(std::string_view data);
  [[nodiscard]] bool is_input_open() const { return m_input.is_open(); }
  void close_input();
  /// The descriptor that is written to; only while is_input_open().
  [[nodiscard]] int input() { return m_input.native_handle(); }
  /// Wakes whoever waits.
  void close();

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;
  Descriptor m_input;
  sys::Fd m_output;
  sys::Fd m_error;
  Descriptor m_readable;  // an epoll: readiness of all streams as one descriptor
  bool m_serve_error_first = false;
};

}  // namespace re::transport
