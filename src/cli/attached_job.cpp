#include "cli/attached_job.hpp"

#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>

#include "cli/exit_code.hpp"
#include "cli/input_pump.hpp"
#include "cli/job_streams.hpp"
#include "cli/log_printer.hpp"
#include "re/sys/file.hpp"

namespace re::cli {

namespace {

namespace asio = boost::asio;

// A running sync: the job's streams, our input, and the signals that go to the job.
class Session {
 public:
  Session(Context& context, engine::Submitted submitted)
      : m_context(context),
        m_submitted(std::move(submitted)),
        m_printer(context.console(), context.colour(), std::nullopt) {}

  Async<int> stream() {
    std::optional<Error> failure;
    try {
      auto& streams = *m_submitted.streams;
      const InputPump input(
          m_context.io(), [&streams](std::string_view data) { return streams.write(data); },
          [&streams] { return streams.close_input(); });
      const engine::LogSink print = [this](jobs::LogStream stream, std::string_view data) {
        m_printer.print(stream, data);
      };
      co_await print_streams(m_context, m_submitted.spec, streams, print);
    } catch (const Error& error) {
      failure = error;
    }
    m_printer.finish();
    const auto& job = m_submitted.spec;
    const std::string index = std::to_string(job.index);
    if (m_has_detached)
      throw Error(ErrorKind::interrupted, "job " + index + " goes on", "re log --follow " + index);
    if (failure) throw goes_on(*failure, job);
    co_return settle(m_context, job, m_submitted.streams->end());
  }

  // A signal to `re` goes to the job; who presses Ctrl-C again and again wants to leave.
  void pass_on(int signal) {
    if (signal == SIGINT && ++m_presses >= k_presses_to_detach) {
      m_has_detached = true;
      asio::co_spawn(m_context.io(), m_submitted.streams->close(), asio::detached);
      return;
    }
    if (m_presses == k_presses_to_detach - 1)
      m_context.progress().note("once more Ctrl-C leaves the job running");
    auto send = send_signal(m_submitted.host, m_submitted.spec.id, signal);
    asio::co_spawn(m_context.io(), std::move(send), [this](const std::exception_ptr& failure) {
      if (failure) m_context.progress().note("the signal did not reach the job");
    });
  }

 private:
  Context& m_context;
  engine::Submitted m_submitted;
  LogPrinter m_printer;
  int m_presses = 0;
  bool m_has_detached = false;
};

}  // namespace

int run_attached(Context& context, const Submission& submission) {
  auto request = submission.request(context.new_job_id(), 0);
  if (sys::has_no_input(STDIN_FILENO)) request.input = jobs::Input::nothing;
  auto files = project_files(context, submission.project);
  std::unique_ptr<Session> session;
  const auto on_signal = [&session](int signal) {
    if (session == nullptr || signal == SIGHUP) return false;  // nothing runs yet, or the terminal has gone
    session->pass_on(signal);
    return true;
  };
  const auto task = [&]() -> Async<int> {
    engine::Submitter submitter(context.fleet(), context.registry(), context.progress());
    auto submitted = co_await submitter.submit(std::move(request), files);
    context.console().clear_status();
    session = std::make_unique<Session>(context, std::move(submitted));
    co_return co_await session->stream();
  };
  return with_exit_codes_of_ssh([&] { return context.run(task, on_signal); });
}

}  // namespace re::cli
