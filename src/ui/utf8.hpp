#pragma once

#include <cstddef>
#include <string_view>

namespace re::ui {

/// The first character of a text.
struct Character {
  enum class State { valid, invalid, incomplete };  ///< incomplete: more bytes could make it valid
  State state = State::invalid;
  char32_t code = 0;
  std::size_t size = 1;  ///< bytes; 1 for an invalid one
};

/// Decodes as RFC 3629 demands: no overlong forms, no surrogates, nothing above U+10FFFF. The text is not
/// empty.
Character first_character(std::string_view text);

/// Cells on a terminal of a printable code point: 0, 1 or 2.
std::size_t width_of(char32_t code);

/// Whether a code point can be shown as it is: no control character (C0, DEL, C1), and none that reorders,
/// hides or breaks the line (bidirectional controls, line and paragraph separators, tags, interlinear
/// annotation).
bool is_harmless(char32_t code);

}  // namespace re::ui
