// Text as a terminal shows it: widths in cells, cutting, and the making safe of what came from elsewhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace re::ui {

/// Cells that the text takes on a terminal: 2 for East Asian wide characters and emoji, 0 for combining ones.
/// The text holds no control characters (sanitise_line); a byte that is not UTF-8 counts 1.
std::size_t display_width(std::string_view text);

/// The text if it fits, else its beginning and "…", together at most `columns` cells. Never cuts a character.
std::string fit(std::string_view text, std::size_t columns);

/// A name or message from elsewhere as one harmless line: control characters (also line ends and tabs),
/// escape sequences, bidirectional controls and bytes that are not UTF-8 become visible ("\x1b", "\u202e").
/// Idempotent; not reversible, since a backslash stays as it is.
std::string sanitise_line(std::string_view text);

}  // namespace re::ui
