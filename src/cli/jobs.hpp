// What the commands about jobs have in common.
#pragma once

#include <string>
#include <vector>

#include "cli/context.hpp"
#include "re/engine/listing.hpp"

namespace re::cli {

/// The id of the project that the working directory is in, or nothing.
std::optional<std::string> project_id(Context& context);

/// Every place that can have jobs of interest: those of -i, else all configured ones and those that the
/// registry knows.
std::vector<engine::Place> job_places(Context& context, const Parsed& parsed);

/// What a terminal shows of the jobs of the hosts that have answered so far.
using JobView = std::function<std::string(engine::JobTable)>;
/// Asks the hosts, with a live view if one is given. Problems are printed by the caller.
engine::JobTable ask_hosts(Context& context, const Parsed& parsed, std::optional<std::string> project,
                           const JobView& view = {});

/// The job that the selector names ("": the newest), from the registry, else after asking the hosts.
jobs::RegistryRecord find_job(Context& context, const Parsed& parsed, const std::string& selector);

/// The state as it is shown: "running", "done (exit 0)", "unreachable".
std::string state_text(const engine::ListedJob& job, const engine::JobTable& table);
model::JobState state_of(const engine::ListedJob& job);

/// Index, name, pid, host, state, elapsed. `with_all` adds recompute.py's row 0, "all".
enum class AllRow { no, yes };
std::string render_jobs(Context& context, const engine::JobTable& table, AllRow all_row);
void report_problems(Context& context, const std::vector<engine::HostProblem>& problems);
/// The highest exit code that one of them has; 0 without any.
int worst_exit_code(const std::vector<engine::HostProblem>& problems);
/// Ends these jobs and says what became of each. Returns the exit code.
int kill_and_report(Context& context, const Parsed& parsed, const std::vector<jobs::RegistryRecord>& jobs);

}  // namespace re::cli
