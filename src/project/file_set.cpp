#include "re/project/file_set.hpp"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <memory>
#include <set>
#include <system_error>

#include "project/gitignore.hpp"
#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/project/resolve.hpp"
#include "re/project/root.hpp"
#include "re/sys/file.hpp"

namespace re::project {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::string_view, 6> k_root_files = {"requirements.txt", "pyproject.toml",  "setup.py",
                                                          "setup.cfg",        "environment.yml", "uv.lock"};
constexpr std::size_t k_longest_target = 4096;  // PATH_MAX

std::string read_or_empty(const fs::path& path) {
  return sys::read_file_if_exists(path).value_or("");
}

bool is_python(std::string_view name) {
  return name.ends_with(".py") || name.ends_with(".pyi") || name.ends_with(".ipynb");
}

// .gitignore files from the outermost to the innermost; a path is relative to the top that they share.
struct IgnoreChain {
  IgnoreRules rules;
  std::string prefix;  // "a/b/" below the top
  std::shared_ptr<const IgnoreChain> outer;
};
using Chain = std::shared_ptr<const IgnoreChain>;

bool is_ignored(const IgnoreChain* chain, std::string_view path, PathKind kind) {
  for (; chain != nullptr; chain = chain->outer.get()) {
    const Verdict verdict = chain->rules.match(path.substr(chain->prefix.size()), kind);
    if (verdict != Verdict::none) return verdict == Verdict::ignored;
  }
  return false;
}

Chain extend(const Chain& outer, const fs::path& file, const std::string& prefix) {
  std::string text;
  try {
    text = read_or_empty(file);
  } catch (const Error&) {
    return outer;  // a .gitignore that is a directory, or not ours to read, says nothing
  }
  IgnoreRules rules(text);
  if (rules.is_empty()) return outer;
  return std::make_shared<const IgnoreChain>(IgnoreChain{std::move(rules), prefix, outer});
}

// Directories of which only what the user asks for by path is taken.
enum class Depth { normal, asked_for, whole };

struct Pending {
  std::string path;  // "" or "a/b"
  Depth depth;
  Chain chain;
};

class Collector {
 public:
  explicit Collector(const fs::path& root);
  FileSet collect();

 private:
  void read_directory(const Pending& directory);
  void consider(const Pending& directory, const std::string& name);
  void consider_directory(const Pending& directory, const std::string& path, const std::string& name);
  [[nodiscard]] bool is_wanted(const Pending& directory, const std::string& path, const std::string& name,
                               const struct stat& status) const;
  [[nodiscard]] bool is_pruned(const Pending& directory, const std::string& path,
                               const std::string& name) const;
  [[nodiscard]] bool is_included(Depth depth, const std::string& path, PathKind kind) const;
  void add(const std::string& path, const struct stat& status);
  [[nodiscard]] bool is_readable(const std::string& path, const struct stat& status) const;
  void add_link(const std::string& path, FileEntry entry);
  void add_imported();
  void warn(const std::string& path, std::string_view reason) {
    m_set.warnings.push_back(path + " " + std::string(reason));
  }
  [[nodiscard]] bool is_link_to_directory(const std::string& path) const;

  fs::path m_root;
  uid_t m_user = ::geteuid();
  std::string m_offset;  // of the root below the git repository's top: "sub/"
  Chain m_chain;
  IgnoreRules m_include;
  IgnoreRules m_exclude;
  std::vector<Pending> m_pending;
  FileSet m_set;
};

// The repository around the project may begin above it: its patterns count too.
Collector::Collector(const fs::path& root) : m_root(fs::canonical(root)) {
  m_include =
      IgnoreRules(replace_all("\n" + read_or_empty(m_root / k_project_directory / "include"), "\n./", "\n/"));
  m_exclude =
      IgnoreRules(replace_all("\n" + read_or_empty(m_root / k_project_directory / "exclude"), "\n./", "\n/"));
  std::error_code error;
  fs::path top = m_root;
  while (!fs::exists(top / ".git", error) && top != top.root_path()) top = top.parent_path();
  if (!fs::exists(top / ".git", error)) return;
  m_chain = extend(nullptr, top / ".git" / "info" / "exclude", "");
  fs::path at = top;
  for (const auto& part : m_root.lexically_relative(top)) {
    if (part == ".") break;
    m_chain = extend(m_chain, at / ".gitignore", m_offset);
    at /= part;
    m_offset += part.string() + "/";
  }
}

bool Collector::is_included(Depth depth, const std::string& path, PathKind kind) const {
  if (depth == Depth::whole) return true;
  const Verdict verdict =
      depth == Depth::normal ? m_include.match(path, kind) : m_include.match_anchored(path, kind);
  return verdict == Verdict::ignored;
}

bool Collector::is_pruned(const Pending& directory, const std::string& path, const std::string& name) const {
  if (directory.depth != Depth::normal || name.starts_with('.') || name == "__pycache__" ||
      name == "node_modules") {
    return true;
  }
  if (path == "data") return true;  // the shared data directory, one per project on the host
  std::error_code error;
  return fs::exists(m_root / path / "pyvenv.cfg", error) ||
         is_ignored(directory.chain.get(), m_offset + path, PathKind::directory);
}

void Collector::consider_directory(const Pending& directory, const std::string& path,
                                   const std::string& name) {
  if (is_included(directory.depth, path, PathKind::directory)) {
    m_pending.push_back({path, Depth::whole, nullptr});
  } else if (!is_pruned(directory, path, name)) {
    m_pending.push_back({path, Depth::normal, directory.chain});
  } else if (m_include.may_match_below(path)) {
    m_pending.push_back({path, Depth::asked_for, nullptr});
  }
}

bool Collector::is_link_to_directory(const std::string& path) const {
  std::error_code error;
  return fs::is_directory(m_root / path, error);
}

bool Collector::is_wanted(const Pending& directory, const std::string& path, const std::string& name,
                          const struct stat& status) const {
  if (is_included(directory.depth, path, PathKind::file)) return true;
  if (directory.depth != Depth::normal) return false;
  if (directory.path.empty() &&
      std::find(k_root_files.begin(), k_root_files.end(), name) != k_root_files.end())
    return true;
  const bool candidate =
      is_python(name) || (S_ISLNK(status.st_mode) && !name.starts_with('.') && is_link_to_directory(path));
  return candidate && !is_ignored(directory.chain.get(), m_offset + path, PathKind::file);
}

void Collector::consider(const Pending& directory, const std::string& name) {
  const std::string path = directory.path.empty() ? name : directory.path + "/" + name;
  if (name == ".git" || path == k_project_directory) return;
  struct stat status{};
  if (::lstat((m_root / path).c_str(), &status) != 0) {
    if (errno != ENOENT)
      warn(path, std::string("cannot be looked at: ") + std::generic_category().message(errno));
    return;
  }
  const bool is_directory = S_ISDIR(status.st_mode);
  if (m_exclude.match(path, is_directory ? PathKind::directory : PathKind::file) == Verdict::ignored) return;
  if (is_directory) {
    consider_directory(directory, path, name);
  } else if (is_wanted(directory, path, name, status)) {
    add(path, status);
  }
}

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void Collector::add(const std::string& path, const struct stat& status) {
  FileEntry entry;
  entry.path = path;
  entry.size = static_cast<std::uint64_t>(status.st_size);
  entry.mtime_ns = nanoseconds(status.st_mtim);
  entry.ctime_ns = nanoseconds(status.st_ctim);
  entry.inode = status.st_ino;
  entry.mode = status.st_mode & 07777U;
  if (S_ISLNK(status.st_mode)) {
    add_link(path, std::move(entry));
  } else if (!S_ISREG(status.st_mode)) {
    warn(path, "is left out: neither a file nor a link");
  } else if (!is_readable(path, status)) {
    warn(path, "is left out: it cannot be read");
  } else {
    m_set.files.push_back(std::move(entry));
  }
}

// What its owner may read needs no call.
bool Collector::is_readable(const std::string& path, const struct stat& status) const {
  if (status.st_uid == m_user && (status.st_mode & S_IRUSR) != 0) return true;
  return ::access((m_root / path).c_str(), R_OK) == 0;
}

void Collector::add_link(const std::string& path, FileEntry entry) {
  std::array<char, k_longest_target> target;
  const ssize_t length = ::readlink((m_root / path).c_str(), target.data(), target.size());
  if (length <= 0 || static_cast<std::size_t>(length) >= target.size()) {
    warn(path, "is left out: its target cannot be read");
    return;
  }
  entry.kind = FileKind::symlink;
  entry.link_target.assign(target.data(), static_cast<std::size_t>(length));
  std::error_code error;
  const fs::path real = fs::canonical(m_root / path, error);
  if (error) {
    warn(path, "is left out: it points to nothing");
    return;
  }
  const auto relative = real.lexically_relative(m_root);
  if (entry.link_target.front() == '/' || relative.empty() || *relative.begin() == "..") {
    warn(path, "is left out: it points out of the project, to " + entry.link_target);
    return;
  }
  m_set.files.push_back(std::move(entry));
}

void Collector::read_directory(const Pending& directory) {
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir((m_root / directory.path).c_str()), ::closedir);
  if (!stream) {
    if (directory.path.empty()) throw errno_error("read " + m_root.string(), errno);
    warn(directory.path, std::string("is left out: ") + std::generic_category().message(errno));
    return;
  }
  Pending here = directory;
  if (here.depth == Depth::normal) {
    const std::string prefix = m_offset + (here.path.empty() ? "" : here.path + "/");
    here.chain = extend(here.chain, m_root / here.path / ".gitignore", prefix);
  }
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") consider(here, name);
  }
}

// What the project imports it needs, even if .gitignore hides it (a generated module, an extension built in
// place).
void Collector::add_imported() {
  std::set<std::string> known;
  std::vector<std::string> fresh;
  for (const auto& file : m_set.files) {
    known.insert(file.path);
    if (file.kind == FileKind::regular) fresh.push_back(file.path);
  }
  while (!fresh.empty()) {
    const auto scanned = scan_files(m_root, fresh);
    fresh.clear();
    for (const auto& path : resolve_imports(m_root, scanned, {}).project_files) {
      if (!known.insert(path).second) continue;
      bool excluded = false;
      for (auto end = path.find('/'); !excluded; end = path.find('/', end + 1)) {
        const auto kind = end == std::string::npos ? PathKind::file : PathKind::directory;
        excluded = m_exclude.match(path.substr(0, end), kind) == Verdict::ignored;
        if (end == std::string::npos) break;
      }
      struct stat status{};
      if (excluded || ::lstat((m_root / path).c_str(), &status) != 0) continue;
      const std::size_t before = m_set.files.size();
      add(path, status);
      if (m_set.files.size() == before) continue;
      warn(path, "is sent because it is imported, though it is ignored");
      fresh.push_back(path);
    }
  }
}

FileSet Collector::collect() {
  m_pending.push_back({"", Depth::normal, m_chain});
  while (!m_pending.empty()) {
    const Pending directory = std::move(m_pending.back());
    m_pending.pop_back();
    read_directory(directory);
  }
  add_imported();
  std::sort(m_set.files.begin(), m_set.files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  std::sort(m_set.warnings.begin(), m_set.warnings.end());
  return std::move(m_set);
}

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

std::uint64_t FileSet::total_size() const {
  std::uint64_t total = 0;
  for (const auto& file : files) total += file.size;
  return total;
}

FileSet collect_files(const fs::path& root) {
  std::error_code error;
  const fs::path real = fs::canonical(root, error);
  if (error) throw errno_error("read " + root.string(), error.value());
  return Collector(real).collect();
}

std::string format_file_list(const FileSet& files) {
  std::string text;
  for (const auto& [path, kind, size, mtime, ctime, inode, mode, target] : files.files) {
    if (path.find_first_of("\n\\") == std::string::npos) {
      text += path + "\n";
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
