#include "re/ui/text.hpp"

#include "ui/escape.hpp"
#include "ui/utf8.hpp"

namespace re::ui {

namespace {

constexpr std::string_view k_ellipsis = "…";

// Bytes of the longest beginning that takes at most so many cells, with the combining characters after it.
std::size_t size_within(std::string_view text, std::size_t columns) {
  std::size_t size = 0;
  while (size < text.size()) {
    const Character character = first_character(text.substr(size));
    const std::size_t width = character.state == Character::State::valid ? width_of(character.code) : 1;
    if (width > columns) break;
    columns -= width;
    size += character.size;
  }
  return size;
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character character = first_character(text);
    width += character.state == Character::State::valid ? width_of(character.code) : 1;
    text.remove_prefix(character.size);
  }
  return width;
}

std::string fit(std::string_view text, std::size_t columns) {
  if (size_within(text, columns) == text.size()) return std::string(text);
  if (columns == 0) return {};
  return std::string(text.substr(0, size_within(text, columns - 1))).append(k_ellipsis);
}

std::string sanitise_line(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Character character = first_character(text);
    const bool is_plain = character.state == Character::State::valid && is_harmless(character.code);
    if (is_plain) {
      result.append(text.substr(0, character.size));
    } else {
      append_visible(result, text.substr(0, character.size), character);
    }
    text.remove_prefix(character.size);
  }
  return result;
}

}  // namespace re::ui
