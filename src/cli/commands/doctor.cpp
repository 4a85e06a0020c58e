#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands/all.hpp"
#include "cli/exit_code.hpp"
#include "cli/help.hpp"
#include "cli/json.hpp"
#include "cli/local_checks.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

using remote::Finding;
using State = Finding::State;

struct Group {
  std::string name;
  std::vector<Finding> findings;
  std::optional<remote::Health> health;  // of a host that was examined
  std::optional<ErrorKind> error;        // why it was not
};

ui::Style style_of(State state) {
  switch (state) {
    case State::ok:
      return ui::Style::good;
    case State::warning:
      return ui::Style::warning;
    case State::failed:
      return ui::Style::bad;
    case State::absent:
      return ui::Style::dim;
  }
  return ui::Style::plain;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

// "  rsync          ok         3.5.0", and below it what to do.
std::string lines_of(const Finding& finding, ui::Colour colour) {
  constexpr std::size_t k_name = 15;
  constexpr std::size_t k_state = 11;
  constexpr std::size_t k_detail = 2 + k_name + k_state;
  const std::string state(remote::to_string(finding.state));
  std::string line = "  " + padded(finding.check, k_name) + ui::paint(colour, style_of(finding.state), state);
  std::string below;
  if (!finding.detail.empty()) below += wrap(ui::sanitise_line(finding.detail), k_detail);
  if (!finding.mend.empty()) below += wrap("-> " + ui::sanitise_line(finding.mend), k_detail);
  if (below.empty()) return line + "\n";
  return line + std::string(k_state - state.size(), ' ') + below.substr(k_detail);
}

std::string render(const Group& group, ui::Colour colour) {
  std::string text = ui::paint(colour, ui::Style::heading, ui::sanitise_line(group.name)) + "\n";
  for (const auto& finding : group.findings) text += lines_of(finding, colour);
  return text;
}

std::string summary(const std::vector<Group>& groups) {
  std::size_t failed = 0;
  std::size_t warnings = 0;
  for (const auto& group : groups) {
    for (const auto& finding : group.findings) {
      failed += finding.state == State::failed ? 1 : 0;
      warnings += finding.state == State::warning ? 1 : 0;
    }
  }
  const auto count = [](std::size_t number, const std::string& word) {
    return std::to_string(number) + " " + word + (number == 1 ? "" : "s");
  };
  if (failed + warnings == 0) return "all is well\n";
  return count(failed, "failure") + ", " + count(warnings, "warning") + "\n";
}

nlohmann::json to_json(const Group& group) {
  nlohmann::json checks = nlohmann::json::array();
  for (const auto& finding : group.findings) {
    checks.push_back({{"check", finding.check},
                      {"state", remote::to_string(finding.state)},
                      {"detail", finding.detail},
                      {"mend", finding.mend}});
  }
  nlohmann::json json = {{"where", group.name}, {"checks", checks}};
  if (!group.health) return json;
  constexpr double k_per_milli = 1000;
  json["round_trip_ms"] = static_cast<double>(group.health->round_trip.count()) / k_per_milli;
  json["clock_skew_seconds"] = nullptr;
  if (group.health->skew) json["clock_skew_seconds"] = *group.health->skew;
  json["clock_skew_error_seconds"] = group.health->skew_error;
  return json;
}

Finding unreachable(const Error& error) {
  return {"connection", State::failed, error.message(), error.hint()};
}

// Nothing where the configuration cannot be read, which the checks of this machine tell.
std::vector<engine::Place> chosen_places(Context& context, const Parsed& parsed) {
  const bool is_chosen = parsed.has("instance") || parsed.has("instance-idx");
  try {
    return is_chosen ? context.places(parsed) : context.all_places(parsed);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::config) throw;
    return {};
  }
}

Async<void> examine_all(Context& context, const std::vector<engine::Place>& places,
                        std::chrono::milliseconds deadline, std::vector<Group>& groups) {
  engine::OnEach each;
  each.deadline = deadline;
  each.work = [&groups, deadline](std::size_t i, remote::Host& host) -> Async<void> {
    auto& group = groups[i + 1];
    group.health = co_await remote::examine(host, deadline);
    group.findings = remote::judge(*group.health);
  };
  each.settled = [&groups](std::size_t i, const std::optional<Error>& failure) {
    if (!failure) return;
    groups[i + 1].error = failure->kind();
    groups[i + 1].findings = {unreachable(*failure)};
  };
  co_await engine::on_each(context.fleet(), places, std::move(each));
}

// The highest counts, as of all commands that work on many hosts.
int exit_code(const std::vector<Group>& groups) {
  int code = 0;
  for (const auto& group : groups) {
    const bool has_failed =
        std::any_of(group.findings.begin(), group.findings.end(),
                    [](const Finding& finding) { return finding.state == State::failed; });
    if (group.error)
      code = std::max(code, static_cast<int>(exit_code_for(*group.error)));
    else if (has_failed)
      code = std::max(code, static_cast<int>(ExitCode::failure));
  }
  return code;
}

}  // namespace

int run_doctor(Context& context, const Parsed& parsed) {
  const auto places = chosen_places(context, parsed);
  const auto deadline = places.empty() ? std::chrono::milliseconds(0) : context.deadline(parsed);
  std::vector<Group> groups = {{"here", {}, {}, {}}};
  for (const auto& place : places) groups.push_back({place.label, {}, {}, {}});
  context.run([&]() -> Async<int> {
    context.progress().step("examining this machine");
    groups.front().findings = co_await check_this_machine(context);
    if (places.empty()) co_return 0;
    context.progress().step("examining " + std::to_string(places.size()) +
                            (places.size() == 1 ? " instance" : " instances"));
    co_await examine_all(context, places, deadline, groups);
    co_return 0;
  });
  if (context.is_json()) {
    nlohmann::json json = nlohmann::json::array();
    for (const auto& group : groups) json.push_back(to_json(group));
    context.console().out(to_text(json));
  } else {
    for (const auto& group : groups) context.console().out(render(group, context.colour()) + "\n");
    if (context.mode() == OutputMode::human) context.console().out(summary(groups));
  }
  return exit_code(groups);
}

}  // namespace re::cli
