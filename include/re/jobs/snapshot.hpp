// Immutable copies of a project on a host, from which jobs run (ARCHITECTURE.md, "Where a job runs").
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "re/remote/host.hpp"
#include "re/sys/async.hpp"

namespace re::jobs {

/// One entry of a snapshot: a regular file, or a symbolic link when `link_target` is not empty.
struct SnapshotEntry {
  enum class Mode { plain, executable };
  std::string path;    ///< relative to the project, '/' between components; any bytes but NUL
  std::string sha256;  ///< 64 lower-case hex digits; empty for a link
  Mode mode = Mode::plain;
  std::string link_target;
};

struct SnapshotRequest {
  std::string name;               ///< of the content: equal for equal entries; letters, digits, '.', '_', '-'
  std::string project_id;         ///< the same alphabet
  std::string project_directory;  ///< on the host, absolute or relative to the home; holds the entries' files
  std::vector<SnapshotEntry> entries;  ///< in any order
};

struct SnapshotReport {
  enum class Outcome {
    made,
    existed,
    mismatch,  ///< the project's files on the host are not these entries (they changed meanwhile): sync again
  };
  Outcome outcome = Outcome::made;
  std::vector<std::string> changed;  ///< with mismatch: the paths
};

/// Makes ~/.re/snapshots/<name>/ from the files that lie in the project's directory. Files that the project's
/// newest snapshot has already are hard-linked; what is copied is verified. Idempotent, also when two do it
/// at the same moment; a failed or broken attempt leaves no snapshot of that name. Throws Error: usage (an
/// unsafe path, a path twice or beneath a link), remote (disk full, no permission), and what Host::run()
/// throws.
Async<SnapshotReport> make_snapshot(remote::Host& host, const SnapshotRequest& request,
                                    std::chrono::milliseconds deadline);

/// The text of <name>/manifest; see src/jobs/snapshot.cpp for the format. Throws Error (usage) as
/// make_snapshot() does.
std::string render_manifest(const std::vector<SnapshotEntry>& entries);

struct ProjectPlace {
  std::string directory;  ///< absolute or relative to the home
  std::string project_id;
  std::vector<std::string> shared = {"data"};  ///< directories to make in it
};

/// Makes the project's directory on the host and marks it (`.re-project`) with the project's id. Idempotent.
/// Throws Error (conflict) when it is marked with another project's id: two projects of one name are not
/// mixed.
Async<void> prepare_project(remote::Host& host, ProjectPlace place, std::chrono::milliseconds deadline);

}  // namespace re::jobs
