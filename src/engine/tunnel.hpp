// A local socket and a stream of a host, joined.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <optional>

#include "re/base/error.hpp"
#include "re/transport/connection.hpp"

namespace re::engine {

/// Each side's end is handed to the other, so that one may be silent while the other still speaks; bytes move
/// only as fast as they are taken.
class Tunnel : public std::enable_shared_from_this<Tunnel> {
 public:
  Tunnel(boost::asio::ip::tcp::socket socket, std::unique_ptr<transport::Channel> channel)
      : m_socket(std::move(socket)), m_channel(std::move(channel)) {}

  /// Until both sides have ended, or one broke. Returns why the channel broke, if it did.
  Async<std::optional<Error>> run();
  /// Ends both sides at once.
  void abort();

 private:
  static Async<void> pass_on(std::shared_ptr<Tunnel> self);
  Async<void> send_all();
  Async<void> receive_all();
  Async<void> break_off();

  boost::asio::ip::tcp::socket m_socket;
  std::unique_ptr<transport::Channel> m_channel;
};

}  // namespace re::engine
