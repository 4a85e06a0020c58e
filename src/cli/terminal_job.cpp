#include "cli/terminal_job.hpp"

#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "cli/input_pump.hpp"
#include "cli/submit.hpp"
#include "re/sys/terminal.hpp"

namespace re::cli {

namespace {

namespace asio = boost::asio;
using transport::Chunk;

// A channel with a pty and our terminal, joined.
class TerminalSession {
 public:
  TerminalSession(Context& context, std::unique_ptr<transport::Channel> channel)
      : m_context(context), m_channel(std::move(channel)), m_window(context.io(), SIGWINCH) {}

  Async<sys::ExitStatus> run() {
    const sys::RawMode raw(STDIN_FILENO);
    follow_window();
    std::exception_ptr failure;
    try {
      const InputPump input(
          m_context.io(), [channel = m_channel](std::string_view data) { return channel->write(data); },
          [channel = m_channel] { return channel->close_input(); });
      co_await print_all();
    } catch (...) {
      failure = std::current_exception();
    }
    m_window.cancel();
    if (failure) std::rethrow_exception(failure);
    co_return co_await m_channel->wait();
  }

 private:
  void follow_window() {
    m_window.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      const auto size = sys::window_size(STDIN_FILENO).value_or(sys::WindowSize{});
      asio::co_spawn(m_context.io(), m_channel->resize(size), asio::detached);
      follow_window();
    });
  }

  // As it is: what runs there draws on this terminal, as with ssh -t.
  Async<void> print_all() {
    for (;;) {
      const Chunk chunk = co_await m_channel->read();
      if (chunk.stream == Chunk::Stream::end) co_return;
      chunk.stream == Chunk::Stream::output ? m_context.console().out(chunk.data)
                                            : m_context.console().err(chunk.data);
    }
  }

  Context& m_context;
  std::shared_ptr<transport::Channel> m_channel;
  asio::signal_set m_window;
};

Async<int> run_on_terminal(Context& context, engine::SubmitRequest request, engine::ProjectFiles& files) {
  engine::Submitter submitter(context.fleet(), context.registry(), context.progress());
  const auto submitted = co_await submitter.submit(std::move(request), files);
  const auto& id = submitted.spec.id;
  context.console().clear_status();
  context.progress().note("job " + std::to_string(submitted.spec.index) +
                          " has a terminal: it ends with this connection and keeps no log");
  transport::ExecRequest exec;
  exec.command = "exec /bin/sh \"$HOME/.re/jobs/" + id.text() + "/terminal\"";
  exec.pty.emplace();
  exec.pty->term = sys::process_environment()("TERM").value_or("xterm");
  exec.pty->size = sys::window_size(STDIN_FILENO).value_or(sys::WindowSize{});
  auto channel = co_await submitted.host->connection().exec(std::move(exec));
  TerminalSession session(context, std::move(channel));
  const auto status = co_await session.run();
  const int code = status.as_shell_code();
  context.registry().set_state(id, {model::JobState::done, code, {}, {}});
  co_return code;
}

}  // namespace

int run_terminal_job(Context& context, const Parsed& parsed) {
  if (!sys::is_terminal(STDIN_FILENO) || !sys::is_terminal(STDOUT_FILENO)) {
    throw Error(ErrorKind::usage, "-t needs a terminal here", "run it without -t");
  }
  const auto submission = read_submission(context, parsed, model::Streams::terminal);
  if (submission.places.size() > 1) {
    throw Error(ErrorKind::usage,
                "-t gives one job a terminal, and -i names " + std::to_string(submission.places.size()) +
                    " instances",
                "name one of them, or drop -t");
  }
  auto request = submission.request(context.clock(), 0);
  auto files = project_files(context, submission.project);
  return context.run(
      [&]() -> Async<int> { co_return co_await run_on_terminal(context, std::move(request), files); });
}

}  // namespace re::cli
