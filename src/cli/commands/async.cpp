#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "cli/batch.hpp"
#include "cli/commands/all.hpp"
#include "cli/detached_job.hpp"
#include "cli/exit_code.hpp"
#include "cli/json.hpp"
#include "cli/submit.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

using nlohmann::json;

void report_batch(Context& context, const engine::Place& place, std::vector<model::JobSpec> specs) {
  json entries = json::array();
  std::string text;
  for (auto& spec : specs) {
    const engine::Submitted submitted{std::move(spec), {}, nullptr, nullptr};
    if (context.is_json()) {
      entries.push_back(started_json(place, submitted));
    } else if (context.mode() == OutputMode::quiet) {
      text += std::to_string(submitted.spec.index) + "\n";
    } else {
      text += started_line(place, submitted);
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
  auto request = submission.request(context.new_job_id(), 0);
  auto files = project_files(context, submission.project);
  return context.run([&]() -> Async<int> {
    engine::Submitter submitter(context.fleet(), context.registry(), context.progress());
    auto specs = co_await submitter.submit_batch(std::move(request), std::move(commands), files);
    context.console().clear_status();
    report_batch(context, submission.places.front(), std::move(specs));
    co_return 0;
  });
}

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
    m_entries[i] = started_json(place, *submitted);
    if (m_context.mode() == OutputMode::human) m_context.console().out(started_line(place, *submitted));
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
