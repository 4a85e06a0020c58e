#include <algorithm>

#include "cli/commands/all.hpp"
#include "cli/jobs.hpp"
#include "re/sys/terminal.hpp"

namespace re::cli {

namespace {

std::vector<jobs::RegistryRecord> live_jobs(const engine::JobTable& table) {
  std::vector<jobs::RegistryRecord> live;
  for (const auto& job : table.jobs) {
    if (!model::is_final(state_of(job))) live.push_back(job.record);
  }
  return live;
}

engine::JobTable ask_for_live(Context& context, const Parsed& parsed) {
  auto table = ask_hosts(context, parsed, project_id(context));
  report_problems(context, table.problems);
  std::erase_if(table.jobs, [](const auto& job) { return model::is_final(state_of(job)); });
  return table;
}

// recompute.py's question; a wrong answer ends nothing.
std::vector<std::string> ask_which(Context& context, const engine::JobTable& table) {
  context.console().out(render_jobs(context, table, AllRow::yes));
  std::vector<std::string> selectors;
  const std::string answer = sys::ask_line("Process to kill (index) : ");
  for (const auto word : split_words(answer)) selectors.emplace_back(word);
  if (selectors.empty()) throw Error(ErrorKind::interrupted, "nothing was ended");
  return selectors;
}

std::vector<std::string> selectors_of(const Parsed& parsed) {
  auto selectors = parsed.arguments;
  if (const auto index = parsed.number("idx", 0, 1'000'000'000)) selectors.push_back(std::to_string(*index));
  return selectors;
}

// One job; with -i a name may mean one on each of these instances, and no job elsewhere is touched.
std::vector<jobs::RegistryRecord> jobs_named(Context& context, const Parsed& parsed,
                                             const std::string& selector) {
  auto job = find_job(context, parsed, selector);
  if (!parsed.has("instance") && !parsed.has("instance-idx")) return {std::move(job)};
  const auto places = context.places(parsed);
  std::vector<jobs::RegistryRecord> chosen;
  for (const auto& place : places) {
    std::optional<jobs::RegistryRecord> there;
    const jobs::RegistryFilter filter{jobs::RegistryFilter::Which::all, project_id(context), place.key};
    const auto known = context.registry().list(filter);
    for (const auto& other : known) {
      if (job.name == selector ? other.name == selector : other.id == job.id) there = other;
    }
    if (there) chosen.push_back(*std::move(there));
  }
  if (!chosen.empty()) return chosen;
  throw Error(ErrorKind::not_found,
              "job " + selector + " ran on " + job.instance + ", which -i does not name",
              "drop -i, or name that instance");
}

}  // namespace

int run_kill(Context& context, const Parsed& parsed) {
  auto selectors = selectors_of(parsed);
  std::optional<engine::JobTable> table;
  if (selectors.empty()) {
    if (!sys::open_terminal()) throw Error(ErrorKind::usage, "which job", "re kill JOB, or re kill --idx=N");
    table = ask_for_live(context, parsed);
    if (table->jobs.empty()) {
      context.console().err("re: no live jobs\n");
      return 0;
    }
    selectors = ask_which(context, *table);
  }
  std::vector<jobs::RegistryRecord> chosen;
  for (const auto& selector : selectors) {
    if (selector == "0") {
      if (!table) table = ask_for_live(context, parsed);
      chosen = live_jobs(*table);
      break;
    }
    for (auto& job : jobs_named(context, parsed, selector)) chosen.push_back(std::move(job));
  }
  return kill_and_report(context, parsed, chosen);
}

int run_purge(Context& context, const Parsed& parsed) {
  const auto table = ask_for_live(context, parsed);
  const auto live = live_jobs(table);
  if (live.empty()) {
    if (context.mode() == OutputMode::human) context.console().err("re: no live jobs\n");
    return table.problems.empty() ? 0 : 1;
  }
  if (!parsed.has("yes")) {
    if (!sys::open_terminal())
      throw Error(ErrorKind::usage, "purge asks on a terminal and there is none",
                  "--yes ends the jobs without asking");
    context.console().out(render_jobs(context, table, AllRow::no));
    if (!context.prompter().confirm("End " + std::to_string(live.size()) +
                                    (live.size() == 1 ? " job" : " jobs"))) {
      throw Error(ErrorKind::interrupted, "nothing was ended");
    }
  }
  return kill_and_report(context, parsed, live);
}

}  // namespace re::cli
