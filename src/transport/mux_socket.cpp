#include "transport/mux_socket.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>

#include "re/base/error.hpp"
#include "transport/ssh2_wire.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;

constexpr std::size_t k_read_size = 4096;

Error lost(const std::string& why) {
  return Error(ErrorKind::unreachable, "the ssh connection master does not answer: " + why);
}

// One byte that carries one descriptor (SCM_RIGHTS). Returns errno, or 0.
int pass_descriptor(int socket, int fd) {
  char byte = '\0';
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_len = CMSG_LEN(sizeof(int));
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : errno;
}

}  // namespace

Async<MuxSocket> MuxSocket::connect(std::filesystem::path path) {
  MuxSocket mux(co_await asio::this_coro::executor);
  const asio::local::stream_protocol::endpoint endpoint(path.string());
  boost::system::error_code error;
  co_await mux.m_socket.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
  if (error) throw lost(error.message());
  mux.m_socket.native_non_blocking(true);
  const std::string hello = mux::hello();
  co_await mux.send(hello);
  const auto reply = co_await mux.receive();
  if (!reply) throw lost("it closed the connection");
  if (reply->type != mux::Type::hello || reply->value < 4) {
    throw Error(ErrorKind::protocol, "the ssh connection master speaks another protocol version");
  }
  co_return mux;
}

Async<void> MuxSocket::send(std::string message, std::vector<int> descriptors) {
  boost::system::error_code error;
  co_await asio::async_write(m_socket, asio::buffer(message),
                             asio::redirect_error(asio::use_awaitable, error));
  if (error) throw lost(error.message());
  for (const int fd : descriptors) co_await send_descriptor(fd);
}

Async<void> MuxSocket::send_descriptor(int fd) {
  for (;;) {
    const int failure = pass_descriptor(m_socket.native_handle(), fd);
    if (failure == 0) co_return;
    if (failure == EINTR) continue;
    if (failure != EAGAIN && failure != ETOOMANYREFS) throw lost(std::strerror(failure));
    boost::system::error_code error;
    co_await m_socket.async_wait(Socket::wait_write, asio::redirect_error(asio::use_awaitable, error));
    if (error) throw lost(error.message());
  }
}

std::optional<mux::Reply> MuxSocket::take_reply() {
  WireReader reader(m_received);
  const auto size = reader.number();
  if (!size) return std::nullopt;
  if (*size > mux::k_reply_limit) throw Error(ErrorKind::protocol, "the ssh connection master sent nonsense");
  if (m_received.size() - 4 < *size) return std::nullopt;
  const auto reply = mux::parse_reply(std::string_view(m_received).substr(4, *size));
  m_received.erase(0, 4 + std::size_t{*size});
  if (!reply) throw Error(ErrorKind::protocol, "the ssh connection master sent a reply that makes no sense");
  return reply;
}

Async<std::optional<mux::Reply>> MuxSocket::receive() {
  for (;;) {
    auto ready = receive_ready();
    if (ready.reply || ready.ended) co_return std::move(ready.reply);
    boost::system::error_code error;
    co_await m_socket.async_wait(Socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
    if (error) throw lost(error.message());
  }
}

MuxSocket::Ready MuxSocket::receive_ready() {
  for (;;) {
    if (auto reply = take_reply()) return {std::move(reply), false};
    std::array<char, k_read_size> buffer;
    const ssize_t got = ::recv(m_socket.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
      m_received.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      return {std::nullopt, true};
    } else if (errno == EAGAIN) {
      return {};
    }
  }
}

void MuxSocket::cancel() {
  boost::system::error_code ignored;
  m_socket.cancel(ignored);
}

void MuxSocket::close() {
  boost::system::error_code ignored;
  m_socket.close(ignored);
}

}  // namespace re::transport
