#include "re/base/shell.hpp"

#include <algorithm>

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
  std::string quoted = "'";
  for (const char letter : word) {
    if (letter == '\'') {
      quoted += "'\\''";
    } else {
      quoted += letter;
    }
  }
  return quoted += '\'';
}

std::string shell_join(std::span<const std::string> words) {
  std::string line;
  for (const auto& word : words) {
    if (!line.empty()) line += ' ';
    line += shell_quote(word);
  }
  return line;
}

}  // namespace re
