#pragma once

#include <filesystem>
#include <optional>

#include "re/sys/fd.hpp"

namespace re::sys {

/// A flock(2) on a file, exclusive where nothing else is said, held while this lives. The file is made if it
/// is missing (0600) and stays.
class FileLock {
 public:
  /// Blocks until the lock is ours. Throws Error (io).
  static FileLock wait(const std::filesystem::path& path);
  /// The same for a lock that is shared with all who ask so, and with nobody else.
  static FileLock share(const std::filesystem::path& path);
  /// The lock, or nothing when another process holds it. Throws Error (io).
  static std::optional<FileLock> attempt(const std::filesystem::path& path);

 private:
  explicit FileLock(Fd fd) : m_fd(std::move(fd)) {}
  Fd m_fd;
};

}  // namespace re::sys
