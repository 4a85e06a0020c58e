#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands/all.hpp"
#include "cli/jobs.hpp"
#include "cli/json.hpp"
#include "re/base/units.hpp"
#include "re/engine/clean.hpp"
#include "re/sys/terminal.hpp"
#include "re/ui/table.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

using std::chrono::milliseconds;

constexpr std::chrono::hours k_week{std::chrono::hours(24) * 7};
constexpr std::chrono::minutes k_look_limit{2};      // du reads every directory
constexpr std::chrono::minutes k_removal_limit{10};  // for each few dozen work trees

// What goes from one host.
struct Cleaning {
  engine::Place place;
  engine::CleanPlan plan = {};
  std::map<JobId, std::uint32_t> indexes = {};  // as they are known here
  std::uint64_t frees = 0;                      // bytes
  std::vector<jobs::Kept> kept = {};
  std::optional<Error> error = {};
};

std::string counted(std::size_t number, std::string_view what) {
  return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

std::string contents_of(const engine::CleanPlan& plan) {
  return counted(plan.jobs.size(), "job") + " and " + counted(plan.snapshots.size(), "snapshot");
}

milliseconds limit(Context& context, const Parsed& parsed, milliseconds otherwise) {
  return parsed.has("deadline") ? context.deadline(parsed) : otherwise;
}

engine::CleanRules read_rules(Context& context, const Parsed& parsed) {
  engine::CleanRules rules;
  if (!parsed.has("all-projects")) rules.project_id = project_id(context);
  const bool has_rule = parsed.has("keep") || parsed.has("max-size");
  if (!has_rule) rules.older_than = k_week;
  if (const auto text = parsed.text("older-than")) {
    const auto age = parse_duration(*text);
    if (!age)
      throw Error(ErrorKind::usage, "--older-than takes a time such as 12h or 7d, not \"" + *text + "\"");
    rules.older_than = std::chrono::duration_cast<std::chrono::seconds>(*age);
  }
  if (const auto keep = parsed.number("keep", 0, 1'000'000'000)) rules.keep = static_cast<std::size_t>(*keep);
  if (const auto text = parsed.text("max-size")) {
    rules.max_size = parse_size(*text);
    if (!rules.max_size)
      throw Error(ErrorKind::usage, "--max-size takes a size such as 500M or 20G, not \"" + *text + "\"");
  }
  return rules;
}

// The hosts to look at: those of the jobs that were named, else as `re list` does.
std::vector<engine::Place> read_places(Context& context, const Parsed& parsed, engine::CleanRules& rules) {
  if (parsed.arguments.empty()) return job_places(context, parsed);
  std::vector<std::string> keys;
  for (const auto& selector : parsed.arguments) {
    const auto job = find_job(context, parsed, selector);
    rules.named.insert(job.id);
    if (std::find(keys.begin(), keys.end(), job.instance) == keys.end()) keys.push_back(job.instance);
  }
  return context.places_of(keys, parsed);
}

Async<void> look(remote::Host& host, const engine::CleanRules& rules, jobs::Registry& registry,
                 Cleaning& cleaning, milliseconds deadline) {
  jobs::JobHost jobs_there(host);
  jobs::ListFilter filter;
  filter.scope = jobs::ListFilter::Scope::all;
  const auto listing = co_await jobs_there.list(std::move(filter), deadline);
  for (const auto& record : registry.take_over(listing.jobs, cleaning.place.key))
    cleaning.indexes[record.id] = record.index;
  const auto survey = co_await jobs::survey(host, deadline);
  cleaning.plan = engine::plan_clean(listing, survey, rules);
  for (const auto& job : listing.jobs) {
    const bool goes = std::any_of(cleaning.plan.jobs.begin(), cleaning.plan.jobs.end(),
                                  [&](const auto& one) { return one.id == job.id; });
    if (!rules.named.contains(job.id) || goes) continue;
    throw Error(ErrorKind::conflict,
                "job " + std::to_string(cleaning.indexes[job.id]) + " has not ended (it is " +
                    std::string(to_string(job.state)) + ")",
                "re kill ends it");
  }
  if (cleaning.plan.is_empty()) co_return;
  auto remains = cleaning.plan.remains();
  cleaning.frees = co_await jobs::measure(host, std::move(remains), deadline);
}

Async<void> sweep(remote::Host& host, jobs::Registry& registry, Cleaning& cleaning, milliseconds deadline) {
  auto remains = cleaning.plan.remains();
  cleaning.kept = co_await jobs::remove(host, std::move(remains), deadline);
  std::erase_if(cleaning.kept, [](const auto& kept) { return kept.reason == "gone"; });
  const auto stays = [&](const JobId& id) {
    return std::any_of(cleaning.kept.begin(), cleaning.kept.end(),
                       [&](const auto& kept) { return kept.remains.job == id; });
  };
  for (const auto& job : cleaning.plan.jobs) {
    if (!stays(job.id)) registry.remove(job.id);
  }
}

// Does `work` for each, and notes who failed.
using Work = std::function<Async<void>(remote::Host&, Cleaning&)>;
void for_each(Context& context, std::vector<Cleaning*> cleanings, milliseconds deadline, const Work& work) {
  context.run([&]() -> Async<int> {
    std::vector<engine::Place> places;
    places.reserve(cleanings.size());
    for (const auto* cleaning : cleanings) places.push_back(cleaning->place);
    engine::OnEach each;
    each.deadline = deadline;
    each.work = [&](std::size_t i, remote::Host& host) -> Async<void> { co_await work(host, *cleanings[i]); };
    const auto failures = co_await engine::on_each(context.fleet(), places, std::move(each));
    for (std::size_t i = 0; i < cleanings.size(); ++i) cleanings[i]->error = failures[i];
    co_return 0;
  });
}

std::string render(Context& context, const std::vector<Cleaning*>& cleanings) {
  ui::Table table({{"Index", ui::Align::right, 5, {}, 9},
                   {"Name", ui::Align::left, 6, 24, 2},
                   {"Host", ui::Align::left, 8, {}, 3},
                   {"State", ui::Align::left, 8, {}, 8},
                   {"Age", ui::Align::right, 7, {}, 4},
                   {"Command", ui::Align::left, 7, 48, 1}});
  for (auto* cleaning : cleanings) {
    for (const auto& job : cleaning->plan.jobs) {
      std::string state(to_string(job.state));
      if (job.exit_code) state += " (exit " + std::to_string(*job.exit_code) + ")";
      const auto age = engine::age_of(job, cleaning->plan.now);
      table.add_row({{std::to_string(cleaning->indexes[job.id])},
                     {job.name},
                     {cleaning->place.label},
                     {state},
                     {format_elapsed(std::chrono::duration_cast<std::chrono::seconds>(age))},
                     {model::shown_command(job.command)}});
    }
  }
  ui::TableFormat format;
  format.colour = context.colour();
  if (context.console().out_sink() == ui::Sink::terminal) format.width = context.console().columns();
  std::string text = table.is_empty() ? std::string() : table.render(format);
  for (const auto* cleaning : cleanings) {
    text += cleaning->place.label + ": " + contents_of(cleaning->plan) + ", " + format_size(cleaning->frees) +
            "\n";
  }
  return text;
}

nlohmann::json to_json(Cleaning& cleaning) {
  nlohmann::json json = {{"instance", cleaning.place.label}, {"bytes", cleaning.frees},
                         {"jobs", nlohmann::json::array()},  {"snapshots", cleaning.plan.snapshots},
                         {"kept", nlohmann::json::array()},  {"error", nullptr}};
  for (const auto& job : cleaning.plan.jobs) {
    json["jobs"].push_back({{"index", cleaning.indexes[job.id]},
                            {"id", job.id.text()},
                            {"name", job.name},
                            {"state", to_string(job.state)}});
  }
  for (const auto& kept : cleaning.kept) {
    json["kept"].push_back({{"name", kept.remains.job ? kept.remains.job->text() : kept.remains.snapshot},
                            {"reason", kept.reason}});
  }
  if (cleaning.error) json["error"] = cleaning.error->what();
  return json;
}

void confirm(Context& context, const std::vector<Cleaning*>& cleanings) {
  if (!sys::open_terminal()) {
    throw Error(ErrorKind::usage, "clean asks on a terminal and there is none",
                "--yes removes without asking, --dry-run only says what would go");
  }
  engine::CleanPlan all;
  std::uint64_t frees = 0;
  for (const auto* cleaning : cleanings) {
    all.jobs.insert(all.jobs.end(), cleaning->plan.jobs.begin(), cleaning->plan.jobs.end());
    all.snapshots.insert(all.snapshots.end(), cleaning->plan.snapshots.begin(),
                         cleaning->plan.snapshots.end());
    frees += cleaning->frees;
  }
  if (!context.prompter().confirm("Remove " + contents_of(all) + " (" + format_size(frees) + ")"))
    throw Error(ErrorKind::interrupted, "nothing was removed");
}

void report(Context& context, const Cleaning& cleaning) {
  std::size_t jobs = cleaning.plan.jobs.size();
  std::size_t snapshots = cleaning.plan.snapshots.size();
  for (const auto& kept : cleaning.kept) {
    const std::string what =
        kept.remains.job ? "job " + kept.remains.job->text() : "snapshot " + kept.remains.snapshot;
    context.console().err("re: " + cleaning.place.label + ": " + ui::sanitise_line(what) + " stays (" +
                          ui::sanitise_line(kept.reason) + ")\n");
    --(kept.remains.job ? jobs : snapshots);
  }
  if (cleaning.error || context.mode() != OutputMode::human) return;
  context.console().out(cleaning.place.label + ": removed " + counted(jobs, "job") + " and " +
                        counted(snapshots, "snapshot") + "\n");
}

std::vector<engine::HostProblem> problems_of(const std::vector<Cleaning*>& cleanings) {
  std::vector<engine::HostProblem> problems;
  for (const auto* cleaning : cleanings) {
    if (cleaning->error) problems.push_back({cleaning->place.label, *cleaning->error});
  }
  return problems;
}

}  // namespace

int run_clean(Context& context, const Parsed& parsed) {
  auto rules = read_rules(context, parsed);
  std::vector<Cleaning> cleanings;
  for (auto& place : read_places(context, parsed, rules)) cleanings.push_back({std::move(place)});
  std::vector<Cleaning*> all;
  all.reserve(cleanings.size());
  for (auto& cleaning : cleanings) all.push_back(&cleaning);
  context.progress().step("asking " + counted(all.size(), "host"));
  const auto look_limit = limit(context, parsed, k_look_limit);
  for_each(context, all, look_limit, [&](remote::Host& host, Cleaning& cleaning) -> Async<void> {
    co_await look(host, rules, context.registry(), cleaning, look_limit);
  });
  std::vector<Cleaning*> chosen;
  for (auto* cleaning : all) {
    if (!cleaning->error && !cleaning->plan.is_empty()) chosen.push_back(cleaning);
  }
  report_problems(context, problems_of(all));
  if (!context.is_json()) {
    if (chosen.empty()) context.console().err("re: nothing to remove\n");
    context.console().out(render(context, chosen));
  }
  if (!parsed.has("dry-run") && !chosen.empty()) {
    if (!parsed.has("yes")) confirm(context, chosen);
    context.progress().step("removing on " + counted(chosen.size(), "host"));
    const auto removal_limit = limit(context, parsed, k_removal_limit);
    for_each(context, chosen, removal_limit, [&](remote::Host& host, Cleaning& cleaning) -> Async<void> {
      co_await sweep(host, context.registry(), cleaning, removal_limit);
    });
    for (const auto* cleaning : chosen) report(context, *cleaning);
    report_problems(context, problems_of(chosen));
  }
  if (context.is_json()) {
    nlohmann::json json = nlohmann::json::array();
    for (auto& cleaning : cleanings) json.push_back(to_json(cleaning));
    context.console().out(to_text(json));
  }
  const bool all_went =
      std::all_of(all.begin(), all.end(), [](const auto* one) { return one->kept.empty(); });
  return std::max(all_went ? 0 : 1, worst_exit_code(problems_of(all)));
}

}  // namespace re::cli
