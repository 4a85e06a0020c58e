#include "re/ui/text.hpp"

#include <gtest/gtest.h>

#include <map>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/child.hpp"
#include "ui/utf8.hpp"

namespace {

using namespace re::ui;

TEST(TextTest, widths_are_counted_in_cells) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("gpu1"), 4U);
  EXPECT_EQ(display_width("größe"), 5U);
  EXPECT_EQ(display_width("日本語"), 6U);
  EXPECT_EQ(display_width("e\u0301"), 1U);
  EXPECT_EQ(display_width("🚀"), 2U);
  EXPECT_EQ(display_width("\xff\xfe"), 2U);
}

TEST(TextTest, a_cut_text_ends_in_an_ellipsis_and_keeps_whole_characters) {
  EXPECT_EQ(fit("gpu1", 4), "gpu1");
  EXPECT_EQ(fit("gpu12", 4), "gpu…");
  EXPECT_EQ(fit("日本語", 6), "日本語");
  EXPECT_EQ(fit("日本語", 5), "日本…");
  EXPECT_EQ(fit("日本語", 4), "日…");
  EXPECT_EQ(fit("e\u0301x", 1), "…");
  EXPECT_EQ(fit("ab", 1), "…");
  EXPECT_EQ(fit("ab", 0), "");
  EXPECT_EQ(fit("", 0), "");
}

TEST(TextTest, a_line_from_elsewhere_becomes_harmless) {
  EXPECT_EQ(sanitise_line("train run ä日🚀"), "train run ä日🚀");
  EXPECT_EQ(sanitise_line("a\nb\tc\rd"), "a\\x0ab\\x09c\\x0dd");
  EXPECT_EQ(sanitise_line("\x1b[31mred\x1b[0m"), "\\x1b[31mred\\x1b[0m");
  EXPECT_EQ(sanitise_line(std::string_view("\0\x7f", 2)), "\\x00\\x7f");
  EXPECT_EQ(sanitise_line("\u009b2J\u202egpj.exe\u2066"), "\\u009b2J\\u202egpj.exe\\u2066");
  EXPECT_EQ(sanitise_line("\xff\xc0\xaf\xed\xa0\x80"), "\\xff\\xc0\\xaf\\xed\\xa0\\x80");
  EXPECT_EQ(sanitise_line("\xf0\x9f\x9a"), "\\xf0\\x9f\\x9a");
  EXPECT_EQ(sanitise_line("\U000e0041"), "\\u{e0041}");
}

// One line for each run of code points of one width, over all that Python's Unicode version assigns.
constexpr const char* k_print_widths = R"(
import unicodedata as u
def width(c):
    k = u.category(chr(c))
    if k in ('Cn', 'Cs', 'Co'): return None
    if c >= 0x300 and (k in ('Mn', 'Me', 'Cf') or 0x1160 <= c <= 0x11ff): return 0
    return 2 if u.east_asian_width(chr(c)) in 'WF' else 1
print(u.unidata_version)
last = None
for c in range(0xa0, 0x110000):
    w = width(c)
    if w != last: print(c, w)
    last = w
)";

TEST(TextTest, widths_are_those_of_pythons_unicode_data) {
  re::sys::Captured python;
  try {
    python = re::sys::run_captured({"python3", "-c", k_print_widths});
  } catch (const re::Error& error) {
    GTEST_SKIP() << error.what();
  }
  const auto lines = re::split_lines(python.output);
  ASSERT_GT(lines.size(), 500U) << python.error;
  if (lines[0] != "14.0.0") GTEST_SKIP() << "python3 has Unicode " << lines[0] << ", the table 14.0.0";
  std::map<char32_t, std::string> runs;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto words = re::split_words(lines[i]);
    runs[re::parse_number<std::uint32_t>(words.at(0)).value()] = words.at(1);
  }
  for (auto run = runs.begin(); run != runs.end(); ++run) {
    if (run->second == "None") continue;
    const char32_t end = std::next(run) == runs.end() ? 0x110000 : std::next(run)->first;
    for (char32_t code = run->first; code < end; ++code) {
      ASSERT_EQ(std::to_string(width_of(code)), run->second) << std::hex << static_cast<std::uint32_t>(code);
    }
  }
}

}  // namespace
