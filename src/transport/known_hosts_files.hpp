// known_hosts files as they are now, each parsed once for as many hosts as are looked up in it.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "transport/known_hosts.hpp"

namespace re::transport {

/// The lines of one file, and where to look for a name among them.
class KnownHostsIndex {
 public:
  explicit KnownHostsIndex(std::vector<KnownHostsLine> lines);

  /// The lines with names_host(line.hosts, name), in order.
  [[nodiscard]] std::vector<const KnownHostsLine*> find(std::string_view name) const;

 private:
  std::vector<KnownHostsLine> m_lines;
  std::unordered_multimap<std::string, std::size_t> m_by_name;  ///< the lines that are a list of plain names
  std::vector<std::size_t> m_others;                            ///< with patterns, or hashed
};

class KnownHostsFiles {
 public:
  /// The file as it is now; read again when it has changed. A missing one is empty. Valid until the next
  /// call. Blocking, short. Throws Error (io) when it cannot be read.
  const KnownHostsIndex& read(const std::filesystem::path& path);

 private:
  struct File {
    struct stat facts{};
    KnownHostsIndex index{{}};
  };
  std::map<std::filesystem::path, File> m_files;
};

}  // namespace re::transport
