#include "re/sys/secret.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "re/base/error.hpp"

namespace re::sys {

Secret::Secret(std::string_view text) : m_size(text.size()) {
  if (text.empty()) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const std::size_t bytes = (text.size() + 1 + page - 1) / page * page;
  void* pages = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) throw errno_error("keep a password in memory", errno);
  m_pages = std::unique_ptr<char, Unmap>(static_cast<char*>(pages), Unmap(bytes));
  [[maybe_unused]] const int locked =
      ::mlock(pages, bytes);  // may fail under RLIMIT_MEMLOCK: the page could then be swapped, nothing more
  ::madvise(pages, bytes, MADV_DONTDUMP);
  ::madvise(pages, bytes, MADV_WIPEONFORK);
  std::memcpy(pages, text.data(), text.size());
}

std::string_view Secret::reveal() const {
  return m_size == 0 ? std::string_view("") : std::string_view(m_pages.get(), m_size);
}

void Secret::Unmap::operator()(char* pages) const noexcept {
  wipe(pages, bytes);
  ::munmap(pages, bytes);
}

void wipe(void* data, std::size_t size) noexcept {
  ::explicit_bzero(data, size);
}

void forbid_core_files() noexcept {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

}  // namespace re::sys
