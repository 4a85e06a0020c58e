#include "re/jobs/clean.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <string_view>

#include "jobs/calls.hpp"
#include "jobs/script_text.hpp"
#include "jobs/scripts.hpp"
#include "re/base/strings.hpp"

namespace re::jobs {

namespace {

constexpr std::size_t k_at_once = 32;  // removed by one call: a large work tree takes its time
constexpr std::uint64_t k_kib = 1024;

OwnedCall clean_call(std::string function, const std::vector<Remains>& remains) {
  const std::array<std::string_view, 4> files = {scripts::basics, scripts::common, scripts::trees,
                                                 scripts::clean};
  OwnedCall call{script_text(files), std::move(function), {}};
  for (const auto& one : remains) {
    call.arguments.push_back(one.job ? "jobs/" + one.job->text() : "snapshots/" + one.snapshot);
  }
  return call;
}

Async<std::vector<std::string>> ask(remote::Host& host, OwnedCall call, std::chrono::milliseconds deadline) {
  const auto answer = co_await host.run(call.call(), deadline);
  if (answer.outcome.code != 0) {
    const auto line = trim(answer.error).substr(0, trim(answer.error).find('\n'));
    throw Error(ErrorKind::remote, host.name() + " could not clean up" +
                                       (line.empty() ? std::string() : ": " + std::string(line)));
  }
  std::vector<std::string> lines;
  for (const auto line : split_lines(answer.output)) lines.emplace_back(line);
  co_return lines;
}

Error not_understood(const remote::Host& host, std::string_view line) {
  return {ErrorKind::protocol,
          host.name() + " answered '" + std::string(line.substr(0, 80)) + "' to re clean"};
}

std::optional<Remains> parse_entry(std::string_view entry) {
  constexpr std::string_view k_jobs = "jobs/";
  constexpr std::string_view k_snapshots = "snapshots/";
  if (entry.starts_with(k_jobs)) {
    Remains remains{JobId::parse(entry.substr(k_jobs.size()))};
    return remains.job ? std::optional(std::move(remains)) : std::nullopt;
  }
  if (!entry.starts_with(k_snapshots)) return std::nullopt;
  return Remains{std::nullopt, std::string(entry.substr(k_snapshots.size()))};
}

// "<KiB><tab><entry>"; a directory in jobs/ that is no job's is passed over.
bool take_size(Survey& survey, std::string_view line) {
  const auto parts = split(line, '\t');
  const auto size = parts.size() == 2 ? parse_number<std::uint64_t>(parts[0]) : std::nullopt;
  if (!size) return false;
  const auto remains = parse_entry(parts[1]);
  if (!remains) return parts[1].starts_with("jobs/");
  if (remains->job) {
    survey.jobs[*remains->job].size = *size * k_kib;
  } else {
    survey.snapshots[remains->snapshot].size = *size * k_kib;
  }
  return true;
}

bool take_line(Survey& survey, std::string_view line) {
  const auto words = split(line, ' ');
  if (words[0] == "uses" && words.size() == 3) {
    const auto id = JobId::parse(words[1]);
    const auto job = id ? survey.jobs.find(*id) : survey.jobs.end();
    if (job != survey.jobs.end()) job->second.snapshot = words[2];
    return true;
  }
  if (words[0] == "latest" && words.size() == 2) {
    const auto snapshot = survey.snapshots.find(std::string(words[1]));
    if (snapshot != survey.snapshots.end()) snapshot->second.is_latest = true;
    return true;
  }
  return take_size(survey, line);
}

}  // namespace

Async<Survey> survey(remote::Host& host, std::chrono::milliseconds deadline) {
  OwnedCall call = clean_call("re_survey", {});
  const auto lines = co_await ask(host, std::move(call), deadline);
  if (lines.empty() || lines.back() != "end") throw not_understood(host, "");
  Survey survey;
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) {
    if (!take_line(survey, lines[i])) throw not_understood(host, lines[i]);
  }
  co_return survey;
}

Async<std::uint64_t> measure(remote::Host& host, std::vector<Remains> remains,
                             std::chrono::milliseconds deadline) {
  OwnedCall call = clean_call("re_measure", remains);
  const auto lines = co_await ask(host, std::move(call), deadline);
  constexpr std::string_view k_frees = "frees ";
  const auto number = lines.size() == 1 && lines[0].starts_with(k_frees)
                          ? parse_number<std::uint64_t>(std::string_view(lines[0]).substr(k_frees.size()))
                          : std::nullopt;
  if (!number) throw not_understood(host, lines.empty() ? "" : lines[0]);
  co_return *number* k_kib;
}

Async<std::vector<Kept>> remove(remote::Host& host, std::vector<Remains> remains,
                                std::chrono::milliseconds deadline) {
  // A snapshot is free only when its jobs have gone.
  std::stable_partition(remains.begin(), remains.end(), [](const auto& one) { return one.job.has_value(); });
  std::vector<Kept> kept;
  for (std::size_t at = 0; at < remains.size(); at += k_at_once) {
    const auto end = std::min(remains.size(), at + k_at_once);
    const std::vector<Remains> some(remains.begin() + static_cast<std::ptrdiff_t>(at),
                                    remains.begin() + static_cast<std::ptrdiff_t>(end));
    OwnedCall call = clean_call("re_clean", some);
    const auto lines = co_await ask(host, std::move(call), deadline);
    if (lines.size() != some.size()) throw not_understood(host, lines.empty() ? "" : lines.back());
    for (const auto& line : lines) {
      const auto words = split(line, ' ');
      const auto entry = words.size() >= 2 ? parse_entry(words[1]) : std::nullopt;
      if (!entry || (words[0] != "removed" && (words[0] != "kept" || words.size() != 3)))
        throw not_understood(host, line);
      if (words[0] == "kept") kept.push_back({*entry, std::string(words[2])});
    }
  }
  co_return kept;
}

}  // namespace re::jobs
