// Submitting a job: written down here first, then launched until the host has answered.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "re/base/progress.hpp"
#include "re/engine/files.hpp"
#include "re/engine/fleet.hpp"
#include "re/jobs/job_host.hpp"
#include "re/jobs/registry.hpp"
#include "re/model/job.hpp"

namespace re::engine {

enum class Source {
  current,       ///< the project's files as they are now
  last_snapshot  ///< those of the project's newest job at that place (--no-rsync)
};

struct SubmitRequest {
  Place place;
  RemoteProject remote;
  /// Everything but index, snapshot and the project's fields, which are filled in.
  model::JobSpec spec;
  Source source = Source::current;
  Trust trust = Trust::times;
  jobs::Input input = jobs::Input::channel;
  std::shared_ptr<const LocalState> state = {};  ///< the project's files, where they were read already
  std::chrono::milliseconds deadline{std::chrono::seconds(60)};  ///< for each request to the host
};

struct Submitted {
  model::JobSpec spec;
  jobs::LaunchReport report;
  std::shared_ptr<remote::Host> host;
  /// With Streams::split; lives no longer than `host`. That the job runs is not written down then: who reads
  /// them writes down how it goes on.
  std::unique_ptr<jobs::Attachment> streams;
};

class Submitter {
 public:
  /// All of them outlive this.
  Submitter(Fleet& fleet, jobs::Registry& registry, Progress& progress)
      : m_fleet(fleet), m_registry(registry), m_progress(progress) {}

  /// Returns when the host has confirmed. When the answer is lost, the launch is repeated over new
  /// connections under the same id; if that fails too, the job stays in state unknown and Error (unreachable)
  /// says so: it may run, and the next listing finds out. Any other Error means that nothing runs; the job is
  /// then forgotten.
  Async<Submitted> submit(SubmitRequest request, ProjectFiles& files);
  /// Many jobs at one place, in few messages: all are accepted on the return, and start one after the other.
  /// With merged streams and without a terminal. Returns them with their ids and indices, in the order of the
  /// commands. Where it fails or the answer is lost some may be accepted and others not; Error as from
  /// submit(), for those that are not.
  Async<std::vector<model::JobSpec>> submit_batch(SubmitRequest request, std::vector<std::string> commands,
                                                  ProjectFiles& files);

 private:
  struct Attempt;
  Async<void> reach(Attempt& attempt);
  void read_files(Attempt& attempt);
  Async<void> launch_and_recover(Attempt& attempt);
  Async<void> launch_batch(Attempt& attempt);
  Async<void> launch_until_answered(Attempt& attempt);
  Async<void> bring_if_live(Attempt& attempt);
  Async<void> launch_once(Attempt& attempt);
  Async<void> answer_missing_snapshot(Attempt& attempt);
  void record(const Attempt& attempt, std::span<const model::JobSpec> jobs);

  Fleet& m_fleet;
  jobs::Registry& m_registry;
  Progress& m_progress;
};

}  // namespace re::engine
