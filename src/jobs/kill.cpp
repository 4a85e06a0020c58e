#include "re/jobs/kill.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <optional>
#include <string_view>

#include "jobs/script_text.hpp"
#include "jobs/scripts.hpp"
#include "re/base/strings.hpp"

namespace re::jobs {

namespace {

using Outcome = KillReport::Outcome;

constexpr std::array<std::pair<std::string_view, Outcome>, 6> k_outcomes = {{
    {"killed", Outcome::killed},
    {"already_ended", Outcome::already_ended},
    {"not_running", Outcome::not_running},
    {"survivors", Outcome::survivors},
    {"refused", Outcome::refused},
    {"unknown_job", Outcome::unknown_job},
}};

// The next word of a line; what is left of it stays in `line`.
std::string_view take_word(std::string_view& line) {
  const auto blank = line.find(' ');
  const auto word = line.substr(0, blank);
  line.remove_prefix(blank == std::string_view::npos ? line.size() : blank + 1);
  return word;
}

std::optional<Outcome> parse_outcome(std::string_view word) {
  for (const auto& [name, outcome] : k_outcomes) {
    if (name == word) return outcome;
  }
  return std::nullopt;
}

struct Reports {
  explicit Reports(const std::vector<JobId>& ids) : are_told(ids.size(), 0) {
    for (const auto& id : ids) reports.push_back({id, Outcome::unknown_job, {}, {}});
  }

  // One line of the script's answer; false when it makes no sense.
  bool take(std::string_view line) {
    const auto kind = take_word(line);
    const auto id = take_word(line);
    const auto found = std::find_if(reports.begin(), reports.end(),
                                    [id](const auto& report) { return report.id.text() == id; });
    if (found == reports.end()) return false;
    if (kind == "report") {
      const auto outcome = parse_outcome(take_word(line));
      if (!outcome) return false;
      found->outcome = *outcome;
      found->reason = line;
      are_told[static_cast<std::size_t>(found - reports.begin())] = 1;
      return true;
    }
    const auto pid = parse_number<int>(take_word(line));
    if (kind != "survivor" || !pid) return false;
    found->survivors.push_back({*pid, std::string(line)});
    return true;
  }

  std::vector<KillReport> reports;
  std::vector<char> are_told;
};

std::vector<KillReport> read_reports(const remote::Host& host, const std::vector<JobId>& ids,
                                     const remote::Answer& answer) {
  Reports reports(ids);
  for (const auto line : split_lines(answer.output)) {
    if (!reports.take(line)) {
      throw Error(ErrorKind::protocol, host.name() + " answered '" + std::string(line) + "' to a kill");
    }
  }
  for (std::size_t at = 0; at < ids.size(); ++at) {
    if (reports.are_told[at] == 0) {
      const std::string clue(trim(answer.error));
      throw Error(ErrorKind::protocol, host.name() + " did not say what became of job " + ids[at].text() +
                                           (clue.empty() ? "" : ": " + clue.substr(0, clue.find('\n'))));
    }
  }
  return std::move(reports.reports);
}

std::string library_text() {
  const std::array<std::string_view, 3> files = {scripts::basics, scripts::common, scripts::kill};
  return script_text(files);
}

}  // namespace

Async<std::vector<KillReport>> kill_jobs(remote::Host& host, std::vector<JobId> ids, KillOptions options,
                                         std::chrono::milliseconds deadline) {
  if (ids.empty()) co_return std::vector<KillReport>{};
  std::vector<JobId> unique = ids;  // a job named twice is killed once
  std::sort(unique.begin(), unique.end());
  unique.erase(std::unique(unique.begin(), unique.end()), unique.end());
  const std::string library = library_text();
  remote::ScriptCall call{library, "re_kill", {}};
  call.arguments.push_back(std::to_string(options.grace.count() / 10));  // hundredths of a second
  call.arguments.push_back(std::to_string(options.signal));
  for (const auto& id : unique) call.arguments.push_back(id.text());
  const remote::Answer answer = co_await host.run(std::move(call), deadline);
  const auto reports = read_reports(host, unique, answer);
  std::vector<KillReport> ordered;
  ordered.reserve(ids.size());
  for (const auto& id : ids) {
    ordered.push_back(
        *std::find_if(reports.begin(), reports.end(), [&id](const auto& report) { return report.id == id; }));
  }
  co_return ordered;
}

Async<std::vector<JobId>> find_orphans(remote::Host& host, std::vector<JobId> ids,
                                       std::chrono::milliseconds deadline) {
  std::vector<JobId> orphans;
  if (ids.empty()) co_return orphans;
  const std::string library = library_text();
  remote::ScriptCall call{library, "re_find_orphans", {}};
  for (const auto& id : ids) call.arguments.push_back(id.text());
  const remote::Answer answer = co_await host.run(std::move(call), deadline);
  for (auto line : split_lines(answer.output)) {
    const auto word = take_word(line);
    const auto id = JobId::parse(line);
    if (word == "orphan" && id) orphans.push_back(*id);
  }
  co_return orphans;
}

}  // namespace re::jobs
