#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

namespace re::sys {

/// Owns a file descriptor; closes it when it goes.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : m_fd(fd) {}
  Fd(Fd&& other) noexcept : m_fd(std::exchange(other.m_fd, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.m_fd, -1));
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return m_fd; }
  [[nodiscard]] bool is_open() const { return m_fd >= 0; }
  /// Gives the descriptor away: the caller closes it.
  [[nodiscard]] int release() { return std::exchange(m_fd, -1); }
  void reset(int fd = -1) noexcept;

 private:
  int m_fd = -1;
};

struct Pipe {
  Fd read_end;
  Fd write_end;
};

/// A pipe, close-on-exec. Throws Error (io).
Pipe make_pipe();
/// A connected pair of stream sockets, close-on-exec. Throws Error (io).
std::pair<Fd, Fd> make_socket_pair();
/// A new descriptor of the same file, close-on-exec. Throws Error (io).
Fd duplicate(int fd);
/// Writes all of it, blocking; waits where the descriptor is non-blocking. Throws Error (io); a closed pipe
/// is EPIPE.
void write_all(int fd, std::string_view data);
/// Writing to a pipe without a reader becomes EPIPE instead of a deadly signal, for the whole process;
/// children get the default back. Idempotent.
void ignore_broken_pipes();
void set_nonblocking(int fd);
/// Lets the descriptor survive exec (clears FD_CLOEXEC).
void set_inheritable(int fd);

/// Lets the process have `count` descriptors open: raises its soft limit (RLIMIT_NOFILE) where that is lower,
/// at most to the hard one. Children inherit it.
void make_room_for_descriptors(std::size_t count) noexcept;

}  // namespace re::sys
