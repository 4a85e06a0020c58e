#include "re/remote/remote_shell.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "remote/shell_frames.hpp"

namespace re::remote {

namespace {

constexpr int k_connection_lost = 255;  // ssh's code
constexpr std::size_t k_first_word = 2;

int socket_number(std::span<const std::string> arguments) {
  const auto number =
      arguments.size() > k_first_word ? parse_number<int>(arguments[0]) : std::optional<int>();
  struct stat status{};
  if (!number || *number < 3 || ::fstat(*number, &status) != 0 || !S_ISSOCK(status.st_mode)) {
    throw Error(ErrorKind::usage, "__rsh is for rsync, as `re` starts it, and for nothing else");
  }
  return *number;
}

// The first byte carries the descriptors; the kernel keeps them alive while they are under way.
bool send_request(int socket, std::string frame) {
  constexpr std::array<int, 3> k_streams = {0, 1, 2};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof k_streams)> control{};
  iovec part{frame.data(), frame.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof k_streams);
  std::memcpy(CMSG_DATA(header), k_streams.data(), sizeof k_streams);
  while (part.iov_len > 0) {
    const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    part.iov_base = static_cast<char*>(part.iov_base) + sent;
    part.iov_len -= static_cast<std::size_t>(sent);
    message.msg_control = nullptr;
    message.msg_controllen = 0;
  }
  return true;
}

std::optional<std::string> receive_payload(int socket) {
  FrameBuffer frames;
  std::array<char, 64> buffer{};
  for (;;) {
    if (auto payload = frames.next()) return payload;
    const ssize_t got = ::read(socket, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    frames.feed({buffer.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace

int remote_shell_main(std::span<const std::string> arguments) {
  const int socket = socket_number(arguments);
  if (!send_request(socket, encode_request(arguments.subspan(k_first_word)))) return k_connection_lost;
  // Only the server may hold them now, or rsync would never see the end of its input.
  ::close(0);
  ::close(1);
  const auto payload = receive_payload(socket);
  return payload ? parse_exit(*payload) : k_connection_lost;
}

}  // namespace re::remote
