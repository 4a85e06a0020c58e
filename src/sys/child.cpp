#include "re/sys/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include <thread>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"

extern char** environ;

namespace re::sys {

namespace {

namespace asio = boost::asio;

// What the child needs, made before fork: between fork and exec only async-signal-safe calls are allowed.
struct Prepared {
  std::string program;
  std::vector<std::string> variables;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  pid_t parent = ::getpid();
};

Prepared prepare(const SpawnOptions& options) {
  Prepared prepared;
  prepared.program = options.arguments.at(0);
  if (prepared.program.find('/') == std::string::npos) {
    const auto found = find_program(prepared.program, process_environment());
    if (!found) throw Error(ErrorKind::not_found, prepared.program + ": command not found");
    prepared.program = *found;
  }
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const auto name = text.substr(0, text.find('='));
    const bool replaced = std::any_of(options.environment.begin(), options.environment.end(),
                                      [&](const auto& entry) { return entry.first == name; });
    if (!replaced) prepared.variables.emplace_back(text);
  }
  for (const auto& [name, value] : options.environment)
    prepared.variables.push_back(std::string(name).append("=").append(value));
  for (auto& variable : prepared.variables) prepared.environment.push_back(variable.data());
  for (const auto& argument : options.arguments)
    prepared.arguments.push_back(const_cast<char*>(argument.c_str()));
  prepared.arguments.push_back(nullptr);
  prepared.environment.push_back(nullptr);
  return prepared;
}

// While a process is forked: the child gets a terminal's Ctrl-C too, and its copy of our handler would tell
// us of it by the pipe that both have, as of a second one.
class HeldSignals {
 public:
  HeldSignals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &m_before);
  }
  ~HeldSignals() { ::pthread_sigmask(SIG_SETMASK, &m_before, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

 private:
  sigset_t m_before{};
};

void reset_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT, SIGWINCH, SIGCHLD, SIGTSTP}) {
    ::signal(signal, SIG_DFL);
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Descriptors 0 to 2 are first moved out of each other's way.
void place_descriptors(const SpawnOptions& options, int null_fd) {
  std::array<int, 3> wanted = {options.input, options.output, options.error};
  for (int& fd : wanted) fd = ::fcntl(fd < 0 ? null_fd : fd, F_DUPFD_CLOEXEC, 3);
  for (int target = 0; target < 3; ++target) ::dup2(wanted.at(static_cast<std::size_t>(target)), target);
  // Sockets that Asio makes are not close-on-exec: a child with a copy would keep open what we have closed.
  ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
  for (const int fd : options.inherited) ::fcntl(fd, F_SETFD, 0);
}

// A parent that ended before the request was made counts as well.
void end_with_parent(pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);
}

[[noreturn]] void become(const SpawnOptions& options, Prepared& prepared, int null_fd, int report_fd) {
  reset_signals();
  if (options.on_parent_death == ParentDeath::terminate) end_with_parent(prepared.parent);
  if (options.session == Session::own) ::setsid();
  if (options.controlling_terminal) ::ioctl(*options.controlling_terminal, TIOCSCTTY, 0);
  const bool placed = !options.directory || ::chdir(options.directory->c_str()) == 0;
  if (placed) {
    place_descriptors(options, null_fd);
    ::execve(prepared.program.c_str(), prepared.arguments.data(), prepared.environment.data());
  }
  const int error_number = errno;
  [[maybe_unused]] const ssize_t reported = ::write(report_fd, &error_number, sizeof error_number);
  ::_exit(127);
}

ExitStatus decode(int status) {
  if (WIFEXITED(status)) return {WEXITSTATUS(status), std::nullopt};
  return {std::nullopt, WTERMSIG(status)};
}

ExitStatus reap(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) throw errno_error("wait for a child process", errno);
  }
  return decode(status);
}

// exec closes the write end; an errno in the pipe is why it failed.
void check_started(const Pipe& report, pid_t pid, const SpawnOptions& options) {
  int error_number = 0;
  ssize_t got = 0;
  while ((got = ::read(report.read_end.get(), &error_number, sizeof error_number)) < 0 && errno == EINTR) {
  }
  if (got != sizeof error_number) return;
  reap(pid);
  throw errno_error("run " + options.arguments.at(0), error_number);
}

}  // namespace

Child Child::spawn(const SpawnOptions& options) {
  Prepared prepared = prepare(options);
  const Fd null_fd = open_file("/dev/null", O_RDWR);
  Pipe report = make_pipe();
  const pid_t pid = [&] {
    const HeldSignals held;
    const pid_t forked = ::fork();
    if (forked == 0) become(options, prepared, null_fd.get(), report.write_end.get());
    return forked;
  }();
  if (pid < 0) throw errno_error("fork", errno);
  report.write_end.reset();
  Fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd.is_open()) throw errno_error("watch a child process", errno);
  ::fcntl(pidfd.get(), F_SETFD, FD_CLOEXEC);
  check_started(report, pid, options);
  return {pid, std::move(pidfd)};
}

ExitStatus Child::wait() {
  if (!m_status) m_status = reap(m_pid);
  return *m_status;
}

std::optional<ExitStatus> Child::poll() {
  if (m_status) return m_status;
  pollfd waiting{m_pidfd.get(), POLLIN, 0};
  if (::poll(&waiting, 1, 0) == 1) return wait();
  return std::nullopt;
}

Async<ExitStatus> Child::wait_async() {
  if (!m_status) {
    asio::posix::stream_descriptor ended(co_await asio::this_coro::executor,
                                         duplicate(m_pidfd.get()).release());
    // Asio's word is not enough: an event that was meant for a descriptor closed in the same round may wake
    // us, and wait() would then hold up the whole program.
    while (!poll()) co_await ended.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
  }
  co_return wait();
}

void Child::send_signal(int signal) const {
  if (m_status) return;
  ::syscall(SYS_pidfd_send_signal, m_pidfd.get(), signal, nullptr, 0);
}

namespace {

std::string drain(int fd) {
  std::string all;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return all;
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

Captured run_captured(const std::vector<std::string>& arguments) {
  Pipe output = make_pipe();
  Pipe error = make_pipe();
  SpawnOptions options;
  options.arguments = arguments;
  options.input = -1;
  options.output = output.write_end.get();
  options.error = error.write_end.get();
  Child child = Child::spawn(options);
  output.write_end.reset();
  error.write_end.reset();
  Captured captured;
  std::jthread errors([&] { captured.error = drain(error.read_end.get()); });
  captured.output = drain(output.read_end.get());
  errors.join();
  captured.status = child.wait();
  return captured;
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

std::optional<int> signal_number(std::string_view name) {
  if (const auto number = parse_number<int>(name))
    return *number > 0 && *number < NSIG ? number : std::nullopt;
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int signal = 1; signal < NSIG; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && name == known) return signal;
  }
  return std::nullopt;
}

}  // namespace re::sys
