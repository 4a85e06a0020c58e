// Child processes. The argument list is passed as it is: no shell.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "re/sys/async.hpp"
#include "re/sys/fd.hpp"

namespace re::sys {

/// How a process ended: exactly one of the two is set.
struct ExitStatus {
  std::optional<int> code;    ///< 0..255
  std::optional<int> signal;  ///< signal number

  [[nodiscard]] bool succeeded() const { return code == 0; }
  /// The shell's convention: the code, or 128 + signal.
  [[nodiscard]] int as_shell_code() const { return code ? *code : 128 + signal.value_or(0); }
};

enum class Session { inherit, own };
/// `terminate`: the child gets SIGTERM when the thread that spawned it ends in whatever way
/// (PR_SET_PDEATHSIG).
enum class ParentDeath { survive, terminate };

struct SpawnOptions {
  std::vector<std::string> arguments;                            ///< [0] is looked up in PATH
  std::vector<std::pair<std::string, std::string>> environment;  ///< set over our own environment
  std::optional<std::string> directory;
  int input = 0;               ///< what becomes its descriptor 0; -1 is /dev/null
  int output = 1;              ///< and 1
  int error = 2;               ///< and 2
  std::vector<int> inherited;  ///< further descriptors that stay open under their own number
  Session session = Session::inherit;
  ParentDeath on_parent_death = ParentDeath::survive;
  std::optional<int> controlling_terminal;  ///< with Session::own: this pty slave becomes its terminal
};

/// A running child. It is not killed when this goes; it is left to be reaped by wait().
class Child {
 public:
  /// Throws Error (not_found when the program is missing, else io).
  static Child spawn(const SpawnOptions& options);
  Child(Child&&) noexcept = default;
  Child& operator=(Child&&) noexcept = default;
  ~Child() = default;

  [[nodiscard]] pid_t pid() const { return m_pid; }
  /// A pidfd: readable once the child has ended.
  [[nodiscard]] int pidfd() const { return m_pidfd.get(); }
  /// Blocks until it ended, reaps it.
  ExitStatus wait();
  /// The status when it has ended already.
  std::optional<ExitStatus> poll();
  /// Waits without blocking the thread.
  Async<ExitStatus> wait_async();
  /// Through the pidfd: never hits a recycled pid. A child that has ended is no error.
  void send_signal(int signal) const;

 private:
  Child(pid_t pid, Fd pidfd) : m_pid(pid), m_pidfd(std::move(pidfd)) {}
  pid_t m_pid;
  Fd m_pidfd;
  std::optional<ExitStatus> m_status;
};

struct Captured {
  ExitStatus status;
  std::string output;
  std::string error;
};

/// Runs to the end, blocking, with /dev/null as input. Throws Error as spawn() does.
Captured run_captured(const std::vector<std::string>& arguments);

/// "SIGTERM" for 15; "signal 99" when it has no name.
std::string signal_name(int signal);
/// 15 for "TERM", "SIGTERM" or "15".
std::optional<int> signal_number(std::string_view name);

}  // namespace re::sys
