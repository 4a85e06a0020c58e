#include "re/project/manifest.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "project/file_status.hpp"
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
constexpr std::size_t k_name_length = 40;

std::string hash_file(const fs::path& root, const FileEntry& file) {
  const fs::path path = root / file.path;
  const sys::Fd fd = sys::open_file(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  Sha256 hash;
  std::string buffer(std::min<std::uint64_t>(k_read_size, file.size + 1), '\0');
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw errno_error("read " + path.string(), errno);
    if (got == 0) break;
    hash.add(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0 || !is_same(file, status)) {
    throw Error(ErrorKind::conflict, path.string() + " changed while it was read",
                "try again when nothing writes to it");
  }
  return hash.finish();
}

void append_escaped(std::string& text, std::string_view raw) {
  constexpr std::string_view k_special = "\\\n\r\t";
  for (auto at = raw.find_first_of(k_special); at != std::string_view::npos;
       at = raw.find_first_of(k_special)) {
    text.append(raw.substr(0, at)).append(1, '\\');
    text += raw[at] == '\n' ? 'n' : raw[at] == '\r' ? 'r' : raw[at] == '\t' ? 't' : '\\';
    raw.remove_prefix(at + 1);
  }
  text.append(raw);
}

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

Manifest make_manifest(const fs::path& root, const FileSet& files, FileCache& cache) {
  Manifest manifest;
  manifest.entries.reserve(files.files.size());
  for (const FileEntry& file : files.files) {
    ManifestEntry entry = describe(file);
    if (file.kind == FileKind::regular) {
      auto hash = cache.find_hash(file);
      if (!hash) {
        hash = cache.put_hash(file, hash_file(root, file));
        ++manifest.hashed;
      }
      entry.sha256 = to_hex(*hash);
    }
    manifest.entries.push_back(std::move(entry));
  }
  if (auto known = cache.find_snapshot(files)) {
    manifest.snapshot = std::move(*known);
  } else {
    manifest.snapshot = snapshot_name(manifest);
    cache.save(files, manifest.snapshot);
  }
  return manifest;
}

std::string serialize(const Manifest& manifest) {
  std::string text = "re-manifest 1\n";
  for (const ManifestEntry& entry : manifest.entries) {
    if (entry.kind == FileKind::symlink) {
      append_escaped(text += "L ", entry.path);
      append_escaped(text += '\t', entry.link_target);
    } else {
      text.append("F ").append(octal(entry.mode)).append(1, ' ').append(std::to_string(entry.size));
      text.append(1, ' ').append(entry.sha256).append(1, ' ');
      append_escaped(text, entry.path);
    }
    text += '\n';
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
