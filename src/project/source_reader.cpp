#include "project/source_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "re/base/error.hpp"
#include "re/sys/file.hpp"

namespace re::project {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t k_first_size = std::size_t{256} << 10U;  // most sources, at one go
constexpr std::size_t k_limit = std::size_t{64} << 20U;

}  // namespace

SourceReader::SourceReader(fs::path root)
    : m_root(std::move(root)),
      m_directory(::open(m_root.empty() ? "." : m_root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)),
      m_buffer(std::make_unique_for_overwrite<char[]>(k_first_size)),
      m_size(k_first_size) {}

void SourceReader::grow(std::size_t used) {
  auto buffer = std::make_unique_for_overwrite<char[]>(2 * m_size);
  std::copy_n(m_buffer.get(), used, buffer.get());
  m_buffer = std::move(buffer);
  m_size *= 2;
}

std::string_view SourceReader::read(const std::string& path) {
  m_file.reset(::openat(m_directory.get(), path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  if (!m_file.is_open())
    m_file = sys::open_file(m_root / path, O_RDONLY);  // says what is wrong with which path
  std::size_t used = 0;
  for (;;) {
    const ssize_t got = ::read(m_file.get(), m_buffer.get() + used, m_size - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw errno_error("read " + (m_root / path).string(), errno);
    used += static_cast<std::size_t>(got);
    if (used > k_limit) {
      throw Error(ErrorKind::io,
                  (m_root / path).string() + " is larger than " + std::to_string(k_limit) + " bytes");
    }
    // Of a regular file, less than was asked for is the rest (read(2)).
    if (used < m_size) return {m_buffer.get(), used};
    grow(used);
  }
}

struct stat SourceReader::status() const {
  struct stat status{};
  if (::fstat(m_file.get(), &status) != 0) throw errno_error("look at a file in " + m_root.string(), errno);
  return status;
}

}  // namespace re::project
