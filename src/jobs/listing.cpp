#include "jobs/listing.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "jobs/spec.hpp"
#include "re/base/strings.hpp"

namespace re::jobs {

namespace {

using model::JobState;
using model::JobStatus;
using Epoch = std::chrono::system_clock::time_point;
using Lines = std::vector<std::string_view>;

Error problem(std::string_view what) {
  return {ErrorKind::protocol, "the host's answer about a job cannot be read: " + std::string(what)};
}

std::optional<Epoch> parse_epoch(std::string_view text) {
  constexpr std::int64_t k_latest = std::int64_t{1}
                                    << 33U;  // the year 2242: far from overflow in nanoseconds
  const auto seconds = parse_number<std::int64_t>(text);
  if (!seconds || *seconds < 0 || *seconds >= k_latest) return std::nullopt;
  return Epoch(std::chrono::seconds(*seconds));
}

std::optional<int> parse_small(std::string_view text, int least, int most) {
  const auto number = parse_number<int>(text);
  return number && *number >= least && *number <= most ? number : std::nullopt;
}

// "exit.<code>.<epoch>", or "-" for none.
bool take_exit(JobStatus& status, std::string_view name) {
  if (name == "-") return true;
  const auto parts = split(name, '.');
  if (parts.size() != 3 || parts[0] != "exit") return false;
  status.exit_code = parse_small(parts[1], 0, 255);
  status.ended = parse_epoch(parts[2]);
  return status.exit_code && status.ended;
}

Result<JobStatus> parse_job(std::string_view line) {
  const auto words = split(line, ' ');
  if (words.size() != 4 || words[0] != "job") return problem("a wrong line");
  const auto id = JobId::parse(words[1]);
  const auto state = model::parse_job_state(words[2]);
  if (!id || id->text() != words[1]) return problem("a wrong id");
  JobStatus status{*id, 0, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, 0};
  if (!state || !take_exit(status, words[3])) return problem("a wrong state of job " + id->text());
  const bool has_ended = *state == JobState::done || *state == JobState::leftovers;
  if (has_ended != status.exit_code.has_value()) return problem("a wrong exit of job " + id->text());
  status.state = *state;
  return status;
}

struct Parts {
  std::optional<Epoch> now;
  Lines jobs;
  std::vector<std::string_view> specs;  // each the whole text of one
  Lines runs;
  Lines logs;
};

// The text of one spec goes from its first line to the next one's.
std::vector<std::string_view> cut_specs(std::string_view text) {
  constexpr std::string_view k_first = "re-spec=1\n";
  std::vector<std::string_view> specs;
  std::size_t at = text.starts_with(k_first) ? 0 : text.find("\nre-spec=1\n");
  while (at != std::string_view::npos && at < text.size()) {
    if (text[at] == '\n') ++at;
    const auto next = text.find("\nre-spec=1\n", at);
    specs.push_back(text.substr(at, next == std::string_view::npos ? next : next + 1 - at));
    at = next;
  }
  return specs;
}

// What stands between two headings; the headings are words alone on their lines, in this order.
Result<Parts> cut(std::string_view text) {
  constexpr std::array<std::string_view, 4> k_headings = {"spec", "run", "log", "end"};
  Parts parts;
  std::array<std::pair<std::size_t, std::size_t>, 5> sections{};
  std::size_t section = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    if (end == std::string_view::npos) break;
    const auto line = text.substr(at, end - at);
    const auto* const heading =
        std::find(k_headings.begin() + static_cast<std::ptrdiff_t>(section), k_headings.end(), line);
    if (heading != k_headings.end()) {
      section = static_cast<std::size_t>(heading - k_headings.begin()) + 1;
      sections.at(section).first = end + 1;
    }
    sections.at(section).second = end + 1;
    at = end + 1;
    if (section == k_headings.size()) break;
  }
  if (section != k_headings.size()) return problem("it is cut off");
  const auto section_text = [&](std::size_t number) {
    const auto [begin, end] = sections.at(number);
    return text.substr(begin, end > begin ? end - begin : 0);
  };
  parts.jobs = split_lines(section_text(0));
  parts.specs = cut_specs(section_text(1));
  parts.runs = split_lines(section_text(2));
  parts.logs = split_lines(section_text(3));
  if (!parts.jobs.empty() && parts.jobs[0].starts_with("now "))
    parts.now = parse_epoch(parts.jobs[0].substr(4));
  if (!parts.now) return problem("no time");
  parts.jobs.erase(parts.jobs.begin());
  return parts;
}

class Table {
 public:
  explicit Table(Listing& listing) : m_listing(listing) {}

  void add(const Result<JobStatus>& status) {
    if (!status) {
      m_listing.problems.push_back(status.error());
    } else if (!m_jobs.emplace(status->id.text(), *status).second) {
      m_listing.problems.push_back(problem("job " + status->id.text() + " twice"));
    }
  }

  void add_spec(std::string_view text) {
    auto spec = parse_spec(text);
    auto* const status = spec ? find(spec->id.text()) : nullptr;
    if (!spec) m_listing.problems.push_back(spec.error());
    if (status == nullptr) return;
    status->index = spec->index;
    status->name = std::move(spec->name);
    status->command = std::move(spec->command);
    status->project_id = std::move(spec->project_id);
    status->project_name = std::move(spec->project_name);
  }

  void add_run(std::string_view line) {
    std::optional<int> pid;
    std::optional<Epoch> began;
    JobStatus* status = nullptr;
    for (const auto word : split_words(line)) {
      const auto equals = word.find('=');
      const auto value = equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
      if (word.starts_with("pid=")) pid = parse_small(value, 1, INT32_MAX);
      if (word.starts_with("began=")) began = parse_epoch(value);
      if (word.starts_with("job=")) status = find(value);
    }
    if (status == nullptr || !pid || !began) {
      m_listing.problems.push_back(problem("a wrong run"));
      return;
    }
    if (model::is_live(status->state) && status->state != JobState::leftovers) status->pid = pid;
    status->started = began;
  }

  // "-rw------- 1 0 0 12345 Nov 21 10:10 <id>/log"
  void add_log(std::string_view line) {
    const auto words = split_words(line);
    if (words.size() < 6 || !words.back().ends_with("/log")) return;
    auto* const status = find(words.back().substr(0, words.back().size() - 4));
    if (status != nullptr) status->log_size = parse_number<std::uint64_t>(words[4]).value_or(0);
  }

  void finish(Epoch now) {
    for (auto& [id, status] : m_jobs) {
      const bool runs = status.state == JobState::running || status.state == JobState::unsupervised;
      const auto until = runs ? std::optional(now) : status.ended;
      if (status.started && until) {
        status.elapsed = std::max(std::chrono::seconds(0),
                                  std::chrono::duration_cast<std::chrono::seconds>(*until - *status.started));
      }
      m_listing.jobs.push_back(std::move(status));
    }
  }

 private:
  JobStatus* find(std::string_view id) {
    const auto found = m_jobs.find(id);
    return found == m_jobs.end() ? nullptr : &found->second;
  }

  Listing& m_listing;
  std::map<std::string, JobStatus, std::less<>> m_jobs;
};

}  // namespace

Result<Listing> parse_listing(std::string_view text) {
  const auto parts = cut(text);
  if (!parts) return parts.error();
  Listing listing;
  listing.now = *parts->now;
  Table table(listing);
  for (const auto line : parts->jobs) table.add(parse_job(line));
  for (const auto spec : parts->specs) table.add_spec(spec);
  for (const auto line : parts->runs) table.add_run(line);
  for (const auto line : parts->logs) table.add_log(line);
  table.finish(*parts->now);
  return listing;
}

}  // namespace re::jobs
