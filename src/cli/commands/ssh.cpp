#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include "cli/commands/all.hpp"
#include "cli/exit_code.hpp"
#include "cli/files.hpp"
#include "cli/input_pump.hpp"
#include "cli/terminal_session.hpp"
#include "re/remote/session.hpp"
#include "re/sys/child.hpp"

namespace re::cli {

namespace {

using transport::Chunk;

constexpr std::chrono::seconds k_start_deadline{60};

// ssh(1) takes the host first. Who has said -i means a command, whatever its name.
void refuse_instance_as_command(Context& context, const Parsed& parsed) {
  if (parsed.arguments.empty() || parsed.has("instance") || parsed.has("instance-idx")) return;
  const auto& word = parsed.arguments.front();
  for (const auto& instance : context.settings().instances) {
    const std::string index = std::to_string(*instance.index);
    const bool is_selector = word == index || word == instance.label();
    if (!is_selector && (word.empty() || word != instance.host.value)) continue;
    throw Error(ErrorKind::usage, word + " is an instance, not a command",
                "re ssh -i " + (is_selector ? word : index));  // a host alone selects nothing
  }
}

// One quoted argument is shell text; several arguments arrive as they are.
remote::Visit read_visit(Context& context, const Parsed& parsed, const engine::Place& place) {
  remote::Visit visit;
  if (context.project()) visit.directory = remote_project(context, place, *context.project()).directory;
  visit.words = parsed.arguments;
  if (visit.words.size() == 1) visit.words = {"/bin/sh", "-c", parsed.arguments.front()};
  return visit;
}

Async<int> visit_on_terminal(Context& context, const engine::Place& place, const remote::Visit& visit) {
  const auto host = co_await context.fleet().host(place);
  transport::ExecRequest request;
  request.command = remote::terminal_command(visit);
  request.pty = terminal_request();
  const sys::WindowSize size = request.pty->size;
  auto channel = co_await host->connection().exec(std::move(request));
  context.console().clear_status();
  std::string label = place.label;
  const auto status = co_await join_terminal(context, std::move(channel), size, std::move(label));
  co_return status.as_shell_code();
}

Async<int> visit_by_streams(Context& context, const engine::Place& place, const remote::Visit& visit) {
  const auto host = co_await context.fleet().host(place);
  auto call = remote::visit_call(visit);
  const std::shared_ptr<remote::ScriptRun> run = co_await host->start(std::move(call), k_start_deadline);
  context.console().clear_status();
  const InputPump input(
      context.io(), [run](std::string_view data) { return run->write(data); },
      [run] { return run->close_input(); });
  for (;;) {
    const Chunk chunk = co_await run->read();
    if (chunk.stream == Chunk::Stream::end) break;
    chunk.stream == Chunk::Stream::output ? context.console().out(chunk.data)
                                          : context.console().err(chunk.data);
  }
  co_return run->outcome().code;
}

}  // namespace

int run_ssh(Context& context, const Parsed& parsed) {
  refuse_instance_as_command(context, parsed);
  const auto place = context.place(parsed);
  const auto visit = read_visit(context, parsed, place);
  const auto task = [&]() -> Async<int> {
    context.progress().step("connecting to " + place.label);
    return has_terminal() ? visit_on_terminal(context, place, visit)
                          : visit_by_streams(context, place, visit);
  };
  return with_exit_codes_of_ssh([&] { return context.run(task); });
}

}  // namespace re::cli
