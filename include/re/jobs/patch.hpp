// A snapshot made on a host from one that it has and a few small files that travel in the launch message
// (ARCHITECTURE.md, "A job on a host").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "re/jobs/snapshot.hpp"

namespace re::jobs {

/// A file as the new snapshot has it.
struct PatchedFile {
  SnapshotEntry entry;
  unsigned permissions = 0644;  ///< of the copy in the project's own directory
  std::int64_t mtime_ns = 0;    ///< since 1970, not before
  std::string content;          ///< without NUL; its hash is the entry's
};

/// A directory that the base lacks.
struct PatchedDirectory {
  std::string path;
  unsigned permissions = 0755;  ///< of the one in the project's own directory
};

struct SnapshotPatch {
  std::string base;               ///< the name of a snapshot that the host has, as far as we know
  std::string project_id;         ///< what its directory is marked with
  std::string project_directory;  ///< on the host, absolute or relative to the home; gets the files too
  std::string manifest_sha256;    ///< of the new snapshot's manifest
  // From here on as plan_patch() gives it, but for content, permissions and times.
  std::string edits;                          ///< from the base's manifest to the new one: see patch.sh
  std::vector<std::string> unlinked;          ///< files of the base that change or go
  std::vector<std::string> emptied;           ///< directories of the base that go, children first
  std::vector<PatchedDirectory> directories;  ///< those that come, parents first
  std::vector<PatchedFile> files;
};

/// What leads from one manifest (render_manifest()) to another. Nothing when that is no matter of a few plain
/// files with plain names: then the snapshot has to be made from the project's directory.
std::optional<SnapshotPatch> plan_patch(std::string_view base, std::string_view manifest);

}  // namespace re::jobs
