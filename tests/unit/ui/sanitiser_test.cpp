#include "re/ui/sanitiser.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "ui/utf8.hpp"

namespace {

using namespace re::ui;

std::string whole(std::string_view text, Sgr sgr = Sgr::keep) {
  Sanitiser sanitiser(sgr);
  std::string result = sanitiser.feed(text);
  return result + sanitiser.finish();
}

struct Sample {
  std::string_view input;
  std::string_view shown;
};

using namespace std::string_view_literals;

// What terminals have been attacked with (xterm and rxvt answers, title and clipboard writes, 8-bit
// controls).
constexpr std::array<Sample, 29> k_corpus = {{
    {"plain text\n\ttab\r\n"sv, "plain text\n\ttab\r\n"sv},
    {" 10%\r 20%\b\b"sv, " 10%\r 20%\b\b"sv},
    {"\x1b[31mred\x1b[0m."sv, "\x1b[31mred\x1b[0m."sv},
    {"\x1b[38;2;1;2;3;48:5:7mx\x1b[m"sv, "\x1b[38;2;1;2;3;48:5:7mx\x1b[m"sv},
    {"\x1b[31mred"sv, "\x1b[31mred\x1b[0m"sv},
    {"\x1b[1m\x1b[00mx"sv, "\x1b[1m\x1b[00mx"sv},
    {"\x1b[0;1mx"sv, "\x1b[0;1mx\x1b[0m"sv},
    {"\x1b]0;title\x07"sv, "\\x1b]0;title\\x07"sv},
    {"\x1b]52;c;cm0gLXJmIH4=\x1b\\"sv, "\\x1b]52;c;cm0gLXJmIH4=\\x1b\\"sv},
    {"\x1b]8;;http://evil\x1b\\link"sv, "\\x1b]8;;http://evil\\x1b\\link"sv},
    {"\x1bP$q\"p\x1b\\"sv, "\\x1bP$q\"p\\x1b\\"sv},
    {"\x1b[2J\x1b[H"sv, "\\x1b[2J\\x1b[H"sv},
    {"\x1b[6n\x1b[c\x1b[21t"sv, "\\x1b[6n\\x1b[c\\x1b[21t"sv},
    {"\x1b[?1049h"sv, "\\x1b[?1049h"sv},
    {"\x1b[>4;1m"sv, "\\x1b[>4;1m"sv},
    {"\x1b[1 m"sv, "\\x1b[1 m"sv},
    {"\x1b[1$m"sv, "\\x1b[1$m"sv},
    {"\x1b[\x1b[31mx"sv, "\\x1b[\x1b[31mx\x1b[0m"sv},
    {"\x1b"sv, "\\x1b"sv},
    {"\x1b["sv, "\\x1b["sv},
    {"\x1b[31"sv, "\\x1b[31"sv},
    {"\x1b"
     "c\x1b(0\x1b#8"sv,
     "\\x1bc\\x1b(0\\x1b#8"sv},
    {"\xc2\x9b"
     "31m\xc2\x9d"
     "0;t\xc2\x9c"sv,
     "\\u009b31m\\u009d0;t\\u009c"sv},
    {"\x9b"
     "31m\x90"sv,
     "\\x9b31m\\x90"sv},
    {"a\0b\x07\x0b\x0c\x0e\x0f\x7f"sv, "a\\x00b\\x07\\x0b\\x0c\\x0e\\x0f\\x7f"sv},
    {"\u202egnp.exe\u202c \u2066x\u2069 \u200f"sv, "\\u202egnp.exe\\u202c \\u2066x\\u2069 \\u200f"sv},
    {"ok \xe2\x82"sv, "ok \\xe2\\x82"sv},
    {"\xc0\x9b \xe0\x80\x9b \xf4\x90\x80\x80"sv, "\\xc0\\x9b \\xe0\\x80\\x9b \\xf4\\x90\\x80\\x80"sv},
    {"größe 日本 🚀"sv, "größe 日本 🚀"sv},
}};

TEST(SanitiserTest, the_corpus_comes_out_harmless) {
  for (const auto& sample : k_corpus) EXPECT_EQ(whole(sample.input), sample.shown);
}

TEST(SanitiserTest, every_division_into_chunks_gives_the_same) {
  for (const auto& sample : k_corpus) {
    for (std::size_t cut = 0; cut <= sample.input.size(); ++cut) {
      Sanitiser sanitiser;
      std::string shown = sanitiser.feed(sample.input.substr(0, cut));
      shown += sanitiser.feed(sample.input.substr(cut));
      EXPECT_EQ(shown + sanitiser.finish(), sample.shown) << "cut at " << cut;
    }
    Sanitiser sanitiser;
    std::string shown;
    for (const char byte : sample.input) shown += sanitiser.feed(std::string_view(&byte, 1));
    EXPECT_EQ(shown + sanitiser.finish(), sample.shown) << "byte by byte";
  }
}

TEST(SanitiserTest, colours_can_be_dropped) {
  EXPECT_EQ(whole("\x1b[31mred\x1b[2J", Sgr::drop), "red\\x1b[2J");
}

TEST(SanitiserTest, an_endless_sequence_is_not_held_back) {
  Sanitiser sanitiser;
  std::string shown = sanitiser.feed("\x1b[");
  for (int i = 0; i < 100; ++i) shown += sanitiser.feed("1;");
  EXPECT_GT(shown.size(), 140U);
  EXPECT_TRUE(shown.starts_with("\\x1b[1;1;"));
  const std::string exact = "\x1b[" + std::string(61, '1') + "m";
  EXPECT_EQ(whole(exact + "\x1b[m"), exact + "\x1b[m");
  EXPECT_EQ(whole("\x1b[" + std::string(62, '1') + "m"), "\\x1b[" + std::string(62, '1') + "m");
}

TEST(SanitiserTest, finishing_makes_it_new) {
  Sanitiser sanitiser;
  sanitiser.feed("\x1b[1mx\x1b[");
  EXPECT_EQ(sanitiser.finish(), "\\x1b[\x1b[0m");
  EXPECT_EQ(sanitiser.finish(), "");
  EXPECT_EQ(sanitiser.feed("31m"), "31m");
}

// An escape in the output begins a whole SGR sequence, and everything else is valid UTF-8 that is_harmless()
// or one of the four controls.
void expect_harmless(std::string_view shown) {
  while (!shown.empty()) {
    if (shown.starts_with("\x1b[")) {
      const auto end = shown.find_first_not_of("0123456789;:", 2);
      ASSERT_TRUE(end < shown.size() && shown[end] == 'm');
      shown.remove_prefix(end + 1);
      continue;
    }
    const Character character = first_character(shown);
    ASSERT_EQ(character.state, Character::State::valid);
    ASSERT_TRUE(is_harmless(character.code) || "\n\t\r\b"sv.find(shown.front()) != std::string_view::npos);
    shown.remove_prefix(character.size);
  }
}

TEST(SanitiserTest, random_bytes_in_random_chunks_come_out_harmless_and_alike) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr std::string_view k_likely =
      "\x1b\x1b[[0123;:mmJ]\\P\x07\n\xc2\x9b\x9d\xe2\x80\xae\xf0\x9f\x9a\x80";
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (auto size = random() % 80; size > 0; --size) {
      text += random() % 4 == 0 ? static_cast<char>(random() % 256) : k_likely[random() % k_likely.size()];
    }
    Sanitiser sanitiser;
    std::string shown;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + random() % 7;
      shown += sanitiser.feed(std::string_view(text).substr(at, size));
      at += size;
    }
    shown += sanitiser.finish();
    ASSERT_EQ(shown, whole(text));
    expect_harmless(shown);
  }
}

}  // namespace
