// Large files of a push: which they are, and which of them the host does not have.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "re/remote/host.hpp"

namespace re::remote {

struct LargeFile {
  std::filesystem::path local;
  std::string path;  ///< where rsync would put it, below the destination directory
  std::uint64_t size = 0;
};

/// Regular files of at least so many bytes among the sources and in them, by rsync's rules of names; of two
/// with one path the first. Links are not followed. What cannot be read is left to rsync, which says it.
std::vector<LargeFile> find_large_files(const std::vector<std::string>& sources, std::uint64_t at_least);

/// What a push's destination is.
enum class Destination {
  directory,  ///< the files go into it
  file        ///< it is the one file's new name
};

struct Unsent {
  Destination destination = Destination::directory;
  std::vector<LargeFile> files;  ///< those that do not exist there, or have another size
};

/// One round trip. \param asked `file`: that, unless a directory of this name exists
Async<Unsent> find_unsent(Host& host, std::string destination, Destination asked,
                          std::vector<LargeFile> files);

}  // namespace re::remote
