// A channel of a host, joined with descriptors that a client gets.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "re/sys/fd.hpp"
#include "transport/master_link.hpp"
#include "transport/master_socket.hpp"

namespace re::transport {

/// Passes everything on in both directions, from its beginning: what a process says before it has a client
/// waits in the sockets.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  enum class Streams { input_and_output = 2, with_error = 3 };
  /// Throws Error (io): no descriptors are left.
  static std::shared_ptr<Exchange> begin(const boost::asio::any_io_executor& executor,
                                         std::shared_ptr<MasterLink> link, std::unique_ptr<Channel> channel,
                                         Streams streams);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  /// What the client is told of the process: that it was given the preamble of this client's request.
  void set_preamble_given() { m_has_preamble = true; }
  /// The process has ended, or the connection has.
  [[nodiscard]] bool has_ended() const { return m_end.has_value(); }
  /// Hands the other ends to the client, serves it until it lets go, and tells it how the process ended.
  /// Never throws Error.
  Async<void> serve(std::shared_ptr<MasterSocket> client);
  /// As if the connection were lost.
  Async<void> fail(Error error);
  Async<void> close();
  /// When something last came from the process.
  [[nodiscard]] std::chrono::steady_clock::time_point heard_at() const { return m_heard_at; }

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;
  Exchange(const boost::asio::any_io_executor& executor, std::shared_ptr<MasterLink> link,
           std::unique_ptr<Channel> channel, Streams streams);

  static Async<void> pass_input(std::shared_ptr<Exchange> self);
  static Async<void> pass_output(std::shared_ptr<Exchange> self);
  Async<std::string> pump_output();
  Async<void> deliver(Chunk chunk);
  Async<void> obey();
  Async<void> tell_end();
  void close_streams();
  /// A forwarded stream whose far end has said all: it may still listen.
  [[nodiscard]] bool is_half_closed() const { return m_streams == Streams::input_and_output && !m_is_broken; }

  std::shared_ptr<MasterLink> m_link;
  std::unique_ptr<Channel> m_channel;
  std::shared_ptr<MasterSocket> m_client;
  std::shared_ptr<void> m_user;
  Descriptor m_input;
  Descriptor m_output;
  Descriptor m_error;
  std::vector<sys::Fd> m_theirs;
  Streams m_streams;
  bool m_is_broken = false;  ///< it ended with an error
  bool m_has_preamble = false;
  std::optional<std::string> m_end;  ///< the frame that says how it ended
  std::chrono::steady_clock::time_point m_heard_at;
};

}  // namespace re::transport
