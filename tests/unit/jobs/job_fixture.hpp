// A host of our own: this machine through the local transport, a private home, and a shell of choice.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "re/base/shell.hpp"
#include "re/jobs/job_host.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "re/sys/random.hpp"
#include "support/run_to_end.hpp"
#include "transport/local_connection.hpp"
#include "transport/process_channel.hpp"

namespace re::jobs::test {

using namespace std::chrono_literals;
inline constexpr auto k_deadline = 60s;

/// Polls until it holds; a failure is said and is false.
inline bool wait_until(const std::function<bool()>& condition, std::chrono::seconds limit = 30s) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

/// What is sent for a call: to a shell that has nothing, and to one that was started ahead for such a call.
inline std::string whole_script(const remote::ScriptCall& call) {
  return remote::render_library(call.library) + remote::render_call(call, "0123");
}
inline std::string script_for_ready_shell(const remote::ScriptCall& call) {
  return remote::render_library({}) + remote::render_call(call, "0123");
}

/// Of a process that was started ahead.
class AheadChannel final : public transport::Channel {
 public:
  explicit AheadChannel(std::unique_ptr<transport::Channel> channel) : m_channel(std::move(channel)) {}
  [[nodiscard]] bool has_preamble() const override { return true; }
  Async<transport::Chunk> read() override { return m_channel->read(); }
  Async<void> write(std::string_view data) override { return m_channel->write(data); }
  Async<void> close_input() override { return m_channel->close_input(); }
  Async<void> resize(sys::WindowSize size) override { return m_channel->resize(size); }
  Async<sys::ExitStatus> wait() override { return m_channel->wait(); }
  Async<void> close() override { return m_channel->close(); }

 private:
  std::unique_ptr<transport::Channel> m_channel;
};

/// Like the local transport, but with the shell given in place of /bin/sh.
class ShellConnection final : public transport::Connection {
 public:
  ShellConnection(boost::asio::any_io_executor executor, std::string shell, std::string home)
      : m_executor(std::move(executor)), m_shell(std::move(shell)), m_home(std::move(home)) {}
  /// From now on each shell is given its preamble, as one that was started ahead.
  void start_ahead() { m_is_ahead = true; }
  Async<std::unique_ptr<transport::Channel>> exec(transport::ExecRequest wanted) override {
    transport::ProcessRequest request;
    request.arguments = {m_shell, "-s"};
    const char* const path = std::getenv("PATH");
    request.environment = {{"HOME", m_home}, {"PATH", m_home + "/bin:" + (path == nullptr ? "" : path)}};
    request.directory = m_home;
    auto channel = transport::start_process(m_executor, request);
    if (!m_is_ahead || wanted.preamble.empty()) co_return channel;
    co_await channel->write(wanted.preamble);
    co_return std::make_unique<AheadChannel>(std::move(channel));
  }
  Async<std::unique_ptr<transport::Channel>> open_forward(std::string, unsigned short) override {
    throw Error(ErrorKind::unsupported, "no forwards in this test");
  }
  [[nodiscard]] const transport::ConnectionInfo& info() const override { return m_info; }
  Async<void> close() override { co_return; }

 private:
  boost::asio::any_io_executor m_executor;
  std::string m_shell;
  std::string m_home;
  bool m_is_ahead = false;
  transport::ConnectionInfo m_info{"local", "local", {}};
};

/// A home directory with a project in it, and a JobHost on it. At its end what the jobs left running is
/// killed.
class Remote {
 public:
  /// \param shell the words of a shell ("busybox sh"); a program of that name is made of them
  explicit Remote(std::string shell = "dash")
      : m_words(std::move(shell)),
        m_shell(m_directory.path() / "sh"),
        m_connection(new ShellConnection(m_io.get_executor(), m_shell, home())),
        m_host(std::unique_ptr<transport::Connection>(m_connection), "here"),
        m_jobs(m_host, m_shell) {
    std::filesystem::create_directories(home() / "project");
    write_shell("");
  }
  ~Remote() {
    // Whatever works below our directory is ours, and nothing else is.
    const std::string ours = m_directory.path();
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::error_code ignored;
      const auto place = std::filesystem::read_symlink(entry.path() / "cwd", ignored).string();
      if (!place.starts_with(ours)) continue;
      const int pid = std::atoi(entry.path().filename().c_str());
      if (pid > 1) ::kill(pid, SIGKILL);
    }
  }
  Remote(const Remote&) = delete;
  Remote& operator=(const Remote&) = delete;

  /// From now on a launch finds a place for its job that was made ahead.
  void start_ahead() { m_connection->start_ahead(); }
  /// From now on the host finds its tools here only.
  void use_path(const std::string& path) { write_shell("PATH=" + path + "\n"); }
  /// Counts from now on how often a tool is called.
  void count_calls(const std::string& tool) {
    std::filesystem::create_directories(home() / "bin");
    sys::write_file_atomic(home() / "bin/calls", "");
    sys::write_file_atomic(home() / "bin" / tool,
                           "#!/bin/dash\necho >>\"${0%/*}/calls\"\nexec /usr/bin/" + tool + " \"$@\"\n",
                           0755);
  }
  [[nodiscard]] std::size_t calls() const { return std::filesystem::file_size(home() / "bin/calls"); }
  /// From now on nothing on the host gets more than 64 MB.
  void limit_memory() { write_shell("ulimit -v 65536\n"); }

  /// From now on the host runs nothing, and answers each call with this. (The script is read to its end: who
  /// sends it must not see a closed pipe.)
  void answer(const std::string& output, const std::string& trailer) const {
    write_shell(
        "while IFS= read -r line; do case $line in re_nonce=*) break ;; esac; done\n"
        "printf '\\036RE1 %s BEGIN\\n' \"${line#*=}\" >&2\nprintf '\\036RE1 %s END 0 \\n' \"${line#*=}\" "
        ">&2\n"
        "printf '\\036RE1 %s BEGIN\\n%s' \"${line#*=}\" " +
        shell_quote(output) + "\nprintf '\\036RE1 %s END 0 %s\\n' \"${line#*=}\" " + shell_quote(trailer) +
        "\nexec cat >/dev/null\n");
  }

  [[nodiscard]] std::filesystem::path home() const { return m_directory.path() / "home"; }
  [[nodiscard]] std::filesystem::path directory(const JobId& id) const {
    return home() / ".re/jobs" / id.text();
  }
  [[nodiscard]] const std::string& shell() const { return m_shell; }
  JobHost& jobs() { return m_jobs; }
  remote::Host& host() { return m_host; }
  boost::asio::io_context& io() { return m_io; }

  template <class T>
  T await(Async<T> task) {
    return run_to_end(m_io, std::move(task));
  }
  LaunchReport launch(const model::JobSpec& spec) { return await(m_jobs.launch(spec, k_deadline)); }
  model::JobStatus status(const JobId& id) {
    ListFilter filter;
    filter.scope = ListFilter::Scope::all;
    filter.ids = {id};
    const Listing listing = await(m_jobs.list(filter, k_deadline));
    if (listing.jobs.size() != 1 || !listing.problems.empty()) {
      throw std::runtime_error("the list does not hold the job, or has problems with it");
    }
    return listing.jobs[0];
  }
  model::JobState state(const JobId& id) { return status(id).state; }
  bool wait_for(const JobId& id, model::JobState wanted) {
    return wait_until([&] { return state(id) == wanted; });
  }
  /// The job, which has ended, is as it was when it was committed and nobody had started it.
  void forget_start(const JobId& id) const {
    for (const auto& entry : std::filesystem::directory_iterator(directory(id))) {
      const auto name = entry.path().filename().string();
      if (name.starts_with("exit.") || name == "started" || name == "run") std::filesystem::remove(entry);
    }
    std::ofstream(directory(id) / "exit.pending").flush();
  }
  [[nodiscard]] std::string read(const JobId& id, const std::string& file) const {
    return sys::read_file(directory(id) / file);
  }
  [[nodiscard]] std::string read_home(const std::string& file) const {
    return sys::read_file_if_exists(home() / file).value_or("");
  }

 private:
  void write_shell(const std::string& first) const {
    sys::write_file_atomic(m_shell, "#!/bin/dash\n" + first + "exec " + m_words + " \"$@\"\n", 0755);
  }

  sys::TemporaryDirectory m_directory{"re-jobs"};
  std::string m_words;
  std::string m_shell;
  boost::asio::io_context m_io;
  ShellConnection* m_connection;  ///< the host's
  remote::Host m_host;
  JobHost m_jobs;
};

/// A job that runs in the project's own directory.
inline model::JobSpec live_job(const std::string& command) {
  const sys::SystemClock clock;
  return {sys::make_job_id(clock),
          1,
          "runner",
          command,
          "project-1",
          "project",
          "project",
          {},
          model::WorkTree::live,
          model::Streams::merged,
          {},
          {},
          {},
          "me@laptop",
          {},
          {}};
}

inline model::JobSpec split_job(const std::string& command) {
  auto spec = live_job(command);
  spec.streams = model::Streams::split;
  return spec;
}

inline const std::vector<std::string>& shells() {
  static const std::vector<std::string> k_shells = {"dash", "busybox sh", "bash --posix"};
  return k_shells;
}

}  // namespace re::jobs::test
