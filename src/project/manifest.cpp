#include "re/project/manifest.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <memory>

#include "re/base/encoding.hpp"
#include "re/base/error.hpp"
#include "re/base/sha256.hpp"
#include "re/base/strings.hpp"
#include "re/sys/fd.hpp"
#include "re/sys/file.hpp"

namespace re::project {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_read_size = std::size_t{128} << 10U;
constexpr std::size_t k_largest_cache = std::size_t{256} << 20U;
constexpr std::size_t k_name_length = 40;
constexpr std::string_view k_cache_header = "re-hash-cache 1";  // cache file format 1, see HashCache::save()

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// The clock that the kernel stamps files with.
std::int64_t file_clock_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return nanoseconds(now);
}

bool is_same(const struct stat& status, const FileEntry& file) {
  return static_cast<std::uint64_t>(status.st_size) == file.size &&
         nanoseconds(status.st_mtim) == file.mtime_ns && nanoseconds(status.st_ctim) == file.ctime_ns &&
         status.st_ino == file.inode;
}

std::string hash_file(const fs::path& root, const FileEntry& file) {
  const fs::path path = root / file.path;
  const sys::Fd fd = sys::open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  Sha256 hash;
  std::string buffer(k_read_size, '\0');
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw errno_error("read " + path.string(), errno);
    if (got == 0) break;
    hash.add(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0 || !is_same(status, file)) {
    throw Error(ErrorKind::conflict, path.string() + " changed while it was read",
                "try again when nothing writes to it");
  }
  return to_hex(hash.finish());
}

std::string escape(std::string_view text) {
  std::string result;
  for (const char byte : text) {
    switch (byte) {
      case '\\':
        result += "\\\\";
        break;
      case '\n':
        result += "\\n";
        break;
      case '\r':
        result += "\\r";
        break;
      case '\t':
        result += "\\t";
        break;
      default:
        result += byte;
    }
  }
  return result;
}

std::string unescape(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\' || at + 1 >= text.size()) {
      result += text[at];
      continue;
    }
    const char next = text[++at];
    result += next == 'n' ? '\n' : next == 'r' ? '\r' : next == 't' ? '\t' : next;
  }
  return result;
}

// Hashes of files by what stat(2) says of them.
class HashCache {
 public:
  explicit HashCache(fs::path path) : m_path(std::move(path)) { load(); }

  [[nodiscard]] const std::string* find(const FileEntry& file) const {
    const auto known = m_entries.find(file.path);
    return known != m_entries.end() && known->second.stamp == stamp(file) && is_settled(file)
               ? &known->second.sha256
               : nullptr;
  }

  /// Writes the hashes of a manifest, found from `began` on: the header, the time `began` in nanoseconds,
  /// then for each file
  /// "<size> <mtime> <ctime> <inode> <sha256> <escaped path>".
  void save(const FileSet& files, const std::vector<ManifestEntry>& entries, std::int64_t began) const {
    std::string text = std::string(k_cache_header) + "\n" + std::to_string(began) + "\n";
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (entries[i].kind != FileKind::regular) continue;
      text += stamp(files.files[i]) + " " + entries[i].sha256 + " " + escape(entries[i].path) + "\n";
    }
    sys::write_file_atomic(m_path, text);
  }

 private:
  struct Entry {
    std::string stamp;
    std::string sha256;
  };

  static std::string stamp(const FileEntry& file) {
    return std::to_string(file.size) + " " + std::to_string(file.mtime_ns) + " " +
           std::to_string(file.ctime_ns) + " " + std::to_string(file.inode);
  }

  // A file that was touched in the tick in which hashing began may have changed after it was read and look
  // the same.
  [[nodiscard]] bool is_settled(const FileEntry& file) const {
    return file.mtime_ns < m_began && file.ctime_ns < m_began;
  }

  // A cache that cannot be read or understood is an empty one: it only saves work.
  void load() {
    std::string text;
    try {
      text = sys::read_file(m_path, k_largest_cache);
    } catch (const Error&) {
      return;
    }
    const auto lines = split_lines(text);
    if (lines.size() < 2 || lines[0] != k_cache_header) return;
    m_began = parse_number<std::int64_t>(lines[1]).value_or(0);
    for (std::size_t i = 2; i < lines.size(); ++i) {
      std::size_t at = 0;
      for (int field = 0; field < 4 && at != std::string_view::npos; ++field) at = lines[i].find(' ', at + 1);
      if (at == std::string_view::npos) continue;
      const auto hash_end = lines[i].find(' ', at + 1);
      if (hash_end == std::string_view::npos || hash_end - at - 1 != 64) continue;
      m_entries[unescape(lines[i].substr(hash_end + 1))] = {
          std::string(lines[i].substr(0, at)), std::string(lines[i].substr(at + 1, hash_end - at - 1))};
    }
  }

  fs::path m_path;
  std::int64_t m_began = 0;
  std::map<std::string, Entry> m_entries;
};

ManifestEntry describe(const FileEntry& file) {
  ManifestEntry entry;
  entry.path = file.path;
  entry.kind = file.kind;
  entry.size = file.size;
  entry.link_target = file.link_target;
  entry.mode = file.kind == FileKind::symlink ? 0777U : (file.mode & 0100U) != 0 ? 0755U : 0644U;
  return entry;
}

std::string octal(unsigned mode) {
  std::string digits = "0000";
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, mode >>= 3U) {
    *digit = static_cast<char>('0' + (mode & 7U));
  }
  return digits;
}

}  // namespace

Manifest make_manifest(const fs::path& root, const FileSet& files, const fs::path& cache_directory) {
  std::error_code error;
  const fs::path real = fs::canonical(root, error);
  if (error) throw errno_error("read " + root.string(), error.value());
  sys::ensure_private_directory(cache_directory);
  const HashCache cache(cache_directory / ("hashes-" + sha256_hex(real.string()).substr(0, k_name_length)));
  const std::int64_t began = file_clock_now();
  Manifest manifest;
  manifest.entries.reserve(files.files.size());
  for (const FileEntry& file : files.files) {
    ManifestEntry entry = describe(file);
    if (file.kind == FileKind::regular) {
      const std::string* known = cache.find(file);
      entry.sha256 = known != nullptr ? *known : hash_file(real, file);
      manifest.hashed += known == nullptr ? 1U : 0U;
    }
    manifest.entries.push_back(std::move(entry));
  }
  if (manifest.hashed > 0) cache.save(files, manifest.entries, began);
  return manifest;
}

std::string serialize(const Manifest& manifest) {
  std::string text = "re-manifest 1\n";
  for (const ManifestEntry& entry : manifest.entries) {
    if (entry.kind == FileKind::symlink) {
      text += "L " + escape(entry.path) + "\t" + escape(entry.link_target) + "\n";
    } else {
      text += "F " + octal(entry.mode) + " " + std::to_string(entry.size) + " " + entry.sha256 + " " +
              escape(entry.path) + "\n";
    }
  }
  return text;
}

// coreutils escapes a backslash and a newline, and since 8.30 a carriage return too; only names that hold one
// of the first two are marked here, since busybox and older coreutils read a carriage return as it is.
std::string checksum_list(const Manifest& manifest) {
  std::string text;
  for (const ManifestEntry& entry : manifest.entries) {
    if (entry.kind != FileKind::regular) continue;
    const bool marked = entry.path.find_first_of("\\\n") != std::string::npos;
    const std::string path = replace_all(replace_all(entry.path, "\\", "\\\\"), "\n", "\\n");
    text += (marked ? "\\" : "") + entry.sha256 + "  ./" + path + "\n";
  }
  return text;
}

std::string snapshot_name(const Manifest& manifest) {
  return sha256_hex(serialize(manifest)).substr(0, k_name_length);
}

}  // namespace re::project
