// The jobs of one host: launched exactly once, watched, listed, read. ARCHITECTURE.md, "A job on a host".
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "re/base/error.hpp"
#include "re/jobs/patch.hpp"
#include "re/model/job.hpp"
#include "re/remote/host.hpp"

namespace re::jobs {

/// Of a job's command, in bytes: the kernel takes at most 128 KiB in one argument (MAX_ARG_STRLEN).
inline constexpr std::size_t k_command_limit = 120'000;

/// What a host answered to a submission.
enum class Launch {
  started,        ///< its process runs
  exited,         ///< it has ended already (a short command, or a repeated submission)
  starting,       ///< its supervisor lives and makes its work tree
  committed,      ///< accepted; it is about to start. Repeat the launch if that lasts
  lost,           ///< it was started once and vanished; it is never started again
  conflict,       ///< the host has another job under this id
  need_snapshot,  ///< the snapshot is not there; nothing was made
};

struct LaunchReport {
  Launch answer = Launch::committed;
  std::optional<int> pid;        ///< with started
  std::optional<int> exit_code;  ///< with exited; 125 when `re` itself could not start it (its log says why)
};

/// Positions in a job's two streams, in bytes from the beginning.
struct Offsets {
  std::uint64_t output = 0;
  std::uint64_t error = 0;
};

enum class LogStream { output, error };

/// Where a job stands, as an answer about its log tells.
struct LogState {
  std::uint64_t size = 0;  ///< of the file, in bytes; smaller than an offset that was read before: truncated
  model::JobState state = model::JobState::unknown;
  std::optional<int> exit_code;
  std::optional<std::uint64_t> error_size;  ///< of the file of stderr, where the job has one
};

struct LogPiece {
  std::string data;
  LogState log;
};

/// Which jobs to list.
struct ListFilter {
  enum class Scope { live, all };
  Scope scope = Scope::live;
  std::optional<std::string> project_id;
  std::vector<JobId> ids;  ///< empty: every job
};

struct Listing {
  std::chrono::system_clock::time_point now = {};  ///< by the host's clock
  std::vector<model::JobStatus> jobs;              ///< oldest first
  std::vector<Error> problems;                     ///< one for each job whose files could not be understood
};

/// A job's streams while it runs. The job does not depend on it: it goes on when this goes.
class Attachment {
 public:
  struct End {
    model::JobState state = model::JobState::unknown;  ///< done, lost, …; a live state when the host gave up
    std::optional<int> exit_code;
    Offsets sizes;  ///< less than what was delivered: the log was truncated
  };

  ~Attachment();
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  /// The next bytes of either stream, byte-exact; `end` when the job has ended and all of it was delivered.
  /// Throws Error (unreachable) when the connection broke: attach again at offsets().
  Async<transport::Chunk> read();
  /// To the job's standard input (after launch_attached only).
  Async<void> write(std::string_view data);
  Async<void> close_input();
  /// Where the next byte of each stream stands.
  [[nodiscard]] Offsets offsets() const { return m_offsets; }
  /// What the submission answered (after launch_attached; else `started`). With conflict and need_snapshot
  /// there are no streams.
  [[nodiscard]] const LaunchReport& launched() const { return m_launched; }
  /// After read() said `end`.
  [[nodiscard]] const End& end() const { return m_end.value(); }
  /// Lets go of the streams.
  Async<void> close();

 private:
  friend class JobHost;
  Attachment(remote::Host& host, JobId id, Offsets offsets);
  Async<void> read_answer(std::string token);
  Async<void> start();
  void take_error(std::string_view data);
  void hold(transport::Chunk chunk);
  std::optional<transport::Chunk> take_held();
  void take_end(const remote::Outcome& outcome);
  Async<transport::Chunk> read_rest();
  void count(const transport::Chunk& chunk);

  remote::Host* m_host;
  JobId m_id;
  std::unique_ptr<remote::ScriptRun> m_run;
  std::string m_held_output;  // what came with the answer's line
  std::string m_held_error;
  std::string m_mark;       // the job's stderr begins behind it; empty once it was seen
  std::string m_complaint;  // what came before
  Offsets m_offsets;
  LaunchReport m_launched;
  std::optional<End> m_end;
  bool m_knows_unsupervised = false;
};

enum class SignalAnswer { sent, gone };

/// What a job with streams has on its input.
enum class Input { channel, nothing };

struct LaunchOptions {
  /// Outlives the call; what the host makes the snapshot from when it lacks it. Where that is not possible
  /// the answer is need_snapshot, as without.
  const SnapshotPatch* patch = nullptr;
  /// How long ago the first attempt with this spec was sent. A host that has started since may have run a job
  /// with streams and lost all trace of it: it answers lost.
  std::chrono::seconds age{0};
  Input input = Input::channel;
};

/// All calls throw what remote::Host::run() throws; Error (unsupported) names a tool that the host lacks.
class JobHost {
 public:
  /// \param host must outlive this and its attachments
  /// \param shell the host's POSIX shell
  explicit JobHost(remote::Host& host, std::string shell = "/bin/sh");

  /// A launch of this project will come (the spec's project, streams and kind of work tree are read): what
  /// does not depend on the rest is sent. See remote::Host::expect.
  Async<void> expect_launch(const model::JobSpec& spec, std::chrono::milliseconds deadline);
  /// Submits a job. Idempotent: however often it is called with one spec, the job starts at most once; with a
  /// host that answers, once. Throws Error: usage (a spec that cannot be sent), remote (disk full, no
  /// permission; nothing runs then), unsupported.
  ///
  /// The job runs as `/bin/sh -c <command>` with /dev/null as input, in the environment of a non-login ssh
  /// command and spec.environment over it, RE_JOB_ID, RE_JOB_INDEX, RE_JOB_NAME, RE_PROJECT, and
  /// PYTHONUNBUFFERED=1 unless that is set.
  Async<LaunchReport> launch(model::JobSpec spec, std::chrono::milliseconds deadline,
                             LaunchOptions options = {});
  /// The same with the job's streams (Streams::split) in one request. `deadline` is for the start.
  Async<std::unique_ptr<Attachment>> launch_attached(model::JobSpec spec, std::chrono::milliseconds deadline,
                                                     LaunchOptions options = {});
  /// Submits many jobs in one request: committed, need_snapshot, or conflict, for all of them; they start one
  /// after the other. Idempotent as launch() is; a repetition commits what is missing. Throws as launch()
  /// does.
  /// \param specs not empty; merged streams; all of one snapshot and one diff (kept with the first)
  Async<Launch> launch_batch(std::vector<model::JobSpec> specs, std::chrono::milliseconds deadline);
  /// Starts a job in state committed: its submission was accepted, and whoever submitted it vanished before
  /// the start. At most one start, as with launch(). A job on a terminal stays as it is: it begins with its
  /// terminal. Throws Error as launch() does, and not_found.
  Async<LaunchReport> resume(JobId id, std::chrono::milliseconds deadline);
  /// The streams of a job from these offsets to its end. Throws Error (not_found).
  Async<std::unique_ptr<Attachment>> attach(JobId id, Offsets offsets, std::chrono::milliseconds deadline);

  /// To the process group of the job, if it is the process that was started (start time, boot, namespace).
  Async<SignalAnswer> send_signal(JobId id, int signal, std::chrono::milliseconds deadline);
  /// One request, evaluated on the host; cheap with thousands of ended jobs.
  Async<Listing> list(ListFilter filter, std::chrono::milliseconds deadline);

  struct LogRange {
    LogStream stream = LogStream::output;
    std::uint64_t offset = 0;
    std::uint64_t limit = std::uint64_t{1} << 20U;
  };
  Async<LogPiece> read_log(JobId id, LogRange range, std::chrono::milliseconds deadline);
  /// Passes the last lines to `sink` as they come, in constant memory. The `size` it returns is the offset at
  /// which they ended: reading on from there misses and repeats nothing. `deadline` is for the first byte.
  Async<LogState> tail_log(JobId id, std::uint64_t lines, std::function<void(std::string_view)> sink,
                           std::chrono::milliseconds deadline);

 private:
  remote::Host* m_host;
  std::string m_shell;
};

}  // namespace re::jobs
