// Removing what ended jobs have left on a host.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "re/base/job_id.hpp"
#include "re/remote/host.hpp"
#include "re/sys/async.hpp"

namespace re::jobs {

/// What lies in ~/.re on a host. Sizes are bytes on the disk; a file that several have links to counts for
/// the first of them only, snapshots before jobs.
struct Survey {
  struct Job {
    std::uint64_t size = 0;
    std::string snapshot = {};  ///< what it was made from; empty without one
  };
  struct Snapshot {
    std::uint64_t size = 0;
    bool is_latest = false;  ///< of its project: what the next launch is compared with
  };
  std::map<JobId, Job> jobs;
  std::map<std::string, Snapshot> snapshots;
};

/// One directory to remove.
struct Remains {
  std::optional<JobId> job;
  std::string snapshot = {};  ///< when it is no job's
};

struct Kept {
  Remains remains;
  std::string reason;  ///< a job's state, "used", "gone", "locked" or "failed"
};

/// All calls throw what Host::run() throws, and Error (protocol).
Async<Survey> survey(remote::Host& host, std::chrono::milliseconds deadline);

/// How many bytes the removal would free: not what has links from elsewhere.
Async<std::uint64_t> measure(remote::Host& host, std::vector<Remains> remains,
                             std::chrono::milliseconds deadline);

/// Removes them, jobs first, and returns those that stay. A job that lives is left alone whatever the caller
/// believes, and so is a snapshot that a job needs or that is its project's newest. A later repetition of a
/// removed job's submission starts nothing. Idempotent; killed at any moment it leaves whole jobs, or parts
/// that the next one deletes.
/// \param deadline for each few dozen of them
Async<std::vector<Kept>> remove(remote::Host& host, std::vector<Remains> remains,
                                std::chrono::milliseconds deadline);

}  // namespace re::jobs
