#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands/all.hpp"
#include "cli/json.hpp"
#include "cli/submit.hpp"
#include "re/base/shell.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

void report_started(Context& context, const engine::Place& place, const engine::Submitted& submitted) {
  const auto& spec = submitted.spec;
  const auto& report = submitted.report;
  if (context.is_json()) {
    nlohmann::json json = {{"index", spec.index},
                           {"id", spec.id.text()},
                           {"name", spec.name},
                           {"instance", place.label},
                           {"snapshot", spec.snapshot}};
    json["pid"] = report.pid ? nlohmann::json(*report.pid) : nlohmann::json(nullptr);
    json["exit_code"] = report.exit_code ? nlohmann::json(*report.exit_code) : nlohmann::json(nullptr);
    context.console().out(to_text(json));
    return;
  }
  const std::string index = std::to_string(spec.index);
  if (context.mode() == OutputMode::quiet) {
    context.console().out(index + "\n");
    return;
  }
  std::string line = "job " + index + " (" + ui::sanitise_line(spec.name) + ") ";
  if (report.answer == jobs::Launch::exited) {
    line +=
        "ran on " + place.label + " and ended with exit code " + std::to_string(report.exit_code.value_or(0));
  } else if (report.answer == jobs::Launch::committed) {
    line += "is accepted by " + place.label + " and about to start";
  } else {
    line += "runs on " + place.label + ", pid " + std::to_string(report.pid.value_or(0));
  }
  context.console().out(line + "\nid " + spec.id.text() + "; watch it with: re log --follow " + index + "\n");
}

}  // namespace

int run_async(Context& context, const Parsed& parsed) {
  auto request = submit_request(context, parsed, model::Streams::merged);
  auto files = project_files(context, project_with_id(context));
  const auto place = request.place;
  return context.run([&]() -> Async<int> {
    engine::Submitter submitter(context.fleet(), context.registry(), context.progress());
    const auto submitted = co_await submitter.submit(std::move(request), files);
    context.console().clear_status();
    report_started(context, place, submitted);
    if (submitted.report.answer != jobs::Launch::lost) co_return 0;
    throw Error(ErrorKind::remote,
                "job " + std::to_string(submitted.spec.index) + " was started and vanished", "see re log");
  });
}

}  // namespace re::cli
