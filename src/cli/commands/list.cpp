#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands/all.hpp"
#include "cli/jobs.hpp"
#include "cli/json.hpp"

namespace re::cli {

namespace {

template <class T>
nlohmann::json or_null(const std::optional<T>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

std::optional<std::int64_t> epoch(const std::optional<std::chrono::system_clock::time_point>& time) {
  if (!time) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(time->time_since_epoch()).count();
}

nlohmann::json to_json(const engine::ListedJob& job, const engine::JobTable& table) {
  const bool has_status = job.status.has_value();
  nlohmann::json json = {{"index", job.record.index},
                         {"id", job.record.id.text()},
                         {"name", job.record.name},
                         {"project", job.record.project_name},
                         {"instance", job.place_label},
                         {"command", job.record.command},
                         {"state", to_string(state_of(job))},
                         {"is_reachable", has_status || state_text(job, table) != "unreachable"}};
  json["pid"] = has_status ? or_null(job.status->pid) : nlohmann::json(nullptr);
  json["exit_code"] = has_status ? or_null(job.status->exit_code) : or_null(job.record.exit_code);
  json["started"] = or_null(epoch(has_status ? job.status->started : job.record.started));
  json["ended"] = or_null(epoch(has_status ? job.status->ended : job.record.ended));
  json["git_commit"] = job.record.git_commit;
  json["snapshot"] = job.record.snapshot;
  json["submitted_from"] = job.record.submitted_from;
  return json;
}

nlohmann::json to_json(const engine::JobTable& table) {
  nlohmann::json json = {{"jobs", nlohmann::json::array()}, {"problems", nlohmann::json::array()}};
  for (const auto& job : table.jobs) json["jobs"].push_back(to_json(job, table));
  for (const auto& problem : table.problems) {
    json["problems"].push_back({{"instance", problem.place_label},
                                {"kind", to_string(problem.error.kind())},
                                {"message", problem.error.what()}});
  }
  return json;
}

}  // namespace

int run_list(Context& context, const Parsed& parsed) {
  auto project = parsed.has("all-projects") ? std::nullopt : project_id(context);
  const auto leave_out_ended = [&](engine::JobTable& table) {
    if (parsed.has("all")) return;
    std::erase_if(table.jobs, [&](const auto& job) { return model::is_final(state_of(job)); });
  };
  const JobView view = [&](engine::JobTable table) {
    leave_out_ended(table);
    return render_jobs(context, table, AllRow::no);
  };
  auto table = ask_hosts(context, parsed, std::move(project), view);
  leave_out_ended(table);
  if (context.is_json()) {
    context.console().out(to_text(to_json(table)));
  } else if (table.jobs.empty() && context.mode() == OutputMode::human) {
    context.console().err(parsed.has("all") ? "re: no jobs\n"
                                            : "re: no live jobs; re list --all shows the ended ones\n");
  } else {
    context.console().out(render_jobs(context, table, AllRow::no));
  }
  if (context.is_json() || table.problems.empty()) return 0;
  report_problems(context, table.problems);
  return worst_exit_code(table.problems);
}

}  // namespace re::cli
