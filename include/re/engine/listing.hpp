// Jobs over all hosts, and the registry brought up to date by what the hosts say.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "re/base/clock.hpp"
#include "re/engine/fleet.hpp"
#include "re/jobs/job_host.hpp"
#include "re/jobs/registry.hpp"

namespace re::engine {

/// What is known of one job after a listing.
struct ListedJob {
  jobs::RegistryRecord record;
  std::optional<model::JobStatus> status;  ///< what its host says; nothing when the host could not be asked
  std::string place_label;
};

struct HostProblem {
  std::string place_label;
  Error error;
};

struct JobTable {
  std::vector<ListedJob> jobs;  ///< oldest first
  std::vector<HostProblem> problems;
};

/// A listing under way, whenever a place has answered or failed.
struct ListingNews {
  std::function<JobTable()> table;  ///< as it stands when it is called; not after list_jobs() has returned
  std::size_t settled = 0;          ///< how many places have answered or failed
};

struct ListRequest {
  std::vector<Place> places;
  std::optional<std::string> project_id;  ///< nothing: all projects
  std::chrono::milliseconds deadline{std::chrono::seconds(20)};
  std::function<void(const ListingNews&)> watch = {};
};

/// Asks every place at the same time, takes what they say over into the registry, and settles jobs whose
/// submission was never answered; a job that was accepted over a minute ago and never began is started. A
/// place that cannot be asked is a problem in the result; its jobs stand as they were last known.
Async<JobTable> list_jobs(Fleet& fleet, jobs::Registry& registry, const Clock& clock, ListRequest request);

}  // namespace re::engine
