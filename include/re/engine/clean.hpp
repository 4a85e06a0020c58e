// Which of the things that ended jobs have left on a host go. Values only: nothing is removed here.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "re/jobs/clean.hpp"
#include "re/jobs/job_host.hpp"

namespace re::engine {

struct CleanRules {
  std::optional<std::string> project_id = {};  ///< only its jobs; nothing: all projects'
  std::set<JobId> named = {};                  ///< not empty: these jobs, whatever the other rules say
  /// Only jobs that ended so long ago; where that is not known, that were submitted so long ago.
  std::chrono::seconds older_than{0};
  std::size_t keep = 1;  ///< so many of each project's newest ended jobs stay
  /// Only as many of the oldest as must go so that what stays, jobs and snapshots, is not larger (bytes).
  std::optional<std::uint64_t> max_size = {};
};

struct CleanPlan {
  std::vector<model::JobStatus> jobs;  ///< oldest first
  std::vector<std::string> snapshots;  ///< which no job needs then, and which are not their projects' newest
  std::chrono::system_clock::time_point now = {};  ///< by the host's clock

  [[nodiscard]] bool is_empty() const { return jobs.empty() && snapshots.empty(); }
  [[nodiscard]] std::vector<jobs::Remains> remains() const;
};

/// Since when it has ended; where that is not known, since it was submitted. Never less than nothing: a job's
/// end is told from the uptime, and may be a second ahead of the clock.
std::chrono::system_clock::duration age_of(const model::JobStatus& job,
                                           std::chrono::system_clock::time_point now);

/// \param listing every job of the host
/// Live jobs, and those of which the host cannot say whether they live, are never in the plan.
CleanPlan plan_clean(const jobs::Listing& listing, const jobs::Survey& survey, const CleanRules& rules);

}  // namespace re::engine
