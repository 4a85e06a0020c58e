// .recompute/rsync.db.
#include <string>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/project/file_set.hpp"
#include "re/project/root.hpp"
#include "re/sys/file.hpp"

namespace re::project {

namespace fs = std::filesystem;

namespace {

// After "\ ", see format_file_list().
std::string unescape(std::string_view text) {
  std::string path;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool escaped = text[at] == '\\' && at + 1 < text.size();
    if (escaped) ++at;
    path += escaped && text[at] == 'n' ? '\n' : text[at];
  }
  return path;
}

void check_listed(const std::string& path) {
  bool leaves = path.starts_with('/') || path.find('\0') != std::string::npos;
  for (const auto part : split(path, '/')) leaves = leaves || part == "..";
  if (leaves) {
    throw Error(ErrorKind::config, "the file list names " + path + ", which is not inside the project",
                "remove .recompute/rsync.db; re rsync --force writes it anew");
  }
}

}  // namespace

std::string format_file_list(const FileSet& files) {
  std::string text;
  for (const auto& file : files.files) {
    const std::string& path = file.path;
    if (path.find_first_of("\n\\") == std::string::npos) {
      text.append(path).append(1, '\n');
    } else {
      text += "\\ " + replace_all(replace_all(path, "\\", "\\\\"), "\n", "\\n") + "\n";
    }
  }
  return text;
}

std::vector<std::string> parse_file_list(std::string_view text) {
  std::vector<std::string> paths;
  for (auto line : split(text, '\n')) {
    while (line.starts_with("./")) line.remove_prefix(2);
    if (line.empty()) continue;
    std::string path = line.starts_with("\\ ") ? unescape(line.substr(2)) : std::string(line);
    check_listed(path);
    paths.push_back(std::move(path));
  }
  return paths;
}

void write_file_list(const fs::path& root, const FileSet& files) {
  const fs::path file = root / k_project_directory / "rsync.db";
  const std::string list = format_file_list(files);
  if (sys::read_file_if_exists(file) == list) return;  // a write waits for the disk
  sys::write_file_atomic(file, list, 0644, sys::Link::replace);
}

std::optional<std::vector<std::string>> read_file_list(const fs::path& root) {
  const auto text = sys::read_file_if_exists(root / k_project_directory / "rsync.db");
  if (!text) return std::nullopt;
  return parse_file_list(*text);
}

}  // namespace re::project
