// Ending jobs: the whole tree of processes, and no other (ARCHITECTURE.md, "Kill").
#pragma once

#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include "re/base/job_id.hpp"
#include "re/remote/host.hpp"
#include "re/sys/async.hpp"

namespace re::jobs {

struct KillOptions {
  std::chrono::milliseconds grace{5000};  ///< between the signal and SIGKILL
  int signal = SIGTERM;                   ///< the first one; SIGKILL ends the job without grace
};

struct Survivor {
  int pid = 0;  ///< 0: a process that we may not see
  std::string
      command;  ///< its command line, at most 200 bytes without control characters; "[name]" without one
};

struct KillReport {
  enum class Outcome {
    killed,         ///< nothing of it lives
    already_ended,  ///< there was nothing to kill
    not_running,    ///< it had not begun, and will not
    survivors,      ///< some of its processes live on (of another user, or stuck in the kernel)
    refused,        ///< it cannot be told which processes are the job's: nothing was signalled
    unknown_job,    ///< the host has no such job, and nothing of it runs
  };
  JobId id;
  Outcome outcome = Outcome::unknown_job;
  std::string reason;  ///< with refused
  std::vector<Survivor> survivors;
};

/// Ends jobs on one host; up to eight at the same time. A job is never called killed while its lock is held.
/// Processes are only signalled when they are certainly the job's and of the same user; a recycled pid never
/// is. Idempotent: killed jobs are already_ended the next time.
/// \param deadline for all of it; must exceed the grace by some seconds
/// \return one report per id, in the order of `ids`
/// Throws what Host::run() throws, and Error (protocol) when a job's report is missing.
Async<std::vector<KillReport>> kill_jobs(remote::Host& host, std::vector<JobId> ids, KillOptions options,
                                         std::chrono::milliseconds deadline);

/// Those of the jobs that run on although the host has no directory of them any more: someone removed it.
/// Looks through all processes of the host. Throws what Host::run() throws.
Async<std::vector<JobId>> find_orphans(remote::Host& host, std::vector<JobId> ids,
                                       std::chrono::milliseconds deadline);

}  // namespace re::jobs
