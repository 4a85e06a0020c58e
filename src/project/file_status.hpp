// stat(2) and FileEntry.
#pragma once

#include <sys/stat.h>

#include "re/project/file_set.hpp"

namespace re::project {

inline std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

/// Takes over all that tells one state of a file from another.
inline void describe(FileEntry& file, const struct stat& status) {
  file.size = static_cast<std::uint64_t>(status.st_size);
  file.mtime_ns = nanoseconds(status.st_mtim);
  file.ctime_ns = nanoseconds(status.st_ctim);
  file.inode = status.st_ino;
  file.device = status.st_dev;
  file.mode = status.st_mode & 07777U;
}

inline bool is_same(const FileEntry& file, const struct stat& status) {
  return static_cast<std::uint64_t>(status.st_size) == file.size &&
         nanoseconds(status.st_mtim) == file.mtime_ns && nanoseconds(status.st_ctim) == file.ctime_ns &&
         status.st_ino == file.inode && status.st_dev == file.device;
}

}  // namespace re::project
