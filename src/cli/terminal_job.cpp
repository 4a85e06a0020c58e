#include "cli/terminal_job.hpp"

#include <boost/asio/awaitable.hpp>

#include "cli/submit.hpp"
#include "cli/terminal_session.hpp"

namespace re::cli {

namespace {

Async<int> run_on_terminal(Context& context, engine::SubmitRequest request, engine::ProjectFiles& files) {
  engine::Submitter submitter(context.fleet(), context.registry(), context.progress());
  const auto submitted = co_await submitter.submit(std::move(request), files);
  const auto& id = submitted.spec.id;
  context.console().clear_status();
  context.progress().note("job " + std::to_string(submitted.spec.index) +
                          " has a terminal: it ends with this connection and keeps no log");
  transport::ExecRequest exec;
  exec.command = "exec /bin/sh \"$HOME/.re/jobs/" + id.text() + "/terminal\"";
  exec.pty = terminal_request();
  const sys::WindowSize size = exec.pty->size;
  auto channel = co_await submitted.host->connection().exec(std::move(exec));
  std::string label = submitted.host->name();
  const auto status = co_await join_terminal(context, std::move(channel), size, std::move(label));
  const int code = status.as_shell_code();
  context.registry().set_state(id, {model::JobState::done, code, {}, {}});
  co_return code;
}

}  // namespace

int run_terminal_job(Context& context, const Parsed& parsed) {
  if (!has_terminal()) throw Error(ErrorKind::usage, "-t needs a terminal here", "run it without -t");
  const auto submission = read_submission(context, parsed, model::Streams::terminal);
  if (submission.places.size() > 1) {
    throw Error(ErrorKind::usage,
                "-t gives one job a terminal, and -i names " + std::to_string(submission.places.size()) +
                    " instances",
                "name one of them, or drop -t");
  }
  auto request = submission.request(context.new_job_id(), 0);
  auto files = project_files(context, submission.project);
  return context.run(
      [&]() -> Async<int> { co_return co_await run_on_terminal(context, std::move(request), files); });
}

}  // namespace re::cli
