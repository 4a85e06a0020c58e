#include "remote/rsync_process.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "re/base/strings.hpp"
#include "re/remote/remote_shell.hpp"
#include "re/sys/child.hpp"
#include "re/sys/deadline.hpp"
#include "re/sys/paths.hpp"
#include "remote/background.hpp"
#include "remote/rsync_output.hpp"

namespace re::remote {

namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

constexpr std::size_t k_error_limit = std::size_t{64} << 10U;
constexpr std::chrono::seconds k_end_grace{5};
constexpr int k_some_vanished = 24;

RsyncVersion local_version() {
  constexpr const char* k_install = "install it: apt install rsync, dnf install rsync or brew install rsync";
  if (!sys::find_program("rsync", sys::process_environment())) {
    throw Error(ErrorKind::not_found, "rsync is not installed on this machine", k_install);
  }
  const auto captured = sys::run_captured({"rsync", "--version"});
  const auto version = parse_rsync_version(captured.output);
  if (!version) {
    throw Error(ErrorKind::unsupported, "the rsync on this machine is another program of that name",
                k_install);
  }
  return *version;
}

void require_version(Direction direction) {
  const RsyncVersion version = local_version();
  if (version < k_oldest_rsync) {
    throw Error(ErrorKind::unsupported, "rsync " + to_string(version) + " on this machine is too old",
                "install rsync 3.2.5 or newer");
  }
  if (direction == Direction::pull && version < k_oldest_rsync_for_pull) {
    throw Error(ErrorKind::unsupported,
                "rsync " + to_string(version) + " on this machine does not check the names that it is sent",
                "install rsync 3.2.5 or newer to pull (CVE-2022-29154)");
  }
}

// rsync cuts the value of -e at blanks; in single quotes it does not, and a doubled quote is one quote
// (main.c, do_cmd).
std::string shell_option(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) {
    if (!text.empty()) text += ' ';
    text += "'" + replace_all(word, "'", "''") + "'";
  }
  return text;
}

std::vector<std::string> full_arguments(const RsyncCommand& command, int descriptor) {
  std::vector<std::string> shell = command.options.remote_shell;
  if (shell.empty()) shell = {sys::own_executable().string(), std::string(k_remote_shell_command)};
  shell.push_back(std::to_string(descriptor));
  std::vector<std::string> arguments = {
      "rsync",
      "-lpt",
      "--modify-window=-1",  // of two edits of equal size within one second both are seen
      "--no-inc-recursive",
      "--no-protect-args",  // every argument is a constant and can be checked
      "--no-human-readable",
      "--stats",
      "--info=progress2,name1",  // name1: or skipped links are not said
      "--out-format=" + std::string(k_change_mark) + "%i %n%L",
      "--outbuf=None",
      "--partial-dir=.re-partial",
      "--timeout=" + std::to_string(command.options.io_timeout.count()),
      "--rsh=" + shell_option(shell)};
  if (command.options.compression == Compression::on) arguments.emplace_back("--compress");
  if (command.options.preview == Preview::yes) arguments.emplace_back("--dry-run");
  arguments.insert(arguments.end(), command.arguments.begin(), command.arguments.end());
  return arguments;
}

// A file without a name: rsync may read it at its own pace.
sys::Fd input_of(const std::string& names) {
  sys::Fd file(::memfd_create("names", MFD_CLOEXEC));
  if (!file.is_open()) throw errno_error("make a file in memory", errno);
  sys::write_all(file.get(), names);
  if (::lseek(file.get(), 0, SEEK_SET) < 0) throw errno_error("rewind a file in memory", errno);
  return file;
}

// RSYNC_OLD_ARGS alone would switch the checking of names off; an empty value counts as unset.
std::vector<std::pair<std::string, std::string>> clean_environment() {
  std::vector<std::pair<std::string, std::string>> variables;
  for (const char* name : {"RSYNC_OLD_ARGS", "RSYNC_PROTECT_ARGS", "RSYNC_ICONV", "RSYNC_RSH",
                           "RSYNC_PARTIAL_DIR", "RSYNC_SHELL", "RSYNC_CONNECT_PROG"}) {
    variables.emplace_back(name, "");
  }
  return variables;
}

struct Running {
  sys::Child child;
  Descriptor output;
  Descriptor error;
};

Running start(const asio::any_io_executor& executor, const RsyncCommand& command, ShellServer& server) {
  const sys::Fd names = input_of(command.names);
  sys::Pipe output = sys::make_pipe();
  sys::Pipe error = sys::make_pipe();
  sys::SpawnOptions options;
  options.arguments = full_arguments(command, server.child_descriptor());
  options.environment = clean_environment();
  if (!command.directory.empty()) options.directory = command.directory.string();
  options.input = names.get();
  options.output = output.write_end.get();
  options.error = error.write_end.get();
  options.inherited = {server.child_descriptor()};
  options.session = sys::Session::own;  // our terminal's Ctrl-C is ours to pass on
  sys::Child child = sys::Child::spawn(options);
  server.child_started();
  return {std::move(child), Descriptor(executor, output.read_end.release()),
          Descriptor(executor, error.read_end.release())};
}

Async<void> read_output(Descriptor& from, RsyncOutput& output) {
  std::string buffer(std::size_t{16} << 10U, '\0');
  for (;;) {
    boost::system::error_code error;
    const std::size_t got =
        co_await from.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    output.feed({buffer.data(), got});
  }
}

Async<void> read_errors(Descriptor& from, std::string& text) {
  std::string buffer(std::size_t{4} << 10U, '\0');
  for (;;) {
    boost::system::error_code error;
    const std::size_t got =
        co_await from.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    text.append(buffer, 0, std::min(got, k_error_limit - std::min(k_error_limit, text.size())));
  }
}

// Waits for the task, but not for ever.
Async<void> finish(Background& task) {
  try {
    co_await sys::with_deadline(k_end_grace, "the end of a transfer", [&task] { return task.join(); });
  } catch (const Error&) {
    task.cancel();
  }
  co_await task.join();
}

// TERM lets rsync keep what had arrived; what does not obey is killed with all its children.
Async<void> terminate(sys::Child& child) {
  child.send_signal(SIGTERM);
  try {
    co_await sys::with_deadline(k_end_grace, "the end of rsync",
                                [&child]() -> Async<void> { co_await child.wait_async(); });
  } catch (const Error&) {
    ::kill(-child.pid(), SIGKILL);
  }
  co_await child.wait_async();
}

struct End {
  sys::ExitStatus status;
  std::string errors;
  TransferReport report;
};

// Starts rsync and sees everything that belongs to it end.
Async<End> run_to_end(Running& running, ShellServer& server, Progress& progress) {
  const auto executor = co_await asio::this_coro::executor;
  End end;
  RsyncOutput output(progress);
  Background serving(executor, server.serve());
  Background reading(executor, read_output(running.output, output));
  Background reading_errors(executor, read_errors(running.error, end.errors));
  std::exception_ptr cancelled;
  try {
    co_await running.child.wait_async();
  } catch (...) {
    cancelled = std::current_exception();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  if (cancelled) co_await terminate(running.child);
  co_await finish(serving);
  co_await finish(reading);
  co_await finish(reading_errors);
  if (cancelled) std::rethrow_exception(cancelled);
  end.status = running.child.wait();
  end.report = output.take_report();
  end.errors += server.error_text();
  if (serving.failure()) std::rethrow_exception(serving.failure());
  co_return end;
}

Error place_error(const RsyncCommand& command, const std::string& host, const std::string& cause) {
  return {ErrorKind::remote,
          "cannot use the directory " + command.place.directories.front() + " on " + host + ": " + cause};
}

// Throws what went wrong, if something did.
void check_end(const End& end, const RsyncCommand& command, const ShellServer& server, const Host& host) {
  const auto& outcome = server.outcome();
  const std::string trailer = outcome ? outcome->trailer : std::string();
  if (trailer == "no-rsync") {
    throw Error(ErrorKind::not_found, "rsync is not installed on " + host.name(),
                "install it there: apt install rsync, dnf install rsync or brew install rsync");
  }
  if (trailer == "no-directory") throw place_error(command, host.name(), first_cause(server.error_text()));
  const int code = end.status.as_shell_code();
  if (code == 0 || code == k_some_vanished) return;
  RsyncFailure failure;
  failure.code = code;
  failure.text = end.errors;
  failure.host = host.name();
  failure.is_pull = command.place.direction == Direction::pull;
  failure.is_connected = outcome.has_value();
  throw describe_failure(failure);
}

}  // namespace

std::string local_argument(const std::string& path) {
  return path.starts_with('/') ? path : "./" + path;
}

Async<RsyncEnd> run_rsync(Host& host, RsyncCommand command, Progress& progress) {
  require_version(command.place.direction);
  const auto executor = co_await asio::this_coro::executor;
  ShellServer server(host, executor, command.place);
  Running running = start(executor, command, server);
  End end = co_await run_to_end(running, server, progress);
  const std::string trailer = server.outcome() ? server.outcome()->trailer : std::string();
  if (trailer == k_nothing_there) co_return RsyncEnd{trailer, {}};
  check_end(end, command, server, host);
  if (command.options.preview == Preview::no) end.report.changes.clear();
  if (end.status.code == k_some_vanished) progress.note("some files vanished before they were transferred");
  if (!end.report.skipped_links.empty()) {
    progress.note(std::to_string(end.report.skipped_links.size()) +
                  " symbolic link(s) that point outside were skipped");
  }
  co_return RsyncEnd{trailer, std::move(end.report)};
}

}  // namespace re::remote
