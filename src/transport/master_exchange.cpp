#include "transport/master_exchange.hpp"

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace re::transport {

namespace asio = boost::asio;
using master::Type;

Exchange::Exchange(const asio::any_io_executor& executor, std::shared_ptr<MasterLink> link,
                   std::unique_ptr<Channel> channel, Streams streams)
    : m_link(std::move(link)),
      m_channel(std::move(channel)),
      m_input(executor),
      m_output(executor),
      m_error(executor),
      m_streams(streams) {}

std::shared_ptr<Exchange> Exchange::begin(const asio::any_io_executor& executor,
                                          std::shared_ptr<MasterLink> link, std::unique_ptr<Channel> channel,
                                          Streams streams) {
  const std::shared_ptr<Exchange> exchange(
      new Exchange(executor, std::move(link), std::move(channel), streams));
  for (Descriptor* stream : {&exchange->m_input, &exchange->m_output, &exchange->m_error}) {
    if (exchange->m_theirs.size() == static_cast<std::size_t>(streams)) break;
    auto [ours, theirs] = sys::make_socket_pair();
    stream->assign(ours.release());
    exchange->m_theirs.push_back(std::move(theirs));
  }
  asio::co_spawn(executor, pass_input(exchange), asio::detached);
  asio::co_spawn(executor, pass_output(exchange), asio::detached);
  return exchange;
}

void Exchange::close_streams() {
  for (Descriptor* stream : {&m_input, &m_output, &m_error}) {
    boost::system::error_code ignored;
    stream->close(ignored);
  }
}

Async<void> Exchange::pass_input(std::shared_ptr<Exchange> self) {
  std::array<char, std::size_t{16} << 10U> buffer{};
  try {
    for (;;) {
      boost::system::error_code error;
      const auto space = asio::buffer(buffer);
      const std::size_t got =
          co_await self->m_input.async_read_some(space, asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted) co_return;
      if (error) break;
      const std::string_view data(buffer.data(), got);
      co_await self->m_channel->write(data);
    }
    co_await self->m_channel->close_input();
  } catch (const std::exception&) {
    // Who reads the other direction is told; who has read to its end sees that nobody takes more.
    if (self->m_end) self->close_streams();
  }
}

// A client that no longer reads a stream does not keep the process from writing it.
Async<void> Exchange::deliver(Chunk chunk) {
  const bool is_output = chunk.stream == Chunk::Stream::output || !m_error.is_open();
  Descriptor& stream = is_output ? m_output : m_error;
  if (!stream.is_open()) co_return;
  boost::system::error_code error;
  const auto data = asio::buffer(chunk.data);
  co_await asio::async_write(stream, data, asio::redirect_error(asio::use_awaitable, error));
  boost::system::error_code ignored;
  if (error) stream.close(ignored);
}

Async<std::string> Exchange::pump_output() {
  std::optional<Error> failure;
  try {
    for (;;) {
      Chunk chunk = co_await m_channel->read();
      m_heard_at = m_link->heard_at = std::chrono::steady_clock::now();
      if (chunk.stream == Chunk::Stream::end) break;
      co_await deliver(std::move(chunk));
    }
    const auto status = co_await m_channel->wait();
    co_return master::frame(Type::ended, master::to_body(status));
  } catch (const Error& error) {
    failure = error;
  } catch (const std::exception& error) {
    failure = Error(ErrorKind::io, error.what());
  }
  m_is_broken = true;
  co_return master::frame(Type::failed, master::to_body(*failure));
}

Async<void> Exchange::pass_output(std::shared_ptr<Exchange> self) {
  std::string end = co_await self->pump_output();
  if (!self->m_end) self->m_end = std::move(end);
  co_await self->tell_end();
}

// The streams end before the client is told how: what it has read is then all there was.
Async<void> Exchange::tell_end() {
  boost::system::error_code ignored;
  is_half_closed() ? static_cast<void>(m_output.close(ignored)) : close_streams();
  const auto client = m_client;
  if (!client) co_return;
  try {
    std::string end = *m_end;
    co_await client->send(std::move(end));
  } catch (const std::exception&) {
    // It has gone.
  }
}

Async<void> Exchange::obey() {
  for (;;) {
    const auto frame = co_await m_client->receive();
    if (!frame) co_return;
    const auto size = frame->type == Type::resize ? master::parse_size(frame->body) : std::nullopt;
    if (!size) throw Error(ErrorKind::protocol, "a client sent what no channel takes");
    co_await m_channel->resize(*size);
  }
}

Async<void> Exchange::serve(std::shared_ptr<MasterSocket> client) {
  const auto self = shared_from_this();
  m_user = m_link->use();
  try {
    std::vector<int> descriptors;
    descriptors.reserve(m_theirs.size());
    for (const auto& fd : m_theirs) descriptors.push_back(fd.get());
    std::string opened = master::frame(Type::opened, m_has_preamble ? master::k_with_preamble : "");
    co_await client->send(std::move(opened), std::move(descriptors));
    m_theirs.clear();
    m_client = std::move(client);
    if (m_end) co_await tell_end();
    co_await obey();
  } catch (const std::exception&) {
    // The same as if it had gone.
  }
  co_await close();
}

Async<void> Exchange::fail(Error error) {
  if (m_end) co_return;
  m_is_broken = true;
  m_end = master::frame(Type::failed, master::to_body(error));
  co_await m_channel->close();  // which ends the reading, and that tells the client
}

Async<void> Exchange::close() {
  const auto self = shared_from_this();
  close_streams();
  co_await m_channel->close();
}

}  // namespace re::transport
