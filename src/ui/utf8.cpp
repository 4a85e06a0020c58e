#include "ui/utf8.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "ui/width_table.hpp"

namespace re::ui {

namespace {

constexpr std::array<CodePointRange, 11> k_harmful = {{{0x00, 0x1f},
                                                       {0x7f, 0x9f},
                                                       {0x61c, 0x61c},
                                                       {0x180e, 0x180e},
                                                       {0x200b, 0x200b},
                                                       {0x200e, 0x200f},
                                                       {0x2028, 0x202e},
                                                       {0x2060, 0x206f},
                                                       {0xfeff, 0xfeff},
                                                       {0xfff9, 0xfffb},
                                                       {0xe0000, 0xe0fff}}};

bool contains(std::span<const CodePointRange> ranges, char32_t code) {
  const auto after =
      std::upper_bound(ranges.begin(), ranges.end(), code,
                       [](char32_t wanted, const CodePointRange& range) { return wanted < range.first; });
  return after != ranges.begin() && code <= std::prev(after)->last;
}

// How a sequence may begin and go on (Unicode 14, table 3-7): length, range of its second byte.
struct Lead {
  unsigned char first;
  unsigned char last;
  std::size_t size;
  unsigned char second_from;
  unsigned char second_to;
};
constexpr std::array<Lead, 8> k_leads = {{{0xc2, 0xdf, 2, 0x80, 0xbf},
                                          {0xe0, 0xe0, 3, 0xa0, 0xbf},
                                          {0xe1, 0xec, 3, 0x80, 0xbf},
                                          {0xed, 0xed, 3, 0x80, 0x9f},
                                          {0xee, 0xef, 3, 0x80, 0xbf},
                                          {0xf0, 0xf0, 4, 0x90, 0xbf},
                                          {0xf1, 0xf3, 4, 0x80, 0xbf},
                                          {0xf4, 0xf4, 4, 0x80, 0x8f}}};

}  // namespace

Character first_character(std::string_view text) {
  using State = Character::State;
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  if (byte(0) < 0x80) return {State::valid, byte(0), 1};
  const auto* lead = std::find_if(k_leads.begin(), k_leads.end(),
                                  [&](const Lead& l) { return l.first <= byte(0) && byte(0) <= l.last; });
  if (lead == k_leads.end()) return {};
  char32_t code = byte(0) & (0x7fU >> lead->size);
  for (std::size_t i = 1; i < lead->size; ++i) {
    if (i == text.size()) return {State::incomplete, 0, 1};
    const unsigned char from = i == 1 ? lead->second_from : 0x80;
    const unsigned char to = i == 1 ? lead->second_to : 0xbf;
    if (byte(i) < from || byte(i) > to) return {};
    code = code << 6U | (byte(i) & 0x3fU);
  }
  return {State::valid, code, lead->size};
}

std::size_t width_of(char32_t code) {
  if (code < 0x300) return 1;
  if (contains(k_zero_width, code)) return 0;
  return contains(k_double_width, code) ? 2 : 1;
}

bool is_harmless(char32_t code) {
  return !contains(k_harmful, code);
}

}  // namespace re::ui
