#include "project/module_finder.hpp"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <memory>

namespace re::project {

namespace {

std::string join(const std::string& directory, std::string_view leaf) {
  return directory.empty() ? std::string(leaf) : directory + "/" + std::string(leaf);
}

bool contains(const std::vector<std::string>& sorted, std::string_view name) {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

}  // namespace

const ModuleFinder::Listing& ModuleFinder::list(const std::string& directory) {
  const auto known = m_listings.find(directory);
  if (known != m_listings.end()) return known->second;
  return m_listings.emplace(directory, read_directory(directory)).first->second;
}

ModuleFinder::Listing ModuleFinder::read_directory(const std::string& directory) const {
  Listing listing;
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir((m_root / directory).c_str()), ::closedir);
  if (!stream) return listing;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    bool is_directory = entry->d_type == DT_DIR;
    if (entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN) {
      struct stat status{};
      is_directory =
          ::fstatat(::dirfd(stream.get()), entry->d_name, &status, 0) == 0 && S_ISDIR(status.st_mode);
    }
    (is_directory ? listing.directories : listing.files).emplace_back(name);
  }
  std::sort(listing.files.begin(), listing.files.end());
  std::sort(listing.directories.begin(), listing.directories.end());
  return listing;
}

// name.py, a stub, or an extension module (name.so, name.cpython-311-x86_64-linux-gnu.so).
std::optional<std::string> ModuleFinder::module_file(const std::string& directory, std::string_view name) {
  const Listing& listing = list(directory);
  for (const std::string_view suffix : {".py", ".pyi"}) {
    const std::string leaf = std::string(name) + std::string(suffix);
    if (contains(listing.files, leaf)) return join(directory, leaf);
  }
  const std::string prefix = std::string(name) + ".";
  for (auto file = std::lower_bound(listing.files.begin(), listing.files.end(), prefix);
       file != listing.files.end() && file->starts_with(prefix); ++file) {
    if (file->ends_with(".so")) return join(directory, *file);
  }
  return std::nullopt;
}

bool ModuleFinder::is_package(const std::string& directory) {
  return module_file(directory, "__init__").has_value();
}

// A package goes before a module of the same name, and that before a directory without __init__ (a namespace
// package).
FoundModule ModuleFinder::find(const std::string& directory, std::span<const std::string_view> parts) {
  FoundModule found;
  std::string at = directory;
  for (const std::string_view part : parts) {
    if (part.empty()) break;
    const bool is_directory = contains(list(at).directories, part);
    const std::string below = join(at, part);
    const auto init = is_directory ? module_file(below, "__init__") : std::nullopt;
    const auto module = init ? std::nullopt : module_file(at, part);
    if (!init && !module && !is_directory) break;
    if (found.depth == 0) found.regular = init.has_value() || module.has_value();
    ++found.depth;
    if (init) found.files.push_back(*init);
    if (module) {
      found.files.push_back(*module);
      found.directory.reset();
      break;
    }
    at = below;
    found.directory = below;
  }
  return found;
}

}  // namespace re::project
