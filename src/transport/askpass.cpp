#include "re/transport/askpass.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "re/base/error.hpp"
#include "re/sys/fd.hpp"
#include "re/sys/secret.hpp"
#include "transport/askpass_server.hpp"

namespace re::transport {

namespace {

// Wiped when it goes; ssh itself takes at most 1 KiB.
struct Answer {
  std::array<char, k_askpass_answer_limit + 2> bytes{};
  std::size_t size = 0;
  Answer() = default;
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  ~Answer() { sys::wipe(bytes.data(), bytes.size()); }
};

sys::Fd connect_to_parent() {
  const char* path = std::getenv(k_askpass_socket_variable);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path == nullptr) throw Error(ErrorKind::usage, "this command is run by ssh only");
  const std::string_view name(path);
  if (name.size() >= sizeof address.sun_path) throw Error(ErrorKind::usage, "the socket's path is too long");
  std::copy(name.begin(), name.end(), std::begin(address.sun_path));
  sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.is_open() ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw errno_error("ask", errno);
  }
  return fd;
}

void read_answer(int fd, Answer& answer) {
  while (answer.size < k_askpass_answer_limit + 1) {
    const ssize_t got =
        ::read(fd, answer.bytes.data() + answer.size, k_askpass_answer_limit + 1 - answer.size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    answer.size += static_cast<std::size_t>(got);
  }
}

int ask(std::string_view prompt) {
  sys::forbid_core_files();
  sys::ignore_broken_pipes();
  const char* hint = std::getenv("SSH_ASKPASS_PROMPT");
  const sys::Fd fd = connect_to_parent();
  sys::write_all(fd.get(), std::string(hint == nullptr ? "" : hint) + "\n" + std::string(prompt));
  ::shutdown(fd.get(), SHUT_WR);
  Answer answer;
  read_answer(fd.get(), answer);
  if (answer.size == 0 || answer.bytes[0] != k_askpass_answered) return 1;
  answer.bytes.at(answer.size) = '\n';
  sys::write_all(STDOUT_FILENO, {answer.bytes.data() + 1, answer.size});
  return 0;
}

}  // namespace

bool is_askpass_call(std::string_view argv0) {
  return argv0.substr(argv0.rfind('/') + 1) == k_askpass_name;
}

int askpass_main(std::string_view prompt) noexcept {
  try {
    return ask(prompt);
  } catch (const std::exception&) {
    return 1;  // ssh takes it for "no answer"; its own message says what it was refused
  }
}

}  // namespace re::transport
