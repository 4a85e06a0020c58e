#include "cli/jobs.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <set>

#include "cli/exit_code.hpp"
#include "cli/live.hpp"
#include "re/base/units.hpp"
#include "re/ui/table.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

std::optional<std::string> project_id(Context& context) {
  if (!context.project() || context.project()->id.empty()) return std::nullopt;
  return context.project()->id;
}

std::vector<engine::Place> job_places(Context& context, const Parsed& parsed) {
  if (parsed.has("instance") || parsed.has("instance-idx")) return context.places(parsed);
  auto places = context.all_places(parsed);
  for (const auto& record : context.registry().list({})) {
    const bool is_known = std::any_of(places.begin(), places.end(),
                                      [&](const auto& place) { return place.key == record.instance; });
    if (!is_known) places.push_back(context.place_of(record.instance, parsed));
  }
  return places;
}

namespace {

// The jobs of those that have answered, and who has not.
LiveText live_text(const JobView& view, const engine::ListingNews& news, std::size_t places) {
  auto table = news.table();
  std::set<std::string_view> failed;
  for (const auto& problem : table.problems) failed.insert(problem.place_label);
  const std::string summary = answered_of(news.settled, std::min(failed.size(), news.settled), places);
  return {view(std::move(table)), summary};
}

}  // namespace

engine::JobTable ask_hosts(Context& context, const Parsed& parsed, std::optional<std::string> project,
                           const JobView& view) {
  engine::JobTable table;
  engine::ListRequest request{job_places(context, parsed), std::move(project), context.deadline(parsed), {}};
  const std::size_t places = request.places.size();
  context.run([&]() -> Async<int> {
    context.progress().step("asking " + std::to_string(places) + (places == 1 ? " host" : " hosts"));
    std::optional<Live> live;
    std::optional<engine::ListingNews> news;
    request.watch = [&](const engine::ListingNews& latest) {
      if (!view || places == 1) return;
      news = latest;
      if (!live) live.emplace(context, [&] { return live_text(view, *news, places); });
      live->changed();
    };
    table = co_await engine::list_jobs(context.fleet(), context.registry(), context.clock(), request);
    co_return 0;
  });
  return table;
}

jobs::RegistryRecord find_job(Context& context, const Parsed& parsed, const std::string& selector) {
  const std::string project = project_id(context).value_or("");
  try {
    return context.registry().find(project, selector, jobs::SameName::newest);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
  report_problems(context,
                  ask_hosts(context, parsed, project_id(context)).problems);  // it may be another machine's
  return context.registry().find(project, selector, jobs::SameName::newest);
}

model::JobState state_of(const engine::ListedJob& job) {
  return job.status ? job.status->state : job.record.state;
}

namespace {

bool is_unreachable(const engine::ListedJob& job, const engine::JobTable& table) {
  return !job.status && std::any_of(table.problems.begin(), table.problems.end(), [&](const auto& problem) {
    return problem.place_label == job.place_label;
  });
}

std::string elapsed_text(const engine::ListedJob& job) {
  if (job.status && job.status->elapsed) return format_elapsed(*job.status->elapsed);
  return "-";
}

ui::Style style_of(const std::string& state) {
  if (state.starts_with("running")) return ui::Style::good;
  if (state == "done (exit 0)") return ui::Style::dim;
  return state.starts_with("done") || state.starts_with("lost") || state.starts_with("unreach")
             ? ui::Style::bad
             : ui::Style::plain;
}

}  // namespace

std::string state_text(const engine::ListedJob& job, const engine::JobTable& table) {
  if (is_unreachable(job, table))
    return model::is_final(job.record.state) ? std::string(to_string(job.record.state)) : "unreachable";
  const auto state = state_of(job);
  const auto code = job.status ? job.status->exit_code : job.record.exit_code;
  std::string text(to_string(state));
  if (state == model::JobState::done && code) text += " (exit " + std::to_string(*code) + ")";
  return text;
}

std::string render_jobs(Context& context, const engine::JobTable& table, AllRow all_row) {
  ui::Table rows({{"Index", ui::Align::right, 5, {}, 9},
                  {"Name", ui::Align::left, 6, 24, 2},
                  {"PID", ui::Align::right, 5, {}, 5},
                  {"Host", ui::Align::left, 8, {}, 3},
                  {"State", ui::Align::left, 8, {}, 8},
                  {"Elapsed", ui::Align::right, 7, {}, 4},
                  {"Command", ui::Align::left, 7, 48, 1}});
  if (all_row == AllRow::yes) rows.add_row({{"0"}, {"all"}, {"*"}, {""}, {""}, {""}, {""}});
  for (const auto& job : table.jobs) {
    const std::string pid = job.status && job.status->pid ? std::to_string(*job.status->pid) : "-";
    const std::string state = state_text(job, table);
    rows.add_row({{std::to_string(job.record.index)},
                  {job.record.name},
                  {pid},
                  {job.place_label},
                  {state, style_of(state)},
                  {elapsed_text(job)},
                  {model::shown_command(job.record.command)}});
  }
  ui::TableFormat format;
  format.colour = context.colour();
  if (context.console().out_sink() == ui::Sink::terminal) format.width = context.console().columns();
  return rows.render(format);
}

void report_problems(Context& context, const std::vector<engine::HostProblem>& problems) {
  for (const auto& problem : problems)
    context.console().err("re: " + ui::sanitise_line(problem.error.what()) + "\n");
}

int worst_exit_code(const std::vector<engine::HostProblem>& problems) {
  int worst = 0;
  for (const auto& problem : problems)
    worst = std::max(worst, static_cast<int>(exit_code_for(problem.error.kind())));
  return worst;
}

}  // namespace re::cli
