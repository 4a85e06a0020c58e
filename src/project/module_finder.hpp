// Where a dotted name leads inside a project.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace re::project {

/// What a dotted name stands for below one directory.
struct FoundModule {
  std::vector<std::string>
      files;              ///< the packages' __init__ on the way, and the module; relative to the root
  std::size_t depth = 0;  ///< how many parts of the name were found
  std::optional<std::string> directory;  ///< of the last part, when it is a package
  bool regular = false;  ///< the first part is a module or a package with __init__, not a mere directory
};

/// Finds modules by listing directories, each once. Directory names are relative to the root, "" being the
/// root.
class ModuleFinder {
 public:
  explicit ModuleFinder(std::filesystem::path root) : m_root(std::move(root)) {}

  /// Follows the parts of the name below `directory` as far as they lead.
  FoundModule find(const std::string& directory, std::span<const std::string_view> parts);
  /// Whether the directory has an __init__ of its own.
  bool is_package(const std::string& directory);

 private:
  struct Listing {
    std::vector<std::string> files;  // both sorted
    std::vector<std::string> directories;
  };
  const Listing& list(const std::string& directory);
  [[nodiscard]] Listing read_directory(const std::string& directory) const;
  std::optional<std::string> module_file(const std::string& directory, std::string_view name);

  std::filesystem::path m_root;
  std::unordered_map<std::string, Listing> m_listings;
};

}  // namespace re::project
