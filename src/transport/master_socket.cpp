#include "transport/master_socket.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>

namespace re::transport {

namespace {

namespace asio = boost::asio;

constexpr std::size_t k_read_size = std::size_t{16} << 10U;
constexpr std::size_t k_most_descriptors = 3;  // in one message, and held at any time

Error lost(const std::string& why) {
  return Error(ErrorKind::unreachable, "the connection master is gone: " + why);
}

// Data with descriptors beside it; what ::sendmsg returns.
ssize_t send_message(int socket, std::string_view data, const std::vector<int>& descriptors) {
  iovec part{const_cast<char*>(data.data()), data.size()};  // the kernel only reads it
  alignas(cmsghdr) std::array<char, CMSG_SPACE(k_most_descriptors * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const std::size_t size = descriptors.size() * sizeof(int);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_len = CMSG_LEN(size);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    std::memcpy(CMSG_DATA(header), descriptors.data(), size);
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// All descriptors of a message: none may leak.
void keep_descriptors(msghdr& message, std::deque<sys::Fd>& kept) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      sys::Fd owned(fd);
      if (kept.size() < k_most_descriptors) kept.push_back(std::move(owned));
    }
  }
}

}  // namespace

MasterSocket::MasterSocket(Socket socket) : m_socket(std::move(socket)) {
  m_socket.native_non_blocking(true);
}

Async<void> MasterSocket::send(std::string frame, std::vector<int> descriptors) {
  std::string_view left = frame;
  while (!left.empty()) {
    const ssize_t sent = send_message(m_socket.native_handle(), left, descriptors);
    if (sent > 0) {
      left.remove_prefix(static_cast<std::size_t>(sent));
      descriptors.clear();
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw lost(std::strerror(errno));
    boost::system::error_code error;
    co_await m_socket.async_wait(Socket::wait_write, asio::redirect_error(asio::use_awaitable, error));
    if (error) throw lost(error.message());
  }
}

void MasterSocket::send_ready(const std::string& frame) {
  // A frame this short is taken whole or not at all by an empty enough socket; a part would end the talk.
  const ssize_t sent = send_message(m_socket.native_handle(), frame, {});
  if (sent > 0 && static_cast<std::size_t>(sent) < frame.size()) close();
}

MasterSocket::Ready MasterSocket::receive_ready() {
  for (;;) {
    if (auto frame = master::take_frame(m_received)) return {std::move(frame), false};
    std::array<char, k_read_size> buffer;
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(k_most_descriptors * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(m_socket.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got > 0) {
      keep_descriptors(message, m_descriptors);
      m_received.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      return {std::nullopt, true};
    } else if (errno == EAGAIN) {
      return {};
    }
  }
}

Async<std::optional<master::Frame>> MasterSocket::receive() {
  for (;;) {
    auto ready = receive_ready();
    if (ready.frame || ready.has_ended) co_return std::move(ready.frame);
    boost::system::error_code error;
    co_await m_socket.async_wait(Socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
    if (error) throw lost(error.message());
  }
}

std::vector<sys::Fd> MasterSocket::take_descriptors(std::size_t count) {
  std::vector<sys::Fd> taken;
  while (taken.size() < count && !m_descriptors.empty()) {
    taken.push_back(std::move(m_descriptors.front()));
    m_descriptors.pop_front();
  }
  return taken;
}

bool MasterSocket::is_of_this_user() {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(m_socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         peer.uid == ::geteuid();
}

void MasterSocket::close() {
  boost::system::error_code ignored;
  m_socket.close(ignored);
}

}  // namespace re::transport
