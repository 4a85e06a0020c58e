#include "cli/sync_with_many.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <csignal>

#include "cli/exit_code.hpp"
#include "cli/host_printer.hpp"
#include "cli/job_streams.hpp"
#include "re/engine/crowd.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

namespace asio = boost::asio;

// The job at one place, as long as its streams are open. A signal under way to it may outlive the command.
struct Member {
  Member(engine::Submitted submitted, HostPrinter its_printer)
      : host(std::move(submitted.host)),
        streams(std::move(submitted.streams)),
        spec(std::move(submitted.spec)),
        printer(std::move(its_printer)) {}

  std::shared_ptr<remote::Host> host;
  std::unique_ptr<jobs::Attachment> streams;  // goes before its host
  model::JobSpec spec;
  HostPrinter printer;
};

Async<void> detach(std::shared_ptr<Member> member) {
  co_await member->streams->close();
}

// Streams to the end of the job. Throws Error (unreachable) when it goes on without us.
Async<int> stream(Context& context, Member& member) {
  std::optional<Error> failure;
  try {
    co_await member.streams->close_input();
    const engine::LogSink print = [&member](jobs::LogStream stream, std::string_view data) {
      member.printer.print(stream, data);
    };
    co_await print_streams(context, member.spec, *member.streams, print);
  } catch (const Error& error) {
    failure = error;
  }
  member.printer.finish();
  if (failure) throw goes_on(*failure, member.spec);
  co_return settle(context, member.spec, member.streams->end());
}

class ManySessions {
 public:
  ManySessions(Context& context, const Parsed& parsed, Submission submission)
      : m_context(context),
        m_fan(context, parsed, std::move(submission)),
        m_members(m_fan.submission.places.size()),
        m_codes(m_members.size()),
        m_has_begun(m_members.size()),
        m_crowd(m_members.size()) {}

  Async<int> run() {
    m_fan.progress.show();
    engine::Crowd::Work work = [this](std::size_t i) { return take_part(i); };
    const auto failures = co_await m_crowd.run(std::move(work));
    m_context.console().clear_status();
    if (m_has_detached) throw Error(ErrorKind::interrupted, "the jobs go on", "`re list` shows them");
    co_return report(failures);
  }

  // To every job that runs; what has not begun does not begin. Who presses Ctrl-C again and again wants to
  // leave.
  bool pass_on(int signal) {
    if (signal == SIGHUP) return false;
    if (signal == SIGINT) ++m_presses;
    if (m_presses == k_presses_to_detach - 1)
      m_context.progress().note("once more Ctrl-C leaves the jobs running");
    m_has_detached = m_presses >= k_presses_to_detach;
    for (std::size_t i = 0; i < m_members.size(); ++i) {
      if (!m_has_begun[i]) m_crowd.cancel(i);
      if (m_members[i] != nullptr) {
        const auto& member = m_members[i];
        auto task = m_has_detached ? detach(member) : send_signal(member->host, member->spec.id, signal);
        asio::co_spawn(m_context.io(), std::move(task), [this](const std::exception_ptr& failure) {
          if (failure) m_fan.progress.note("the signal did not reach every job");
        });
      }
    }
    return true;
  }

 private:
  Async<void> take_part(std::size_t i) {
    const auto& place = m_fan.submission.places[i];
    auto submitted = co_await m_fan.submit(i);
    m_has_begun[i] = true;
    HostPrinter printer(m_context.console(), m_context.colour(), place.label);
    m_members[i] = std::make_shared<Member>(std::move(submitted), std::move(printer));
    std::exception_ptr failure;
    try {
      m_codes[i] = co_await stream(m_context, *m_members[i]);
    } catch (...) {
      failure = std::current_exception();
    }
    const auto member = std::exchange(m_members[i], nullptr);
    co_await member->streams->close();
    co_await m_context.fleet().leave(place);
    if (failure) std::rethrow_exception(failure);
  }

  int report(const engine::Failures& failures) {
    int worst = 0;
    for (std::size_t i = 0; i < failures.size(); ++i) {
      const std::string label = ui::sanitise_line(m_fan.submission.places[i].label);
      if (failures[i]) {
        const bool is_interrupted = failures[i]->kind() == ErrorKind::interrupted;
        const auto code = is_interrupted ? ExitCode::interrupted : ExitCode::transport;
        worst = std::max(worst, static_cast<int>(code));
        m_context.console().err("re: " + label + ": " + ui::sanitise_line(failures[i]->what()) + "\n");
      } else if (m_codes[i] != 0) {
        worst = std::max(worst, m_codes[i]);
        if (m_context.mode() == OutputMode::human)
          m_context.console().err("re: " + label + ": exit code " + std::to_string(m_codes[i]) + "\n");
      }
    }
    return worst;
  }

  Context& m_context;
  FanSubmission m_fan;
  std::vector<std::shared_ptr<Member>> m_members;  // while they stream
  std::vector<int> m_codes;
  std::vector<bool> m_has_begun;
  engine::Crowd m_crowd;
  int m_presses = 0;
  bool m_has_detached = false;
};

}  // namespace

int sync_with_many(Context& context, const Parsed& parsed, Submission submission) {
  ManySessions sessions(context, parsed, std::move(submission));
  return context.run([&sessions] { return sessions.run(); },
                     [&sessions](int signal) { return sessions.pass_on(signal); });
}

}  // namespace re::cli
