#include "project/module_finder.hpp"

#include <array>
#include <system_error>

namespace re::project {

namespace fs = std::filesystem;

namespace {

std::string join(const std::string& directory, std::string_view leaf) {
  return directory.empty() ? std::string(leaf) : directory + "/" + std::string(leaf);
}

}  // namespace

const ModuleFinder::Listing& ModuleFinder::list(const std::string& directory) {
  const auto known = m_listings.find(directory);
  if (known != m_listings.end()) return known->second;
  Listing listing;
  std::error_code error;
  for (auto entry = fs::directory_iterator(m_root / directory, error);
       !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;
    (entry->is_directory(ignored) ? listing.directories : listing.files).insert(entry->path().filename());
  }
  return m_listings.emplace(directory, std::move(listing)).first->second;
}

// name.py, a stub, or an extension module (name.so, name.cpython-311-x86_64-linux-gnu.so).
std::optional<std::string> ModuleFinder::module_file(const std::string& directory, std::string_view name) {
  const Listing& listing = list(directory);
  for (const std::string_view suffix : {".py", ".pyi"}) {
    const std::string leaf = std::string(name) + std::string(suffix);
    if (listing.files.contains(leaf)) return join(directory, leaf);
  }
  const std::string prefix = std::string(name) + ".";
  for (auto file = listing.files.lower_bound(prefix);
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
    const bool is_directory = list(at).directories.contains(part);
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
