#include "re/base/job_id.hpp"

#include <cstdint>

namespace re {

namespace {

constexpr std::string_view k_alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr std::size_t k_time_characters = 10;

}  // namespace

JobId JobId::make(std::chrono::system_clock::time_point now,
                  const std::array<unsigned char, k_random_bytes>& random) {
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count();
  const auto time = static_cast<std::uint64_t>(since_epoch) & 0xffff'ffff'ffffULL;
  std::string text;
  for (std::size_t i = 0; i < k_time_characters; ++i)
    text += k_alphabet[time >> (5 * (k_time_characters - 1 - i)) & 31U];
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const unsigned char byte : random) {
    bits = bits << 8U | byte;
    for (held += 8; held >= 5; held -= 5) text += k_alphabet[bits >> (held - 5) & 31U];
  }
  return JobId(std::move(text));
}

std::optional<JobId> JobId::parse(std::string_view text) {
  if (text.size() != k_length) return std::nullopt;
  std::string lower;
  for (const char letter : text) {
    lower += letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    if (k_alphabet.find(lower.back()) == std::string_view::npos) return std::nullopt;
  }
  if (lower.front() > '7') return std::nullopt;  // more than 48 bits of time
  return JobId(std::move(lower));
}

std::chrono::system_clock::time_point JobId::time() const {
  std::uint64_t milliseconds = 0;
  for (const char letter : m_text.substr(0, k_time_characters)) {
    milliseconds = milliseconds << 5U | static_cast<std::uint64_t>(k_alphabet.find(letter));
  }
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(milliseconds));
}

}  // namespace re
