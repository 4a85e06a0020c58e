#include "re/sys/file.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "re/base/error.hpp"

namespace re::sys {

namespace fs = std::filesystem;

namespace {

constexpr int k_for_reading = O_RDONLY | O_NONBLOCK;
constexpr std::size_t k_least_read = 4095;

// A closed one where there is no such file: that is often no error, and a throw costs more than a file.
Fd open_if_exists(const fs::path& path, int flags, unsigned mode) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  const int error_number = errno;
  if (!fd.is_open() && error_number != ENOENT) throw errno_error("open " + path.string(), error_number);
  return fd;
}

}  // namespace

Fd open_file(const fs::path& path, int flags, unsigned mode) {
  Fd fd = open_if_exists(path, flags, mode);
  if (fd.is_open()) return fd;
  throw Error(ErrorKind::not_found, "cannot open " + path.string() + ": No such file or directory");
}

namespace {

bool is_null_device(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

// Whether reading it comes to an end by itself. Of all devices only /dev/null stands for a file.
bool is_finite(const struct stat& status) {
  return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || is_null_device(status);
}

// Of a regular file, less than was asked for is the rest (read(2)); but those of /proc, which have no size,
// come in pieces.
std::string read_all(const Fd& fd, const fs::path& path, std::size_t limit) {
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) throw errno_error("read " + path.string(), errno);
  if (!is_finite(status)) throw Error(ErrorKind::io, "cannot read " + path.string() + ": it is no file");
  const bool has_size = S_ISREG(status.st_mode) && status.st_size > 0;
  const std::size_t expected = has_size ? static_cast<std::size_t>(status.st_size) : 0;
  std::string content(std::min(limit, std::max(expected, k_least_read)) + 1, '\0');
  for (std::size_t used = 0;;) {
    const std::size_t room = content.size() - used;
    const ssize_t got = ::read(fd.get(), content.data() + used, room);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw errno_error("read " + path.string(), errno);
    used += static_cast<std::size_t>(got);
    if (used > limit) {
      throw Error(ErrorKind::io, path.string() + " is larger than " + std::to_string(limit) + " bytes");
    }
    if (got == 0 || (has_size && static_cast<std::size_t>(got) < room)) {
      content.resize(used);
      return content;
    }
    if (used == content.size()) content.resize(2 * used);
  }
}

}  // namespace

std::string read_file(const fs::path& path, std::size_t limit) {
  return read_all(open_file(path, k_for_reading), path, limit);
}

std::optional<std::string> read_file_if_exists(const fs::path& path, std::size_t limit) {
  const Fd fd = open_if_exists(path, k_for_reading, 0);
  if (!fd.is_open()) return std::nullopt;
  return read_all(fd, path, limit);
}

std::string read_beginning(const fs::path& path, std::size_t count) {
  const Fd fd = open_if_exists(path, k_for_reading, 0);
  if (!fd.is_open()) return {};
  std::string content(count, '\0');
  std::size_t used = 0;
  while (used < count) {
    const ssize_t got = ::read(fd.get(), content.data() + used, count - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw errno_error("read " + path.string(), errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content.resize(used);
  return content;
}

namespace {

fs::path resolve_links(const fs::path& path) {
  std::error_code error;
  fs::path target =
      fs::is_symlink(fs::symlink_status(path, error)) ? fs::weakly_canonical(path, error) : path;
  return error ? path : target;
}

}  // namespace

AtomicFile::AtomicFile(const fs::path& path, unsigned mode, Link link)
    : m_path(link == Link::follow ? resolve_links(path) : path), m_temporary(m_path.string() + ".XXXXXX") {
  m_fd.reset(::mkostemp(m_temporary.data(), O_CLOEXEC));
  if (!m_fd.is_open()) throw errno_error("write " + m_path.string(), errno);
  if (::fchmod(m_fd.get(), mode) != 0) throw errno_error("set the mode of " + m_path.string(), errno);
}

AtomicFile::~AtomicFile() {
  if (m_fd.is_open()) ::unlink(m_temporary.c_str());
}

void AtomicFile::write(std::string_view data) {
  try {
    write_all(m_fd.get(), data);
  } catch (Error& error) {
    throw Error(error).within("cannot save " + m_path.string());
  }
}

void AtomicFile::commit(Sync sync) {
  if (sync == Sync::yes && ::fsync(m_fd.get()) != 0) throw errno_error("save " + m_path.string(), errno);
  if (::rename(m_temporary.c_str(), m_path.c_str()) != 0) throw errno_error("save " + m_path.string(), errno);
  m_fd.reset();
  if (sync == Sync::no) return;
  const fs::path parent = m_path.has_parent_path() ? m_path.parent_path() : fs::path(".");
  ::fsync(open_file(parent, O_RDONLY | O_DIRECTORY).get());
}

void write_file_atomic(const fs::path& path, std::string_view data, unsigned mode, Link link) {
  AtomicFile file(path, mode, link);
  file.write(data);
  file.commit();
}

bool has_no_input(int descriptor) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return errno == EBADF;
  return is_null_device(status);
}

// The kinds of https://man7.org/linux/man-pages/man2/statfs.2.html that one machine has.
bool is_on_local_disk(const fs::path& path) {
  struct statfs facts{};
  if (::statfs(path.c_str(), &facts) != 0)
    throw errno_error("look at the file system of " + path.string(), errno);
  constexpr std::uint32_t k_zfs = 0x2fc12fc1;
  constexpr std::uint32_t k_bcachefs = 0xca451a4e;
  constexpr std::array<std::uint32_t, 8> k_local = {
      EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, OVERLAYFS_SUPER_MAGIC,
      F2FS_SUPER_MAGIC, k_zfs,           k_bcachefs};
  return std::ranges::find(k_local, static_cast<std::uint32_t>(facts.f_type)) != k_local.end();
}

void ensure_private_directory(const fs::path& path) {
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  if (error) throw errno_error("make " + path.parent_path().string(), error.value());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) throw errno_error("make " + path.string(), errno);
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) throw errno_error("look at " + path.string(), errno);
  if (!S_ISDIR(status.st_mode))
    throw Error(ErrorKind::config, path.string() + " is not a directory", "move it away");
  if (status.st_uid != ::geteuid()) {
    throw Error(ErrorKind::config, path.string() + " belongs to another user", "move it away");
  }
  if ((status.st_mode & 022U) != 0) {
    throw Error(ErrorKind::config, path.string() + " can be written by others",
                "chmod go-w " + path.string());
  }
}

TemporaryDirectory::TemporaryDirectory(std::string_view prefix) {
  const char* base = std::getenv("TMPDIR");
  std::string name =
      fs::path(base != nullptr && *base != '\0' ? base : "/tmp") / (std::string(prefix) + ".XXXXXX");
  if (::mkdtemp(name.data()) == nullptr) throw errno_error("make a directory like " + name, errno);
  m_path = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  fs::remove_all(m_path, ignored);
}

}  // namespace re::sys
