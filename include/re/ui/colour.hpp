// Whether output is coloured, and the few styles there are.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "re/sys/paths.hpp"

namespace re::ui {

enum class ColourChoice { automatic, always, never };
/// "auto", "always", "never" (the values of --color).
std::optional<ColourChoice> parse_colour_choice(std::string_view text);

enum class Sink { terminal, other };
enum class Colour { off, on };

/// The option wins; then NO_COLOR (https://no-color.org: any value but the empty one turns colour off), then
/// CLICOLOR_FORCE (any value but "0": on, https://bixense.com/clicolors); then colour is for terminals whose
/// TERM is set and not "dumb", unless CLICOLOR is "0".
Colour choose_colour(ColourChoice choice, Sink sink, const sys::Environment& environment);

/// What a text means; how that looks is the palette's affair.
enum class Style { plain, heading, dim, good, warning, bad };

/// The text in the colour of its style, or as it is with Colour::off. The text holds no escape sequences.
std::string paint(Colour colour, Style style, std::string_view text);

}  // namespace re::ui
