#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace re::sys {

/// A password or passphrase: kept in pages of its own that are locked, left out of core files (MADV_DONTDUMP)
/// and not inherited by children (MADV_WIPEONFORK), and wiped when it goes. Moves, does not copy; it is never
/// logged.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text);
  Secret(Secret&&) noexcept = default;
  Secret& operator=(Secret&&) noexcept = default;
  ~Secret() = default;

  /// Valid while this lives; followed by a NUL byte, for C interfaces.
  [[nodiscard]] std::string_view reveal() const;
  [[nodiscard]] bool is_empty() const { return m_size == 0; }
  /// Another holder of the same text, on purpose spelled out.
  [[nodiscard]] Secret clone() const { return Secret(reveal()); }

 private:
  struct Unmap {
    std::size_t bytes;
    Unmap() : bytes(0) {}
    explicit Unmap(std::size_t size) : bytes(size) {}
    void operator()(char* pages) const noexcept;
  };
  std::unique_ptr<char, Unmap> m_pages;
  std::size_t m_size = 0;
};

/// Overwrites memory so that the compiler cannot leave it out.
void wipe(void* data, std::size_t size) noexcept;
/// This process leaves no core file and cannot be traced by others of the same user (PR_SET_DUMPABLE 0).
void forbid_core_files() noexcept;

}  // namespace re::sys
