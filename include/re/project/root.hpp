// The project: the directory tree that `re` is run in.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace re::project {

/// What marks a project's root and holds its settings.
inline constexpr const char* k_project_directory = ".recompute";

struct Project {
  std::filesystem::path root;  ///< absolute, without symbolic links
  std::string name;            ///< the root directory's own name
  std::string id;              ///< 32 hexadecimal digits (128 random bits), from .recompute/id

  /// A file in .recompute/, such as "include".
  [[nodiscard]] std::filesystem::path file(const std::string& leaf) const;
};

/// The nearest directory at or above `start` that holds a directory `.recompute`, with symbolic links
/// resolved first; nothing when there is none up to the root of the file system. Throws Error (io) when
/// `start` does not exist.
std::optional<std::filesystem::path> find_root(const std::filesystem::path& start);

/// The project around `start`, or nothing. A project without an id (made by recompute.py) has an empty one.
/// Throws Error (config) when the id is malformed.
std::optional<Project> find_project(const std::filesystem::path& start);

/// Makes `.recompute/` in `directory` with include, exclude, config, id and .gitignore. What is there already
/// stays as it is, so that doing it twice changes nothing. Throws Error (io; config when the directory has no
/// usable name).
Project init_project(const std::filesystem::path& directory);

}  // namespace re::project
