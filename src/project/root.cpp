#include "re/project/root.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "re/base/encoding.hpp"
#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"
#include "re/sys/random.hpp"

namespace re::project {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_id_bytes = 16;

struct InitialFile {
  const char* leaf;
  std::string_view content;
};

constexpr std::array<InitialFile, 4> k_initial_files = {{
    {"include",
     "# Files that travel to the host besides the project's Python files.\n"
     "# One pattern a line, as in .gitignore: a name (at every depth), a path from the\n"
     "# project's root, *, ?, [a-z], ** for any directories. A directory takes all below it.\n"
     "#   config.yaml\n"
     "#   assets/\n"
     "#   data/labels.csv\n"},
    {"exclude",
     "# Files that never travel, even if something else asks for them. Patterns as in include.\n"
     "#   tests/\n"
     "#   *_backup.py\n"},
    {"config",
     "# Settings of this project, over those of the user; re.conf(5) lists them. A host,\n"
     "# an ssh option or a command that runs on this machine cannot be set here.\n"},
    {".gitignore", "# Made by re: lists and caches of one machine.\nrsync.db\nvoid\ntable\nlog\n"},
}};

void create_if_missing(const fs::path& path, std::string_view content) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) sys::write_file_atomic(path, content, 0644, sys::Link::replace);
}

std::string load_id(const fs::path& root) {
  const fs::path path = root / k_project_directory / "id";
  const auto text = sys::read_file_if_exists(path);
  if (!text) return {};
  const std::string id(trim(*text));
  const auto bytes = from_hex(id);
  if (!bytes || bytes->size() != k_id_bytes) {
    throw Error(ErrorKind::config, path.string() + " does not hold 32 hexadecimal digits",
                "remove it and run re init to give the project a new identity");
  }
  return id;
}

fs::path without_links(const fs::path& path) {
  std::error_code error;
  fs::path result = fs::canonical(path, error);
  if (error) throw errno_error("open " + path.string(), error.value());
  return result;
}

// Through a link, our files would be written where whoever made the project chose.
void refuse_link(const fs::path& directory) {
  std::error_code error;
  if (!fs::is_symlink(directory, error)) return;
  throw Error(ErrorKind::config, directory.string() + " is a symbolic link, and re writes files there",
              "put a directory in its place");
}

Project load(const fs::path& root) {
  refuse_link(root / k_project_directory);
  return {root, root.filename().string(), load_id(root)};
}

}  // namespace

fs::path Project::file(const std::string& leaf) const {
  return root / k_project_directory / leaf;
}

std::optional<fs::path> find_root(const fs::path& start) {
  for (fs::path directory = without_links(start);; directory = directory.parent_path()) {
    std::error_code error;
    if (fs::is_directory(directory / k_project_directory, error)) return directory;
    if (directory == directory.root_path()) return std::nullopt;
  }
}

std::optional<Project> find_project(const fs::path& start) {
  const auto root = find_root(start);
  if (!root) return std::nullopt;
  return load(*root);
}

Project init_project(const fs::path& directory) {
  const fs::path root = without_links(directory);
  if (root == root.root_path()) {
    throw Error(ErrorKind::config, "the root of the file system cannot be a project",
                "change to the project's directory");
  }
  const fs::path settings = root / k_project_directory;
  if (::mkdir(settings.c_str(), 0755) != 0 && errno != EEXIST)
    throw errno_error("make " + settings.string(), errno);
  refuse_link(settings);
  for (const auto& [leaf, content] : k_initial_files) create_if_missing(settings / leaf, content);
  create_if_missing(settings / "id", sys::random_hex(k_id_bytes) + "\n");
  return load(root);
}

}  // namespace re::project
