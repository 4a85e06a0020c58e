// Files: whole reads, atomic writes, private directories.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "re/sys/fd.hpp"

namespace re::sys {

/// Opens with O_CLOEXEC. Throws Error (io, or not_found when there is no such file).
Fd open_file(const std::filesystem::path& path, int flags, unsigned mode = 0600);
inline constexpr std::size_t k_largest_file = std::size_t{64} << 20U;  ///< that is read at one go
/// The whole file. Throws Error (io, also for a pipe or a device; not_found; io "is larger than" beyond the
/// limit).
std::string read_file(const std::filesystem::path& path, std::size_t limit = k_largest_file);
/// The whole file, or nothing when it does not exist.
std::optional<std::string> read_file_if_exists(const std::filesystem::path& path,
                                               std::size_t limit = k_largest_file);

/// The first `count` bytes of a file, or all of a shorter one; nothing ("") when it does not exist. Throws
/// Error (io).
std::string read_beginning(const std::filesystem::path& path, std::size_t count);

/// What becomes of a symbolic link where a file is to be written: the file that it points to is replaced, or
/// the link itself. Where others than the user may have made it (in a project that was cloned), follow would
/// write where they choose.
enum class Link { follow, replace };

/// Whether what is written is on the disk before the call returns. Without that a loss of power may leave
/// anything in its place: for what is checked when it is read, and can be made anew.
enum class Sync { yes, no };

/// A file that appears whole or not at all: written beside its place, synced, renamed by commit().
/// Without commit() the temporary file is removed and the old content stays.
class AtomicFile {
 public:
  /// Throws Error (io). The file gets exactly `mode`, whatever the umask.
  explicit AtomicFile(const std::filesystem::path& path, unsigned mode = 0600, Link link = Link::follow);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::string_view data);
  /// Syncs the file, renames it over `path`, syncs the directory. Throws Error (io); then the old content
  /// stands.
  void commit(Sync sync = Sync::yes);

 private:
  std::filesystem::path m_path;
  std::string m_temporary;
  Fd m_fd;
};

/// write + commit in one.
void write_file_atomic(const std::filesystem::path& path, std::string_view data, unsigned mode = 0600,
                       Link link = Link::follow);

/// Whether the descriptor is of /dev/null, or closed: as a standard input is where nobody types.
bool has_no_input(int descriptor);

/// Whether the file lies on a file system of this machine alone, with shared mappings and locks between all
/// who use it. False for what is not known, as network file systems and FUSE. Throws Error (io).
bool is_on_local_disk(const std::filesystem::path& path);

/// Makes the directory (and its parents) with mode 0700 if it is missing. Throws Error (config) when what is
/// there is not a directory, not ours, or open to others for writing.
void ensure_private_directory(const std::filesystem::path& path);

/// A directory that is removed with all in it when this goes.
class TemporaryDirectory {
 public:
  /// Throws Error (io). \param prefix "re-test" gives /tmp/re-test.XXXXXX (TMPDIR is honoured)
  explicit TemporaryDirectory(std::string_view prefix = "re");
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return m_path; }

 private:
  std::filesystem::path m_path;
};

}  // namespace re::sys
