#include "config/private_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "re/base/error.hpp"
#include "re/sys/file.hpp"
#include "re/sys/secret.hpp"

namespace re::config {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_largest_file = std::size_t{1} << 20U;

// Whoever can write the file can make us run a password_command, so the rule is ssh's for ~/.ssh/config.
void check_owner(const struct stat& status, const std::string& shown) {
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    throw Error(ErrorKind::config, shown + " belongs to another user", "make a copy of your own");
  }
  if ((status.st_mode & 022U) != 0) {
    throw Error(ErrorKind::config, shown + " can be written by others", "chmod go-w " + shown);
  }
}

std::string read_up_to(int fd, std::size_t limit, const std::string& shown) {
  std::string text(limit, '\0');
  std::size_t size = 0;
  while (size < limit) {
    const ssize_t got = ::read(fd, text.data() + size, limit - size);
    if (got == 0) break;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw errno_error("read " + shown, errno);
    size += static_cast<std::size_t>(got);
  }
  if (size == limit) throw Error(ErrorKind::config, shown + " changes while it is read", "try again");
  text.resize(size);
  return text;
}

}  // namespace

WipedText::~WipedText() {
  if (m_text) sys::wipe(m_text->data(), m_text->size());
}

namespace {

enum class Trust { owner, anybody };

std::optional<PrivateFile> read_checked(const fs::path& path, const std::string& shown, Trust trust) {
  sys::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));  // a FIFO must not hang us
  if (!fd.is_open() && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  if (!fd.is_open()) throw errno_error("open " + shown, errno);
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) throw errno_error("look at " + shown, errno);
  if (!S_ISREG(status.st_mode)) throw Error(ErrorKind::config, shown + " is not a regular file");
  if (trust == Trust::owner) check_owner(status, shown);
  if (status.st_size > static_cast<off_t>(k_largest_file))
    throw Error(ErrorKind::config, shown + " is larger than 1 MiB");
  PrivateFile file{WipedText(read_up_to(fd.get(), static_cast<std::size_t>(status.st_size) + 1, shown)),
                   status.st_mode & 07777U};
  return file;
}

}  // namespace

std::optional<PrivateFile> read_private_file(const fs::path& path, const std::string& shown) {
  return read_checked(path, shown, Trust::owner);
}

std::optional<PrivateFile> read_project_file(const fs::path& path, const std::string& shown) {
  return read_checked(path, shown, Trust::anybody);
}

std::string shown_path(const fs::path& path, const fs::path& home) {
  const std::string prefix = home.string() + "/";
  const std::string text = path.string();
  return text.starts_with(prefix) && prefix.size() > 1 ? "~/" + text.substr(prefix.size()) : text;
}

}  // namespace re::config
