#include "cli/detached_job.hpp"

#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "cli/json.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

using nlohmann::json;

json started_json(const engine::Place& place, const engine::Submitted& submitted) {
  const auto& spec = submitted.spec;
  const auto& report = submitted.report;
  json entry = {{"index", spec.index},
                {"id", spec.id.text()},
                {"name", spec.name},
                {"instance", place.label},
                {"snapshot", spec.snapshot}};
  entry["pid"] = report.pid ? json(*report.pid) : json(nullptr);
  entry["exit_code"] = report.exit_code ? json(*report.exit_code) : json(nullptr);
  return entry;
}

std::string started_line(const engine::Place& place, const engine::Submitted& submitted) {
  const auto& report = submitted.report;
  const std::string line =
      "job " + std::to_string(submitted.spec.index) + " (" + ui::sanitise_line(submitted.spec.name) + ") ";
  if (report.answer == jobs::Launch::exited) {
    return line + "ran on " + place.label + " and ended with exit code " +
           std::to_string(report.exit_code.value_or(0)) + "\n";
  }
  if (report.answer == jobs::Launch::starting) return line + "starts on " + place.label + "\n";
  if (report.answer == jobs::Launch::committed)
    return line + "is accepted by " + place.label + " and about to start\n";
  return line + "runs on " + place.label + ", pid " + std::to_string(report.pid.value_or(0)) + "\n";
}

void refuse_lost(const engine::Submitted& submitted) {
  if (submitted.report.answer != jobs::Launch::lost) return;
  throw Error(ErrorKind::remote, "job " + std::to_string(submitted.spec.index) + " was started and vanished",
              "see re log");
}

namespace {

void report_started(Context& context, const engine::Place& place, const engine::Submitted& submitted) {
  const std::string index = std::to_string(submitted.spec.index);
  if (context.is_json()) {
    context.console().out(to_text(started_json(place, submitted)));
  } else if (context.mode() == OutputMode::quiet) {
    context.console().out(index + "\n");
  } else {
    context.console().out(started_line(place, submitted) + "id " + submitted.spec.id.text() +
                          "; watch it with: re log --follow " + index + "\n");
  }
}

}  // namespace

int start_detached(Context& context, const Submission& submission) {
  auto request = submission.request(context.new_job_id(), 0);
  auto files = project_files(context, submission.project);
  return context.run([&]() -> Async<int> {
    engine::Submitter submitter(context.fleet(), context.registry(), context.progress());
    const auto submitted = co_await submitter.submit(std::move(request), files);
    context.console().clear_status();
    report_started(context, submission.places.front(), submitted);
    refuse_lost(submitted);
    co_return 0;
  });
}

}  // namespace re::cli
