#include "re/base/shell.hpp"

#include <time.h>

#include <algorithm>
#include <array>

#include "re/base/strings.hpp"

namespace re {

namespace {

bool is_plain(char letter) {
  constexpr std::string_view k_plain = "%+,-./:=@_";
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || k_plain.find(letter) != std::string_view::npos;
}

}  // namespace

std::string shell_quote(std::string_view word) {
  // A leading '=' is a command look-up in zsh; quoting it costs nothing.
  if (!word.empty() && word.front() != '=' && std::all_of(word.begin(), word.end(), is_plain))
    return std::string(word);
  return "'" + replace_all(word, "'", "'\\''") + "'";
}

std::string shell_join(std::span<const std::string> words) {
  std::string line;
  for (const auto& word : words) {
    if (!line.empty()) line += ' ';
    line += shell_quote(word);
  }
  return line;
}

std::string touch_time(std::int64_t mtime_ns) {
  constexpr std::int64_t k_second_ns = 1'000'000'000;
  // Downwards, also before 1970.
  const std::int64_t fraction_ns = (mtime_ns % k_second_ns + k_second_ns) % k_second_ns;
  const time_t seconds = (mtime_ns - fraction_ns) / k_second_ns;
  struct tm fields{};
  ::gmtime_r(&seconds, &fields);
  std::array<char, 32> text{};
  const std::size_t size = ::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S.", &fields);
  const std::string fraction = std::to_string(k_second_ns + fraction_ns).substr(1);
  return std::string(text.data(), size) + fraction + "Z";
}

std::string chmod_mode(unsigned permissions) {
  std::string digits = "0000";
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, permissions >>= 3U) {
    *digit = static_cast<char>('0' + (permissions & 7U));
  }
  return digits;
}

}  // namespace re
