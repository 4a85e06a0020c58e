#pragma once

#include <string>
#include <string_view>

#include "ui/utf8.hpp"

namespace re::ui {

/// Appends "\x1b" for a byte (ASCII, or no UTF-8), "\u202e" or "\u{e0001}" for a code point.
/// \param bytes the character's own bytes
void append_visible(std::string& result, std::string_view bytes, const Character& character);

}  // namespace re::ui
