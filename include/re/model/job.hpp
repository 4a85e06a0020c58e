// A job and its states: pure values. The vocabulary of design section 1.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "re/base/job_id.hpp"

namespace re::model {

/// Where a job stands. Evaluated on read from the job directory (ARCHITECTURE.md, "A job on a host").
enum class JobState {
  intent,        ///< written down here; no answer from the host yet
  unknown,       ///< the answer did not come: it may run or not; the next `re` finds out
  committed,     ///< the host has accepted it; it is about to start
  running,       ///< its supervisor and its process live
  unsupervised,  ///< it runs but its supervisor is gone: its exit code will not be known
  leftovers,     ///< it ended; processes it started still run
  done,          ///< it ended and left an exit status
  lost,          ///< it started and vanished without an exit status
  rebooted,      ///< the host went down while it ran
  incomplete,    ///< its submission never finished; nothing ran
};

std::string_view to_string(JobState state);
std::optional<JobState> parse_job_state(std::string_view text);
/// Whether processes of the job may be alive.
bool is_live(JobState state);
/// Whether the state can still change by itself or by the next reconciliation.
bool is_final(JobState state);

/// How the job's directory is chosen.
enum class WorkTree {
  own,   ///< its own tree, made from the snapshot
  live,  ///< the project's own directory, as recompute.py did
};

/// Where a job's output goes.
enum class Streams {
  merged,   ///< stdout and stderr into `log` (async)
  split,    ///< stdout into `log`, stderr into `err`, stdin attached (sync)
  terminal  ///< a pty that lives as long as the connection (sync -t); no log
};

/// What is submitted; immutable after commit. Serialised into `spec` on the host as `key=value` lines
/// (src/jobs/spec.cpp specifies the format).
struct JobSpec {
  JobId id;
  std::uint32_t index = 0;      ///< small number, never changes within its project; 1 and up
  std::string name = {};        ///< shown by `list`; "runner" when the user gave none
  std::string command = {};     ///< for /bin/sh -c
  std::string project_id = {};  ///< identifies the project across machines
  std::string project_name = {};
  std::string project_path = {};  ///< the project's directory on the host, relative to the home or absolute
  std::string snapshot = {};      ///< content name of the snapshot; empty with WorkTree::live
  WorkTree work_tree = WorkTree::own;
  Streams streams = Streams::merged;
  std::optional<JobId> continues = {};   ///< start from that job's work tree
  std::vector<std::string> shared = {};  ///< directories of the project that are linked into the work tree
  std::vector<std::pair<std::string, std::string>> environment = {};
  std::string submitted_from = {};  ///< user@host of the laptop
  std::string git_commit = {};      ///< empty where there is no repository
  std::string git_diff = {};        ///< the uncommitted changes, at most 1 MiB
  /// The interpreter there, or its environment's directory, absolute or below "~/"; anything else: the
  /// project's own environment, .venv, if there is one. It is in the job's environment, not in its spec.
  std::string python = {};
};

/// Makes a script of re's own the job's command, in the project's directory itself (WorkTree::live): it goes
/// to the host as the environment variable RE_<variable>.
/// \param words  how the user would write it: what people are shown instead of the command
void set_own_script(JobSpec& spec, const std::string& variable, std::string script,
                    std::span<const std::string> words);
/// What people are shown of a command: for a script of re's own those words, else the command itself.
std::string shown_command(const std::string& command);

/// What a host says of one job.
struct JobStatus {
  JobId id;
  std::uint32_t index = 0;
  std::string name = {};
  std::string command = {};
  std::string project_id = {};
  std::string project_name = {};
  JobState state = JobState::unknown;
  std::optional<int> pid = {};        ///< of the job's process, while known
  std::optional<int> exit_code = {};  ///< the shell's convention: 128 + signal
  std::optional<std::chrono::system_clock::time_point> started = {};  ///< by the host's clock
  std::optional<std::chrono::system_clock::time_point> ended = {};
  std::optional<std::chrono::seconds> elapsed = {};  ///< by the host's own clock, free of skew
  std::uint64_t log_size = 0;                        ///< bytes in `log`
};

}  // namespace re::model
