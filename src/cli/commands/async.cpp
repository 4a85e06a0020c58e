#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "cli/batch.hpp"
#include "cli/commands/all.hpp"
#include "cli/exit_code.hpp"
#include "cli/json.hpp"
#include "cli/submit.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

using nlohmann::json;

json to_json(const engine::Place& place, const engine::Submitted& submitted) {
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

// "job 3 (runner) runs on gpu1, pid 1234"
std::string line_of(const engine::Place& place, const engine::Submitted& submitted) {
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

void report_started(Context& context, const engine::Place& place, const engine::Submitted& submitted) {
  const std::string index = std::to_string(submitted.spec.index);
  if (context.is_json()) {
    context.console().out(to_text(to_json(place, submitted)));
  } else if (context.mode() == OutputMode::quiet) {
    context.console().out(index + "\n");
  } else {
    context.console().out(line_of(place, submitted) + "id " + submitted.spec.id.text() +
                          "; watch it with: re log --follow " + index + "\n");
  }
}

void refuse_lost(const engine::Submitted& submitted) {
  if (submitted.report.answer != jobs::Launch::lost) return;
  throw Error(ErrorKind::remote, "job " + std::to_string(submitted.spec.index) + " was started and vanished",
              "see re log");
}

void report_batch(Context& context, const engine::Place& place, std::vector<model::JobSpec> specs) {
  json entries = json::array();
  std::string text;
  for (auto& spec : specs) {
    const engine::Submitted submitted{std::move(spec), {}, nullptr, nullptr};
    if (context.is_json()) {
      entries.push_back(to_json(place, submitted));
    } else if (context.mode() == OutputMode::quiet) {
      text += std::to_string(submitted.spec.index) + "\n";
    } else {
      text += line_of(place, submitted);
    }
  }
  context.console().out(context.is_json() ? to_text(entries) : text);
}

int start_batch(Context& context, const Parsed& parsed) {
  if (!parsed.arguments.empty())
    throw Error(ErrorKind::usage, "--batch has the commands in its file", "drop the command or --batch");
  auto commands = read_batch(*parsed.text("batch"));
  const auto submission = read_submission(context, parsed, model::Streams::merged);
  if (submission.places.size() > 1)
    throw Error(ErrorKind::usage, "--batch starts its jobs on one instance", "name it with -i");
  auto request = submission.request(context.clock(), 0);
  auto files = project_files(context, submission.project);
  return context.run([&]() -> Async<int> {
    engine::Submitter submitter(context.fleet(), context.registry(), context.progress());
    auto specs = co_await submitter.submit_batch(std::move(request), std::move(commands), files);
    context.console().clear_status();
    report_batch(context, submission.places.front(), std::move(specs));
    co_return 0;
  });
}

}  // namespace

int start_detached(Context& context, const Submission& submission) {
  auto request = submission.request(context.clock(), 0);
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

namespace {

// A line for each place as soon as it has answered; JSON at the end, in the places' order.
class StartOnMany {
 public:
  StartOnMany(Context& context, const Parsed& parsed, Submission submission)
      : m_context(context),
        m_fan(context, parsed, std::move(submission)),
        m_entries(m_fan.submission.places.size()) {}

  Async<int> run() {
    m_fan.progress.show();
    engine::Crowd crowd(m_entries.size());
    engine::Crowd::Work work = [this](std::size_t i) { return start(i); };
    engine::Crowd::Settled settled = [this](std::size_t i, const std::optional<Error>& failure) {
      if (failure) report_failed(i, *failure);
    };
    co_await crowd.run(std::move(work), std::move(settled));
    if (m_context.is_json()) m_context.console().out(to_text(json(m_entries)));
    co_return m_worst;
  }

 private:
  Async<void> start(std::size_t i) {
    const auto& place = m_fan.submission.places[i];
    std::optional<engine::Submitted> submitted = co_await m_fan.submit(i);
    m_entries[i] = to_json(place, *submitted);
    if (m_context.mode() == OutputMode::human) m_context.console().out(line_of(place, *submitted));
    if (m_context.mode() == OutputMode::quiet)
      m_context.console().out(std::to_string(submitted->spec.index) + "\n");
    refuse_lost(*submitted);
    submitted.reset();
    co_await m_context.fleet().leave(place);
  }

  void report_failed(std::size_t i, const Error& failure) {
    m_worst = std::max(m_worst, static_cast<int>(exit_code_for(failure.kind())));
    m_context.console().err("re: " + ui::sanitise_line(failure.what()) + "\n");
    m_entries[i] = {{"instance", m_fan.submission.places[i].label},
                    {"error", {{"kind", to_string(failure.kind())}, {"message", failure.what()}}}};
  }

  Context& m_context;
  FanSubmission m_fan;
  std::vector<json> m_entries;
  int m_worst = 0;
};

}  // namespace

int run_async(Context& context, const Parsed& parsed) {
  if (parsed.has("batch")) return start_batch(context, parsed);
  auto submission = read_submission(context, parsed, model::Streams::merged);
  if (submission.places.size() == 1) return start_detached(context, submission);
  StartOnMany many(context, parsed, std::move(submission));
  return context.run([&many] { return many.run(); });
}

}  // namespace re::cli
