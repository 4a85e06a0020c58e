// Which files of a project travel to a host.
//
// Taken are, below the root:
//   (a) *.py, *.pyi and *.ipynb, unless .gitignore says otherwise (nested ones and .git/info/exclude count),
//   and
//       but for hidden directories, virtual environments (a directory with pyvenv.cfg), __pycache__,
//       node_modules and data/;
//   (b) project files that an import of (a) resolves to, even when .gitignore hides them (with a warning);
//   (c) what the patterns of .recompute/include name, wherever it is; a directory takes all below it;
//   (d) requirements.txt, pyproject.toml, setup.py, setup.cfg, environment.yml and uv.lock of the root.
// What .recompute/exclude names never travels; .git and .recompute do not either.
//
// Patterns have the syntax of gitignore(5), one a line, '#' for comments.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace re::project {

class FileCache;

enum class FileKind { regular, symlink };

struct FileEntry {
  std::string path;  ///< relative to the root; any bytes but NUL, '/' between parts, no "." or ".."
  FileKind kind = FileKind::regular;
  std::uint64_t size = 0;  ///< bytes; of a symbolic link the length of its target
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  std::uint64_t inode = 0;
  std::uint64_t device = 0;
  unsigned mode = 0;        ///< permission bits
  std::string link_target;  ///< of a symbolic link, as it is written

  bool operator==(const FileEntry&) const = default;
};

struct FileSet {
  std::vector<FileEntry> files;       ///< sorted by path, bytewise; each path once
  std::vector<std::string> warnings;  ///< what was left out or looks odd; one sentence each

  [[nodiscard]] std::uint64_t total_size() const;
};

/// Reads the tree. Symbolic links travel as links when they point into the project, else they are left out
/// with a warning; so are sockets, pipes, devices and unreadable files. Blocking. Throws Error (io) when the
/// root cannot be read.
/// \param cache what is known of unchanged files' imports; takes what is found anew
FileSet collect_files(const std::filesystem::path& root, FileCache& cache);
/// Reads every file.
FileSet collect_files(const std::filesystem::path& root);

/// `.recompute/rsync.db`: one path a line, as recompute.py wrote it. A path that holds a newline or a
/// backslash is written after "\\ " (backslash, blank) with "\n" and "\\" for the two; no path of
/// recompute.py's begins so.
std::string format_file_list(const FileSet& files);
/// The paths of a list in either form; blank lines and a leading "./" are dropped. Throws Error (config) for
/// absolute paths and for those that leave the project.
std::vector<std::string> parse_file_list(std::string_view text);

/// Writes the list, atomically. Throws Error (io).
void write_file_list(const std::filesystem::path& root, const FileSet& files);
/// The list, or nothing when there is none yet. Throws Error (io, config).
std::optional<std::vector<std::string>> read_file_list(const std::filesystem::path& root);

}  // namespace re::project
