// A job's output: what is there, what comes, over however many connections.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

#include "re/base/progress.hpp"
#include "re/engine/fleet.hpp"
#include "re/jobs/job_host.hpp"

namespace re::engine {

using LogSink = std::function<void(jobs::LogStream, std::string_view)>;

struct JobPlace {
  Place place;
  JobId id;
};

struct Followed {
  model::JobState state = model::JobState::unknown;
  std::optional<int> exit_code;
};

/// Streams a job's output from `offsets` to its end. A broken connection is made anew and the streams go on
/// at the byte where they broke, for as long as it takes: nothing is lost or repeated. Throws Error:
/// not_found, and what connecting throws but unreachable and timeout.
Async<Followed> follow(Fleet& fleet, JobPlace job, jobs::Offsets offsets, LogSink sink, Progress& progress);

/// Copies of logs on this machine, so that only new bytes travel. The first k_limit bytes of each stream are
/// kept.
class LogCache {
 public:
  static constexpr std::uint64_t k_limit = std::uint64_t{64} << 20U;

  /// \param directory is made when it is missing
  LogCache(const std::filesystem::path& directory, const JobId& id);
  /// Passes on what is kept and returns where it ends.
  jobs::Offsets replay(const LogSink& sink) const;
  /// Keeps what came at the end of what is kept.
  void append(jobs::LogStream stream, std::string_view data);
  /// The log on the host is another one (it was truncated): forgets it.
  void clear(jobs::LogStream stream);

 private:
  [[nodiscard]] std::filesystem::path file(jobs::LogStream stream) const;
  std::filesystem::path m_stem;
};

/// Passes on what both streams have beyond `offsets`, and moves these. A log that is shorter than its offset
/// was truncated: `truncated` is called and it is read from the beginning. Returns where the job stands.
Async<jobs::LogState> read_news(remote::Host& host, JobId id, jobs::Offsets& offsets, LogSink sink,
                                std::function<void(jobs::LogStream)> truncated);

}  // namespace re::engine
