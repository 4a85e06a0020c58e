// Text helpers: ASCII, allocation only where the result needs it.
#pragma once

#include <charconv>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace re {

std::string_view trim(std::string_view text);
/// Cuts at every separator; "a,,b" gives three parts, "" gives one empty part.
std::vector<std::string_view> split(std::string_view text, char separator);
/// Cuts at runs of blanks and tabs; no empty parts.
std::vector<std::string_view> split_words(std::string_view text);
/// The lines of a text without their '\n' (and a '\r' before it); a last line without '\n' counts, an empty
/// one does not.
std::vector<std::string_view> split_lines(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string to_lower(std::string_view text);
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

/// The whole text as a decimal number, or nothing: no sign for unsigned types, no blanks, no overflow.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

/// The candidate nearest to a mistyped word (Damerau-Levenshtein), or nothing when none is near enough to be
/// meant.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

/// "did you mean X?" or "": the one spelling of a suggestion, fit to be an Error's hint.
std::string suggestion(std::string_view word, std::span<const std::string> candidates);

}  // namespace re
