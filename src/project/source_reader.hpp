// Reads many files of one directory tree, one after the other.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "re/sys/fd.hpp"

namespace re::project {

/// Keeps the root open, so that only the way below it is walked for each file, and one buffer for all of
/// them. Blocks while it reads.
class SourceReader {
 public:
  /// Does not throw: when the root cannot be opened, no file can be read.
  explicit SourceReader(std::filesystem::path root);
  /// The whole file, which stays until the next call. Throws Error (io; not_found; io "is larger than" beyond
  /// 64 MiB). \param path relative to the root
  std::string_view read(const std::string& path);
  /// What the file that was read last is now. Throws Error (io).
  [[nodiscard]] struct stat status() const;

 private:
  void grow(std::size_t used);

  std::filesystem::path m_root;
  sys::Fd m_directory;
  sys::Fd m_file;
  std::unique_ptr<char[]> m_buffer;
  std::size_t m_size;
};

}  // namespace re::project
