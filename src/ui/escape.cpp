#include "ui/escape.hpp"

#include <array>
#include <cstdio>

namespace re::ui {

void append_visible(std::string& result, std::string_view bytes, const Character& character) {
  std::array<char, 16> text{};
  const auto code = static_cast<unsigned>(character.code);
  if (character.state != Character::State::valid || code < 0x80) {
    std::snprintf(text.data(), text.size(), "\\x%02x",
                  static_cast<unsigned>(static_cast<unsigned char>(bytes.front())));
  } else if (code <= 0xffff) {
    std::snprintf(text.data(), text.size(), "\\u%04x", code);
  } else {
    std::snprintf(text.data(), text.size(), "\\u{%x}", code);
  }
  result += text.data();
}

}  // namespace re::ui
