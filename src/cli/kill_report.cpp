#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/jobs.hpp"
#include "cli/json.hpp"
#include "re/base/units.hpp"
#include "re/jobs/kill.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

constexpr std::chrono::seconds k_margin{30};  // beside the grace, for the request itself

struct Outcomes {
  std::map<JobId, jobs::KillReport> reports;
  std::vector<engine::HostProblem> problems;
  std::map<std::string, std::string> unanswered;  // why, by the place's key
};

std::chrono::milliseconds read_grace(const Parsed& parsed) {
  const auto text = parsed.text("grace");
  if (!text) return jobs::KillOptions{}.grace;
  if (const auto grace = parse_duration(*text)) return *grace;
  throw Error(ErrorKind::usage, "--grace takes a time such as 5s or 1min, not \"" + *text + "\"");
}

// Each host has the grace, and --deadline beside it.
std::chrono::milliseconds read_margin(Context& context, const Parsed& parsed) {
  return parsed.has("deadline") ? context.deadline(parsed) : std::chrono::milliseconds(k_margin);
}

Async<Outcomes> kill_on_hosts(Context& context, const Parsed& parsed,
                              const std::vector<jobs::RegistryRecord>& jobs) {
  std::map<std::string, std::vector<JobId>> ids;
  for (const auto& job : jobs) ids[job.instance].push_back(job.id);
  std::vector<std::string> keys;
  keys.reserve(ids.size());
  for (const auto& [key, jobs_there] : ids) keys.push_back(key);
  const auto places = context.places_of(keys, parsed);
  Outcomes outcomes;
  jobs::KillOptions options;
  options.grace = read_grace(parsed);
  const auto margin = read_margin(context, parsed);
  engine::OnEach each;
  each.deadline = options.grace + margin;
  each.work = [&](std::size_t i, remote::Host& host) -> Async<void> {
    auto reports = co_await jobs::kill_jobs(host, ids[places[i].key], options, options.grace + margin);
    for (auto& report : reports) outcomes.reports.insert_or_assign(report.id, report);
  };
  context.progress().step("ending " + std::to_string(jobs.size()) + (jobs.size() == 1 ? " job" : " jobs"));
  const auto failures = co_await engine::on_each(context.fleet(), places, std::move(each));
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!failures[i]) continue;
    outcomes.problems.push_back({places[i].label, *failures[i]});
    outcomes.unanswered[places[i].key] = failures[i]->what();
  }
  co_return outcomes;
}

std::string describe(const jobs::KillReport& report) {
  switch (report.outcome) {
    case jobs::KillReport::Outcome::killed:
      return "ended";
    case jobs::KillReport::Outcome::already_ended:
      return "had ended already";
    case jobs::KillReport::Outcome::not_running:
      return "had not begun, and will not";
    case jobs::KillReport::Outcome::survivors:
      return "has processes that live on:";
    case jobs::KillReport::Outcome::refused:
      return "was left alone: " + report.reason;
    case jobs::KillReport::Outcome::unknown_job:
      return "is not known to its host";
  }
  return "";
}

std::string_view json_name(jobs::KillReport::Outcome outcome) {
  switch (outcome) {
    case jobs::KillReport::Outcome::killed:
      return "killed";
    case jobs::KillReport::Outcome::already_ended:
      return "already_ended";
    case jobs::KillReport::Outcome::not_running:
      return "not_running";
    case jobs::KillReport::Outcome::survivors:
      return "survivors";
    case jobs::KillReport::Outcome::refused:
      return "refused";
    case jobs::KillReport::Outcome::unknown_job:
      return "unknown_job";
  }
  return "";
}

bool is_success(const jobs::KillReport& report) {
  return report.outcome == jobs::KillReport::Outcome::killed ||
         report.outcome == jobs::KillReport::Outcome::already_ended ||
         report.outcome == jobs::KillReport::Outcome::not_running;
}

// Its host could not be asked, or did not answer in time.
nlohmann::json to_json(const jobs::RegistryRecord& job, const std::string& reason) {
  return {{"index", job.index},
          {"id", job.id.text()},
          {"outcome", "unanswered"},
          {"reason", reason},
          {"survivors", nlohmann::json::array()}};
}

nlohmann::json to_json(const jobs::RegistryRecord& job, const jobs::KillReport& report) {
  nlohmann::json json = {{"index", job.index},
                         {"id", job.id.text()},
                         {"outcome", json_name(report.outcome)},
                         {"reason", report.reason},
                         {"survivors", nlohmann::json::array()}};
  for (const auto& survivor : report.survivors)
    json["survivors"].push_back({{"pid", survivor.pid}, {"command", survivor.command}});
  return json;
}

std::string to_text(const jobs::RegistryRecord& job, const jobs::KillReport& report) {
  std::string text = "job " + std::to_string(job.index) + " (" + ui::sanitise_line(job.name) + ") " +
                     describe(report) + "\n";
  for (const auto& survivor : report.survivors) {
    text += "  pid " + std::to_string(survivor.pid) + "  " + ui::sanitise_line(survivor.command) + "\n";
  }
  return text;
}

}  // namespace

int kill_and_report(Context& context, const Parsed& parsed, const std::vector<jobs::RegistryRecord>& jobs) {
  Outcomes outcomes;
  context.run([&]() -> Async<int> {
    outcomes = co_await kill_on_hosts(context, parsed, jobs);
    co_return 0;
  });
  nlohmann::json json = nlohmann::json::array();
  std::vector<std::string> unanswered;
  int code = 0;
  for (const auto& job : jobs) {
    const auto report = outcomes.reports.find(job.id);
    if (report == outcomes.reports.end()) {
      json.push_back(to_json(job, outcomes.unanswered[job.instance]));
      unanswered.push_back("re: it is not known whether job " + std::to_string(job.index) + " (" +
                           ui::sanitise_line(job.name) + ") was ended\n");
      continue;
    }
    if (!is_success(report->second)) code = 1;
    if (context.is_json()) {
      json.push_back(to_json(job, report->second));
    } else if (context.mode() == OutputMode::human || !is_success(report->second)) {
      context.console().out(to_text(job, report->second));
    }
  }
  if (context.is_json()) context.console().out(to_text(json));
  report_problems(context, outcomes.problems);
  for (const auto& line : unanswered) context.console().err(line);
  return std::max(code, worst_exit_code(outcomes.problems));
}

}  // namespace re::cli
