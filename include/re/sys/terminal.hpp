#pragma once

#include <termios.h>

#include <optional>
#include <string>
#include <string_view>

#include "re/base/error.hpp"
#include "re/sys/fd.hpp"
#include "re/sys/secret.hpp"

namespace re::sys {

/// Columns and rows of a terminal, in character cells.
struct WindowSize {
  unsigned short columns = 80;
  unsigned short rows = 24;
  bool operator==(const WindowSize&) const = default;
};

bool is_terminal(int fd);
/// The size of the terminal at fd, or nothing when it is none or does not know.
std::optional<WindowSize> window_size(int fd);
/// The controlling terminal (/dev/tty), or nothing without one.
std::optional<Fd> open_terminal();

/// Raw mode while this lives; the old mode comes back in every case, also when a signal ends the program (but
/// SIGKILL): handlers for those that have none are installed as long.
class RawMode {
 public:
  explicit RawMode(int fd);
  ~RawMode();
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
};
/// Gives the terminal back the mode it had before RawMode or a secret prompt; nothing when none is active.
/// Async-signal-safe.
void restore_terminal() noexcept;

/// The Error (auth) for a question that nobody answers.
Error cannot_ask(std::string_view prompt, std::string_view why);
inline constexpr std::string_view k_no_terminal = "there is no terminal";
/// Asks on the controlling terminal and reads one line without echo. Throws Error (auth) without a terminal,
/// Error (interrupted) on Ctrl-C or end of file.
Secret ask_secret(std::string_view prompt);
/// The same with echo (for a yes/no, or an echoed keyboard-interactive prompt).
std::string ask_line(std::string_view prompt);

}  // namespace re::sys
