#include "transport/master_exchange.hpp"

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace re::transport {

namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;
using master::Type;

// Shared by the three coroutines of one channel; each may be the last.
struct Exchange {
  Exchange(const asio::any_io_executor& executor, std::shared_ptr<MasterSocket> control,
           std::shared_ptr<MasterLink> host, std::unique_ptr<Channel> process)
      : client(std::move(control)),
        link(std::move(host)),
        user(link->use()),
        channel(std::move(process)),
        input(executor),
        output(executor),
        error(executor) {}

  void close_streams() {
    for (Descriptor* stream : {&input, &output, &error}) {
      boost::system::error_code ignored;
      stream->close(ignored);
    }
  }

  std::shared_ptr<MasterSocket> client;
  std::shared_ptr<MasterLink> link;
  std::shared_ptr<void> user;
  std::unique_ptr<Channel> channel;
  Descriptor input;
  Descriptor output;
  Descriptor error;
};

Async<void> pass_input(std::shared_ptr<Exchange> exchange) {
  std::array<char, std::size_t{32} << 10U> buffer{};
  try {
    for (;;) {
      boost::system::error_code error;
      const auto space = asio::buffer(buffer);
      const std::size_t got =
          co_await exchange->input.async_read_some(space, asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted) co_return;
      if (error) break;
      const std::string_view data(buffer.data(), got);
      co_await exchange->channel->write(data);
    }
    co_await exchange->channel->close_input();
  } catch (const std::exception&) {
    // Who reads the other direction is told.
  }
}

// A client that no longer reads a stream does not keep the process from writing it.
Async<void> deliver(Exchange& exchange, Chunk chunk) {
  const bool is_output = chunk.stream == Chunk::Stream::output || !exchange.error.is_open();
  Descriptor& stream = is_output ? exchange.output : exchange.error;
  if (!stream.is_open()) co_return;
  boost::system::error_code error;
  const auto data = asio::buffer(chunk.data);
  co_await asio::async_write(stream, data, asio::redirect_error(asio::use_awaitable, error));
  boost::system::error_code ignored;
  if (error) stream.close(ignored);
}

Async<std::string> pass_output(std::shared_ptr<Exchange> exchange) {
  std::optional<Error> failure;
  try {
    for (;;) {
      Chunk chunk = co_await exchange->channel->read();
      exchange->link->heard_at = std::chrono::steady_clock::now();
      if (chunk.stream == Chunk::Stream::end) break;
      co_await deliver(*exchange, std::move(chunk));
    }
    const auto status = co_await exchange->channel->wait();
    co_return master::frame(Type::ended, master::to_body(status));
  } catch (const Error& error) {
    failure = error;
  } catch (const std::exception& error) {
    failure = Error(ErrorKind::io, error.what());
  }
  co_return master::frame(Type::failed, master::to_body(*failure));
}

// The streams end before the client is told how: what it has read is then all there was.
Async<void> serve_output(std::shared_ptr<Exchange> exchange) {
  std::string end = co_await pass_output(exchange);
  exchange->close_streams();
  try {
    co_await exchange->client->send(std::move(end));
  } catch (const std::exception&) {
    // It has gone.
  }
}

Async<void> obey(std::shared_ptr<Exchange> exchange) {
  for (;;) {
    const auto frame = co_await exchange->client->receive();
    if (!frame) co_return;
    const auto size = frame->type == Type::resize ? master::parse_size(frame->body) : std::nullopt;
    if (!size) throw Error(ErrorKind::protocol, "a client sent what no channel takes");
    co_await exchange->channel->resize(*size);
  }
}

}  // namespace

Async<void> exchange(std::shared_ptr<MasterSocket> client, std::shared_ptr<MasterLink> link,
                     std::unique_ptr<Channel> channel, std::vector<sys::Fd> descriptors) {
  const auto executor = co_await asio::this_coro::executor;
  const auto shared =
      std::make_shared<Exchange>(executor, std::move(client), std::move(link), std::move(channel));
  shared->input.assign(descriptors[0].release());
  shared->output.assign(descriptors[1].release());
  if (descriptors.size() > 2) shared->error.assign(descriptors[2].release());
  asio::co_spawn(executor, pass_input(shared), asio::detached);
  asio::co_spawn(executor, serve_output(shared), asio::detached);
  try {
    co_await obey(shared);
  } catch (const std::exception&) {
    // The same as if it had gone.
  }
  shared->close_streams();
  co_await shared->channel->close();
}

}  // namespace re::transport
