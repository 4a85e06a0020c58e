// A project's files on a host: the synced directory, and the snapshots that jobs run from.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "re/base/progress.hpp"
#include "re/jobs/patch.hpp"
#include "re/project/file_set.hpp"
#include "re/project/manifest.hpp"
#include "re/project/root.hpp"
#include "re/remote/host.hpp"
#include "re/remote/rsync.hpp"

namespace re::engine {

/// The project as it is here and now.
struct LocalState {
  project::FileSet files;
  project::Manifest manifest;
  std::string snapshot;  ///< the content's name
};

enum class Trust {
  times,   ///< a file whose size and times are as before is not read again
  nothing  ///< every file is read (--force)
};

/// What a project is called at a place.
struct RemoteProject {
  std::string place;                ///< the place's key
  std::string directory;            ///< absolute, or relative to the home there
  std::vector<std::string> shared;  ///< directories that all its jobs share
};

/// Where this machine keeps what it remembers of projects.
struct ProjectMemory {
  std::filesystem::path cache;  ///< hashes; may be deleted at any time
  std::filesystem::path
      state;  ///< which files were sent where; and the last snapshot at each place, which may go
};

struct BringOptions {
  remote::Preview preview = remote::Preview::no;
  remote::Compare compare = remote::Compare::times;
};

class ProjectFiles {
 public:
  /// \param progress outlives this
  ProjectFiles(project::Project project, ProjectMemory memory, Progress& progress)
      : m_project(std::move(project)), m_memory(std::move(memory)), m_progress(progress) {}

  [[nodiscard]] const project::Project& project() const { return m_project; }

  /// Finds the files, hashes what changed, writes .recompute/rsync.db. Blocking. Throws Error (io).
  LocalState read(Trust trust);

  /// Makes the project's directory on the host and copies the files into it. With Preview::yes nothing is
  /// changed. Throws Error (conflict) when another project lies there.
  Async<remote::TransferReport> bring(remote::Host& host, const LocalState& state, const RemoteProject& place,
                                      BringOptions options);

  /// The host has the snapshot of `state` when this returns. When the files here change while they are copied
  /// they are read again, and `state` is then what the snapshot holds. Throws Error (conflict) when they
  /// change without end.
  Async<void> bring_snapshot(remote::Host& host, LocalState& state, const RemoteProject& place);

  /// What leads from the last snapshot that we know of at the place to that of `state`, when that is a matter
  /// of a few small text files: it goes with the launch. Its files count as sent. Throws Error (io).
  std::optional<jobs::SnapshotPatch> make_patch(const LocalState& state, const RemoteProject& place) const;
  /// The place has the snapshot of `state`, and the project's directory there holds its files: the next patch
  /// begins with it.
  void remember(const LocalState& state, const RemoteProject& place) const;

  /// Files that were sent to the place and have left the project since.
  [[nodiscard]] std::vector<std::string> gone(const LocalState& state, const RemoteProject& place) const;
  /// Deletes these on the host, by name, and forgets them.
  Async<void> remove(remote::Host& host, std::vector<std::string> paths, const RemoteProject& place);

 private:
  [[nodiscard]] std::filesystem::path sent_list(const RemoteProject& place) const;
  [[nodiscard]] std::filesystem::path last_snapshot(const RemoteProject& place) const;

  project::Project m_project;
  ProjectMemory m_memory;
  Progress& m_progress;
};

}  // namespace re::engine
