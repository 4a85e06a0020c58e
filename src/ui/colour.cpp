#include "re/ui/colour.hpp"

#include <array>

namespace re::ui {

namespace {

// The eight colours every terminal has, so that a user's own scheme applies.
constexpr std::array<std::string_view, 6> k_sgr = {"",         "\x1b[1m",  "\x1b[2m",
                                                   "\x1b[32m", "\x1b[33m", "\x1b[31m"};
constexpr std::string_view k_reset = "\x1b[0m";

}  // namespace

std::optional<ColourChoice> parse_colour_choice(std::string_view text) {
  if (text == "auto") return ColourChoice::automatic;
  if (text == "always") return ColourChoice::always;
  if (text == "never") return ColourChoice::never;
  return std::nullopt;
}

Colour choose_colour(ColourChoice choice, Sink sink, const sys::Environment& environment) {
  if (choice != ColourChoice::automatic) return choice == ColourChoice::always ? Colour::on : Colour::off;
  if (environment("NO_COLOR")) return Colour::off;
  if (environment("CLICOLOR_FORCE").value_or("0") != "0") return Colour::on;
  if (sink != Sink::terminal || environment("CLICOLOR") == "0") return Colour::off;
  return environment("TERM").value_or("dumb") == "dumb" ? Colour::off : Colour::on;
}

std::string paint(Colour colour, Style style, std::string_view text) {
  if (colour == Colour::off || style == Style::plain || text.empty()) return std::string(text);
  return std::string(k_sgr.at(static_cast<std::size_t>(style))).append(text).append(k_reset);
}

}  // namespace re::ui
