#include "re/project/file_set.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <system_error>

#include "project/file_status.hpp"
#include "project/gitignore.hpp"
#include "project/imported_files.hpp"
#include "project/source_reader.hpp"
#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/project/file_cache.hpp"
#include "re/project/root.hpp"
#include "re/sys/fd.hpp"
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

struct Directory {
  std::string prefix;  // "" or "a/b/"
  Depth depth = Depth::normal;
  Chain chain = {};
};

// What a directory holds, by name, directories with a '/' behind theirs: then the order of all paths of a
// tree is that in which it is walked.
class Listing {
 public:
  struct Entry {
    std::uint32_t begin;
    std::uint32_t length;
    unsigned char type;  // DT_DIR, DT_REG and so on, never DT_UNKNOWN
  };

  /// Takes names as readdir(3) gives them.
  void add(std::string_view name, unsigned char type) {
    m_entries.push_back(
        {static_cast<std::uint32_t>(m_text.size()), static_cast<std::uint32_t>(name.size()), type});
    m_text += name;
    if (type != DT_DIR) return;
    m_text += '/';
    ++m_entries.back().length;
  }
  void sort() {
    std::sort(m_entries.begin(), m_entries.end(),
              [this](const Entry& a, const Entry& b) { return name(a) < name(b); });
  }
  [[nodiscard]] std::string_view name(const Entry& entry) const {
    return std::string_view(m_text).substr(entry.begin, entry.length);
  }
  [[nodiscard]] bool holds(std::string_view wanted) const {
    const auto at =
        std::lower_bound(m_entries.begin(), m_entries.end(), wanted,
                         [this](const Entry& entry, auto sought) { return name(entry) < sought; });
    return at != m_entries.end() && name(*at) == wanted;
  }
  [[nodiscard]] const std::vector<Entry>& entries() const { return m_entries; }

 private:
  std::string m_text;
  std::vector<Entry> m_entries;
};

class Collector {
 public:
  /// \param root canonical
  Collector(const fs::path& root, FileCache& cache);
  FileSet collect();

 private:
  struct Frame {
    Directory directory;
    Listing listing;
    std::size_t next = 0;
  };

  void enter(Directory directory);
  [[nodiscard]] std::optional<Listing> list(const Directory& directory);
  void consider(const Directory& directory, std::string_view name, unsigned char type);
  void consider_directory(const Directory& parent, std::string_view path, std::string_view name);
  [[nodiscard]] bool is_wanted(const Directory& directory, std::string_view name, unsigned char type);
  [[nodiscard]] bool is_pruned(const Directory& parent, std::string_view path, std::string_view name);
  [[nodiscard]] bool is_included(Depth depth, std::string_view path, PathKind kind) const;
  [[nodiscard]] bool is_ignored_here(const Directory& directory, std::string_view path, PathKind kind);
  void add(const std::string& path);
  [[nodiscard]] bool is_readable(const std::string& path, const struct stat& status) const;
  void add_link(FileEntry entry);
  void add_imported();
  [[nodiscard]] std::string_view imports_of(const FileEntry& file);
  [[nodiscard]] bool is_excluded(const std::string& path) const;
  void warn(std::string_view path, std::string_view reason) {
    m_set.warnings.push_back(std::string(path) + " " + std::string(reason));
  }
  [[nodiscard]] bool is_link_to_directory(const std::string& path) const;

  fs::path m_root;
  FileCache& m_cache;
  sys::Fd m_top;  // the root
  uid_t m_user = ::geteuid();
  std::string m_offset;  // of the root below the git repository's top: "sub/"
  Chain m_chain;
  IgnoreRules m_include;
  IgnoreRules m_exclude;
  std::vector<Frame> m_frames;  // from the root to the directory that is being walked
  std::string m_path;           // of what is looked at
  std::string m_ignore_path;    // the same from the repository's top
  SourceReader m_reader;
  std::deque<std::string> m_unsure;  // imports of files that changed while they were read
  FileSet m_set;
};

// The repository around the project may begin above it: its patterns count too.
Collector::Collector(const fs::path& root, FileCache& cache)
    : m_root(root),
      m_cache(cache),
      m_top(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
      m_reader(root) {
  if (!m_top.is_open()) throw errno_error("read " + m_root.string(), errno);
  const fs::path own = m_root / k_project_directory;
  m_include = IgnoreRules(replace_all("\n" + read_or_empty(own / "include"), "\n./", "\n/"));
  m_exclude = IgnoreRules(replace_all("\n" + read_or_empty(own / "exclude"), "\n./", "\n/"));
  std::error_code error;
  fs::path top = m_root;
  while (!fs::exists(top / ".git", error)) {
    if (top == top.root_path()) return;
    top = top.parent_path();
  }
  m_chain = extend(nullptr, top / ".git" / "info" / "exclude", "");
  fs::path at = top;
  for (const auto& part : m_root.lexically_relative(top)) {
    if (part == ".") break;
    m_chain = extend(m_chain, at / ".gitignore", m_offset);
    at /= part;
    m_offset += part.string() + "/";
  }
}

bool Collector::is_included(Depth depth, std::string_view path, PathKind kind) const {
  if (depth == Depth::whole) return true;
  const Verdict verdict =
      depth == Depth::normal ? m_include.match(path, kind) : m_include.match_anchored(path, kind);
  return verdict == Verdict::ignored;
}

bool Collector::is_ignored_here(const Directory& directory, std::string_view path, PathKind kind) {
  if (directory.chain == nullptr) return false;
  m_ignore_path.assign(m_offset).append(path);
  return is_ignored(directory.chain.get(), m_ignore_path, kind);
}

bool Collector::is_pruned(const Directory& parent, std::string_view path, std::string_view name) {
  if (parent.depth != Depth::normal || name.starts_with('.') || name == "__pycache__" ||
      name == "node_modules") {
    return true;
  }
  if (path == "data") return true;  // the shared data directory, one per project on the host
  return is_ignored_here(parent, path, PathKind::directory);
}

void Collector::consider_directory(const Directory& parent, std::string_view path, std::string_view name) {
  const std::string prefix = std::string(path) + "/";
  if (is_included(parent.depth, path, PathKind::directory)) {
    enter({prefix, Depth::whole});
  } else if (!is_pruned(parent, path, name)) {
    enter({prefix, Depth::normal, parent.chain});
  } else if (m_include.may_match_below(path)) {
    enter({prefix, Depth::asked_for});
  }
}

bool Collector::is_link_to_directory(const std::string& path) const {
  struct stat status{};
  return ::fstatat(m_top.get(), path.c_str(), &status, 0) == 0 && S_ISDIR(status.st_mode);
}

bool Collector::is_wanted(const Directory& directory, std::string_view name, unsigned char type) {
  if (is_included(directory.depth, m_path, PathKind::file)) return true;
  if (directory.depth != Depth::normal) return false;
  if (directory.prefix.empty() &&
      std::find(k_root_files.begin(), k_root_files.end(), name) != k_root_files.end())
    return true;
  const bool candidate =
      is_python(name) || (type == DT_LNK && !name.starts_with('.') && is_link_to_directory(m_path));
  return candidate && !is_ignored_here(directory, m_path, PathKind::file);
}

void Collector::consider(const Directory& directory, std::string_view name, unsigned char type) {
  const bool is_directory = type == DT_DIR;
  if (is_directory) name.remove_suffix(1);
  m_path.assign(directory.prefix).append(name);
  if (name == ".git" || m_path == k_project_directory) return;
  const auto kind = is_directory ? PathKind::directory : PathKind::file;
  if (m_exclude.match(m_path, kind) == Verdict::ignored) return;
  if (is_directory) {
    consider_directory(directory, m_path, name);
  } else if (is_wanted(directory, name, type)) {
    add(m_path);
  }
}

void Collector::add(const std::string& path) {
  struct stat status{};
  if (::fstatat(m_top.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT)
      warn(path, std::string("cannot be looked at: ") + std::generic_category().message(errno));
    return;
  }
  FileEntry entry;
  entry.path = path;
  describe(entry, status);
  if (S_ISLNK(status.st_mode)) {
    add_link(std::move(entry));
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

void Collector::add_link(FileEntry entry) {
  const std::string& path = entry.path;
  std::array<char, k_longest_target> target;
  const ssize_t length = ::readlinkat(m_top.get(), path.c_str(), target.data(), target.size());
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

// Sorted; nothing when the directory cannot be read.
std::optional<Listing> Collector::list(const Directory& directory) {
  sys::Fd fd(::openat(m_top.get(), directory.prefix.empty() ? "." : directory.prefix.c_str(),
                      O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fd.is_open() ? ::fdopendir(fd.get()) : nullptr,
                                                   ::closedir);
  if (!stream) {
    if (directory.prefix.empty()) throw errno_error("read " + m_root.string(), errno);
    const auto path = std::string_view(directory.prefix).substr(0, directory.prefix.size() - 1);
    warn(path, std::string("is left out: ") + std::generic_category().message(errno));
    return std::nullopt;
  }
  (void)fd.release();  // the stream has it
  Listing listing;
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    unsigned char type = entry->d_type;
    if (type == DT_UNKNOWN) {
      struct stat status{};
      if (::fstatat(::dirfd(stream.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      type = static_cast<unsigned char>(IFTODT(status.st_mode));
    }
    listing.add(name, type);
  }
  listing.sort();
  return listing;
}

// Pushes the directory to be walked, but for a virtual environment, of which only what is asked for is taken.
void Collector::enter(Directory directory) {
  auto listing = list(directory);
  if (!listing) return;
  if (directory.depth == Depth::normal) {
    const std::string& prefix = directory.prefix;
    if (!prefix.empty() && listing->holds("pyvenv.cfg")) {
      if (!m_include.may_match_below(std::string_view(prefix).substr(0, prefix.size() - 1))) return;
      directory.depth = Depth::asked_for;
      directory.chain = nullptr;
    } else if (listing->holds(".gitignore")) {
      directory.chain = extend(directory.chain, m_root / (prefix + ".gitignore"), m_offset + prefix);
    }
  }
  m_frames.push_back({std::move(directory), std::move(*listing)});
}

// Of a file that changes meanwhile nothing is remembered.
std::string_view Collector::imports_of(const FileEntry& file) {
  if (const auto known = m_cache.find_imports(file)) return *known;
  ImportScan scan;
  bool is_same_file = false;
  try {
    const std::string_view text = m_reader.read(file.path);
    scan = file.path.ends_with(".ipynb") ? scan_notebook(text) : scan_imports(text);
    is_same_file = is_same(file, m_reader.status());
  } catch (const Error&) {  // who hashes it will say it
  }
  if (is_same_file) return m_cache.put_imports(file, import_words(scan));
  return m_unsure.emplace_back(import_words(scan));
}

bool Collector::is_excluded(const std::string& path) const {
  const std::string_view whole = path;
  for (auto end = whole.find('/'); end != std::string_view::npos; end = whole.find('/', end + 1)) {
    if (m_exclude.match(whole.substr(0, end), PathKind::directory) == Verdict::ignored) return true;
  }
  return m_exclude.match(whole, PathKind::file) == Verdict::ignored;
}

// What the project imports it needs, even if .gitignore hides it (a generated module, an extension built in
// place).
void Collector::add_imported() {
  const std::size_t walked = m_set.files.size();
  const auto is_walked = [&](const std::string& path) {
    const auto end = m_set.files.begin() + static_cast<std::ptrdiff_t>(walked);
    const auto at =
        std::lower_bound(m_set.files.begin(), end, path,
                         [](const FileEntry& file, const auto& wanted) { return file.path < wanted; });
    return at != end && at->path == path;
  };
  ImportedFiles imported(m_root);
  std::set<std::string> decided;
  for (std::size_t read = 0; read < m_set.files.size();) {
    for (; read < m_set.files.size(); ++read) {
      const FileEntry& file = m_set.files[read];
      if (file.kind == FileKind::regular && is_python(file.path)) imported.add(file.path, imports_of(file));
    }
    for (const auto& path : imported.files()) {
      if (is_walked(path) || !decided.insert(path).second || is_excluded(path)) continue;
      const std::size_t before = m_set.files.size();
      add(path);
      if (m_set.files.size() > before) warn(path, "is sent because it is imported, though it is ignored");
    }
  }
}

FileSet Collector::collect() {
  enter({"", Depth::normal, m_chain});
  while (!m_frames.empty()) {
    Frame& frame = m_frames.back();
    if (frame.next == frame.listing.entries().size()) {
      m_frames.pop_back();
      continue;
    }
    const auto& entry = frame.listing.entries()[frame.next++];
    consider(frame.directory, frame.listing.name(entry), entry.type);
  }
  const std::size_t walked = m_set.files.size();
  add_imported();
  if (m_set.files.size() > walked) {
    std::sort(m_set.files.begin(), m_set.files.end(),
              [](const auto& a, const auto& b) { return a.path < b.path; });
  }
  std::sort(m_set.warnings.begin(), m_set.warnings.end());
  return std::move(m_set);
}

}  // namespace

std::uint64_t FileSet::total_size() const {
  std::uint64_t total = 0;
  for (const auto& file : files) total += file.size;
  return total;
}

FileSet collect_files(const fs::path& root, FileCache& cache) {
  std::error_code error;
  const fs::path real = fs::canonical(root, error);
  if (error) throw errno_error("read " + root.string(), error.value());
  return Collector(real, cache).collect();
}

FileSet collect_files(const fs::path& root) {
  FileCache nothing;
  return collect_files(root, nothing);
}

}  // namespace re::project
