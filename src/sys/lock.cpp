#include "re/sys/lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "re/base/error.hpp"
#include "re/sys/file.hpp"

namespace re::sys {

namespace {

Fd lock(const std::filesystem::path& path, int operation) {
  Fd fd = open_file(path, O_RDWR | O_CREAT);
  while (::flock(fd.get(), operation) != 0) {
    if (errno != EINTR) throw errno_error("lock " + path.string(), errno);
  }
  return fd;
}

}  // namespace

FileLock FileLock::wait(const std::filesystem::path& path) {
  return FileLock(lock(path, LOCK_EX));
}

FileLock FileLock::share(const std::filesystem::path& path) {
  return FileLock(lock(path, LOCK_SH));
}

std::optional<FileLock> FileLock::attempt(const std::filesystem::path& path) {
  Fd fd = open_file(path, O_RDWR | O_CREAT);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return FileLock(std::move(fd));
  if (errno != EWOULDBLOCK) throw errno_error("lock " + path.string(), errno);
  return std::nullopt;
}

}  // namespace re::sys
