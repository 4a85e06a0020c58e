#include "transport/ssh2_stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <vector>

#include "re/base/error.hpp"
#include "transport/ssh2_alarm.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using TimePoint = std::chrono::steady_clock::time_point;

constexpr auto k_as_tuple = asio::as_tuple(asio::use_awaitable);

class TcpStream final : public ByteStream {
 public:
  explicit TcpStream(tcp::socket socket) : m_socket(std::move(socket)) {}

  Async<std::size_t> read_some(char* data, std::size_t size) override {
    const auto [error, count] = co_await m_socket.async_read_some(asio::buffer(data, size), k_as_tuple);
    if (error == asio::error::eof || error == asio::error::operation_aborted) co_return 0;
    if (error) throw Error(ErrorKind::unreachable, error.message());
    // sshd holds small writes back until our acknowledgement; the kernel forgets this option after a while.
    const int on = 1;
    ::setsockopt(m_socket.native_handle(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    co_return count;
  }

  Async<void> write(std::string_view data) override {
    while (!data.empty()) {
      const auto [error, count] =
          co_await m_socket.async_write_some(asio::buffer(data.data(), data.size()), k_as_tuple);
      if (error) throw Error(ErrorKind::unreachable, error.message());
      data.remove_prefix(count);
    }
  }

  void close() noexcept override {
    error_code ignored;
    m_socket.shutdown(tcp::socket::shutdown_both, ignored);
    m_socket.close(ignored);
  }

  [[nodiscard]] int descriptor() const override {
    return const_cast<tcp::socket&>(m_socket).native_handle();  // Asio's accessor is not const
  }

 private:
  tcp::socket m_socket;
};

Error timed_out(const TcpOptions& options) {
  return {ErrorKind::timeout, "cannot connect to " + options.host + " port " + std::to_string(options.port) +
                                  ": no answer in time"};
}

Error cannot_connect(const TcpOptions& options, const error_code& error) {
  const bool late = error == asio::error::timed_out;
  std::string reason = error.message();
  if (error == asio::error::host_not_found || error == asio::error::host_not_found_try_again ||
      error == asio::error::no_data) {
    reason = "the name is not known";
  }
  return {late ? ErrorKind::timeout : ErrorKind::unreachable,
          "cannot connect to " + options.host + " port " + std::to_string(options.port) + ": " + reason};
}

bool is_wanted(const tcp::endpoint& endpoint, AddressFamily family) {
  if (family == AddressFamily::any) return true;
  return endpoint.address().is_v4() == (family == AddressFamily::ipv4);
}

Async<std::vector<tcp::endpoint>> resolve(const TcpOptions& options) {
  std::vector<tcp::endpoint> endpoints;
  error_code error;
  const auto literal = asio::ip::make_address(options.host, error);
  if (!error) {
    endpoints.emplace_back(literal, options.port);
    co_return endpoints;
  }
  const auto executor = co_await asio::this_coro::executor;
  const auto resolver = std::make_shared<tcp::resolver>(executor);
  const Alarm alarm(executor, options.deadline, resolver);
  const std::string service = std::to_string(options.port);
  const auto [failure, results] =
      co_await resolver->async_resolve(options.host, service, tcp::resolver::numeric_service, k_as_tuple);
  if (alarm.has_rung()) throw timed_out(options);
  if (failure) throw cannot_connect(options, failure);
  for (const auto& result : results) {
    if (is_wanted(result.endpoint(), options.family)) endpoints.push_back(result.endpoint());
  }
  if (endpoints.empty()) throw cannot_connect(options, asio::error::host_not_found);
  co_return endpoints;
}

void tune(const tcp::socket& socket, const TcpOptions& options) {
  const int fd = const_cast<tcp::socket&>(socket).native_handle();
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  const auto timeout = static_cast<unsigned>(options.user_timeout.count());
  ::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}

Async<error_code> connect_to(std::shared_ptr<tcp::socket> socket, tcp::endpoint endpoint,
                             const TcpOptions& options, TimePoint limit) {
  error_code error;
  socket->open(endpoint.protocol(), error);
  if (!error && !options.bind_address.empty()) {
    const auto address = asio::ip::make_address(options.bind_address, error);
    if (!error) socket->bind(tcp::endpoint(address, 0), error);
  }
  if (error) co_return error;
  tune(*socket, options);
  const auto executor = co_await asio::this_coro::executor;
  const Alarm alarm(executor, limit, socket);
  const auto [failure] = co_await socket->async_connect(endpoint, k_as_tuple);
  co_return alarm.has_rung() ? error_code(asio::error::timed_out) : failure;
}

}  // namespace

Async<std::unique_ptr<ByteStream>> connect_tcp(TcpOptions options) {
  const auto endpoints = co_await resolve(options);
  const auto executor = co_await asio::this_coro::executor;
  error_code error;
  for (std::size_t index = 0; index < endpoints.size(); ++index) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= options.deadline) throw timed_out(options);
    // One dead address must not use up the time of the others.
    const TimePoint limit = now + (options.deadline - now) / static_cast<int>(endpoints.size() - index);
    const auto socket = std::make_shared<tcp::socket>(executor);
    error = co_await connect_to(socket, endpoints[index], options, limit);
    if (!error) co_return std::make_unique<TcpStream>(std::move(*socket));
  }
  throw cannot_connect(options, error);
}

}  // namespace re::transport
