#include "engine/tunnel.hpp"

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace re::engine {

namespace asio = boost::asio;
using asio::ip::tcp;
using transport::Chunk;

// The local side's words. Throws Error as the channel does.
Async<void> Tunnel::send_all() {
  std::array<char, std::size_t{32} << 10U> buffer{};
  for (;;) {
    boost::system::error_code error;
    const auto space = asio::buffer(buffer);
    const std::size_t got =
        co_await m_socket.async_read_some(space, asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::eof) break;
    if (error) co_return co_await break_off();
    const std::string_view data(buffer.data(), got);
    co_await m_channel->write(data);
  }
  co_await m_channel->close_input();
}

Async<void> Tunnel::receive_all() {
  boost::system::error_code error;
  for (;;) {
    const Chunk chunk = co_await m_channel->read();
    if (chunk.stream == Chunk::Stream::end) break;
    const auto data = asio::buffer(chunk.data);
    co_await asio::async_write(m_socket, data, asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return co_await break_off();
  }
  m_socket.shutdown(tcp::socket::shutdown_send, error);
}

void Tunnel::abort() {
  boost::system::error_code ignored;
  m_socket.close(ignored);
  asio::co_spawn(
      m_socket.get_executor(),
      [](std::shared_ptr<Tunnel> self) -> Async<void> {
        co_await self->m_channel->close();
      }(shared_from_this()),
      asio::detached);
}

// The local side is gone without a farewell.
Async<void> Tunnel::break_off() {
  boost::system::error_code ignored;
  m_socket.close(ignored);
  co_await m_channel->close();
}

Async<void> Tunnel::pass_on(std::shared_ptr<Tunnel> self) {
  try {
    co_await self->send_all();
  } catch (const std::exception&) {
    // Who reads the other direction is told.
  }
}

Async<std::optional<Error>> Tunnel::run() {
  const auto self = shared_from_this();
  asio::co_spawn(co_await asio::this_coro::executor, pass_on(self), asio::detached);
  std::optional<Error> failure;
  try {
    co_await receive_all();
  } catch (const Error& error) {
    if (m_socket.is_open()) failure = error;
  }
  if (failure) co_await break_off();
  co_return failure;
}

}  // namespace re::engine
