// The identity of a job: 48 bits of time and 80 random bits, as a ULID spells them (26 characters of
// Crockford's base 32, here in lower case; https://github.com/ulid/spec). It sorts by time and is a safe file
// name.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace re {

class JobId {
 public:
  static constexpr std::size_t k_length = 26;
  static constexpr std::size_t k_random_bytes = 10;

  /// \param random ten bytes from the system's random source
  static JobId make(std::chrono::system_clock::time_point now,
                    const std::array<unsigned char, k_random_bytes>& random);
  /// The 26 characters in either case, or nothing.
  static std::optional<JobId> parse(std::string_view text);

  [[nodiscard]] const std::string& text() const { return m_text; }
  /// The time in it, in milliseconds since the epoch.
  [[nodiscard]] std::chrono::system_clock::time_point time() const;

  auto operator<=>(const JobId&) const = default;

 private:
  explicit JobId(std::string text) : m_text(std::move(text)) {}
  std::string m_text;
};

}  // namespace re
