#include "re/sys/terminal.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"

namespace re::sys {

namespace {

// What restore_terminal() gives back. Written before the flag is set and read after it was seen: a signal
// handler may run between any two instructions.
int g_saved_fd = -1;
termios g_saved_mode{};
std::atomic<bool> g_is_saved{false};
static_assert(std::atomic<bool>::is_always_lock_free);

void save_terminal(int fd) {
  if (g_is_saved) return;
  if (::tcgetattr(fd, &g_saved_mode) != 0) throw errno_error("read the terminal's mode", errno);
  g_saved_fd = fd;
  g_is_saved = true;
}

// What ends a program that nobody catches: a failed assertion, an exception in a destructor, a bad access.
constexpr std::array k_deadly_signals = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGTERM, SIGHUP};

extern "C" void restore_and_die(int signal) {
  restore_terminal();
  ::raise(signal);  // SA_RESETHAND: as if there had been no handler
}

// Handlers that are there already (Asio's, a sanitizer's) stay.
void watch_deadly_signals() {
  struct sigaction ours{};
  ours.sa_handler = restore_and_die;
  ours.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (const int signal : k_deadly_signals) {
    struct sigaction before{};
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_DFL)
      ::sigaction(signal, &ours, nullptr);
  }
}

void unwatch_deadly_signals() {
  for (const int signal : k_deadly_signals) {
    struct sigaction now{};
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == restore_and_die)
      ::signal(signal, SIG_DFL);
  }
}

Fd require_terminal(std::string_view prompt) {
  auto terminal = open_terminal();
  if (terminal) return std::move(*terminal);
  throw cannot_ask(prompt, k_no_terminal);
}

constexpr char k_ctrl_c = 3;

// Of an answer; Ctrl-C ends the question, and the line that it stands in.
char read_byte(int fd) {
  char byte = 0;
  for (;;) {
    const ssize_t got = ::read(fd, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got == 1 && byte != k_ctrl_c) return byte;
    if (got == 1) write_all(fd, "\n");
    throw Error(ErrorKind::interrupted, "no answer was given");
  }
}

// ISIG off: Ctrl-C arrives as a byte, so that the mode is restored before anything else happens; it ends the
// line, or it would wait for one's end.
void set_prompt_mode(int fd, bool echo) {
  termios mode{};
  if (::tcgetattr(fd, &mode) != 0) throw errno_error("read the terminal's mode", errno);
  mode.c_lflag &= ~static_cast<tcflag_t>(ISIG | (echo ? 0 : ECHO));
  mode.c_cc[VEOL] = k_ctrl_c;
  ::tcsetattr(fd, TCSAFLUSH, &mode);
}

struct PromptMode {
  explicit PromptMode(int fd, bool echo) {
    save_terminal(fd);
    set_prompt_mode(fd, echo);
  }
  ~PromptMode() { restore_terminal(); }
  PromptMode(const PromptMode&) = delete;
  PromptMode& operator=(const PromptMode&) = delete;
};

constexpr std::size_t k_longest_answer = 1023;  // readpassphrase(3)'s and OpenSSH's limit

}  // namespace

bool is_terminal(int fd) {
  return ::isatty(fd) == 1;
}

std::optional<WindowSize> window_size(int fd) {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return std::nullopt;
  return WindowSize{size.ws_col, size.ws_row};
}

std::optional<Fd> open_terminal() {
  Fd fd(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!fd.is_open()) return std::nullopt;
  return fd;
}

RawMode::RawMode(int fd) {
  save_terminal(fd);
  watch_deadly_signals();
  termios mode = g_saved_mode;
  ::cfmakeraw(&mode);
  if (::tcsetattr(fd, TCSADRAIN, &mode) != 0) throw errno_error("set the terminal's mode", errno);
}

RawMode::~RawMode() {
  restore_terminal();
  unwatch_deadly_signals();
}

void restore_terminal() noexcept {
  if (!g_is_saved.exchange(false)) return;
  const int error_number = errno;
  ::tcsetattr(g_saved_fd, TCSADRAIN, &g_saved_mode);
  errno = error_number;
}

Error cannot_ask(std::string_view prompt, std::string_view why) {
  return {ErrorKind::auth, "cannot ask \"" + std::string(trim(prompt)) + "\": " + std::string(why)};
}

Secret ask_secret(std::string_view prompt) {
  const Fd terminal = require_terminal(prompt);
  std::array<char, k_longest_answer + 1> answer{};
  std::size_t length = 0;
  {
    const PromptMode mode(terminal.get(), false);
    write_all(terminal.get(), prompt);
    for (char byte = read_byte(terminal.get()); byte != '\n'; byte = read_byte(terminal.get())) {
      if (length < k_longest_answer) answer[length++] = byte;
    }
  }
  write_all(terminal.get(), "\n");
  Secret secret(std::string_view(answer.data(), length));
  wipe(answer.data(), answer.size());
  return secret;
}

std::string ask_line(std::string_view prompt) {
  const Fd terminal = require_terminal(prompt);
  const PromptMode mode(terminal.get(), true);
  write_all(terminal.get(), prompt);
  std::string line;
  for (char byte = read_byte(terminal.get()); byte != '\n'; byte = read_byte(terminal.get())) {
    if (line.size() < k_longest_answer) line += byte;
  }
  return line;
}

}  // namespace re::sys
