// The content of a file set, named by its hash: what a snapshot on a host is made from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "re/project/file_cache.hpp"
#include "re/project/file_set.hpp"

namespace re::project {

struct ManifestEntry {
  std::string path;
  FileKind kind = FileKind::regular;
  std::uint64_t size = 0;
  /// 0755 or 0644 for a regular file, by its owner's x bit: no other bit travels, so that a umask does not
  /// make another snapshot. 0777 for a link.
  unsigned mode = 0644;
  std::string sha256;       ///< of a regular file, 64 hexadecimal digits
  std::string link_target;  ///< of a symbolic link

  bool operator==(const ManifestEntry&) const = default;
};

struct Manifest {
  std::vector<ManifestEntry> entries;  ///< sorted by path, bytewise
  std::string snapshot;                ///< snapshot_name() of the entries
  std::size_t hashed = 0;              ///< how many files had to be read; not part of the content
};

/// Hashes the files of a set below `root`, but for those whose hash the cache knows, and saves the cache when
/// anything has changed. Blocking. Throws Error (io; conflict when a file changes while it is read).
Manifest make_manifest(const std::filesystem::path& root, const FileSet& files, FileCache& cache);

/// The canonical form, written to disk and sent to hosts; format 1:
///   "re-manifest 1\n"
///   for each regular file "F <mode, 4 octal digits> <size> <sha256> <path>\n", for each link "L
///   <path>\t<target>\n", in the order of the paths; in paths and targets '\\', '\n', '\r' and '\t' are
///   written "\\\\", "\\n", "\\r", "\\t".
std::string serialize(const Manifest& manifest);

/// For `sha256sum -c` in the snapshot's directory: "<sha256>  ./<path>\n" for each regular file; a path with
/// a backslash or newline is escaped and its line begins with a backslash, as coreutils' sha256sum does.
std::string checksum_list(const Manifest& manifest);

/// The first 40 hexadecimal digits of the sha256 of serialize().
std::string snapshot_name(const Manifest& manifest);

}  // namespace re::project
