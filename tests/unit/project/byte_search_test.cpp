#include "project/byte_search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "project/python_lexer.hpp"

namespace {

using re::project::count_newlines;
using re::project::find_any;
using re::project::find_import;
using re::project::find_line_crosser;
using re::project::has_lanes;
using re::project::Lanes;
using re::project::PythonLexer;
using re::project::skip_spaces;

std::mt19937 seeded() {
  const unsigned seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  return std::mt19937(seed);
}

// Of few bytes, so that what is searched for occurs often, and near it what only looks like it.
std::string random_text(std::mt19937& engine, std::size_t longest) {
  static const std::vector<std::string> k_pieces = {
      "import", "impor", "imp", "mp..t", "'",  "\"",   "'''",  "\"\"\"", "f'",
      "rF\"",   "t'",    "R\"", "b'",    "\\", "\\\n", "\n",   " ",      "         ",
      "x",      "\r'",   "{",   "}",     "#",  "\xff", "\x80'"};
  std::string text;
  for (std::size_t size = engine() % (longest + 1); text.size() < size;)
    text += k_pieces[engine() % k_pieces.size()];
  return text;
}

class ByteSearch : public testing::TestWithParam<Lanes> {
 protected:
  void SetUp() override {
    if (!has_lanes(GetParam())) GTEST_SKIP() << "this processor lacks them";
  }
};

TEST_P(ByteSearch, every_width_finds_what_reading_byte_by_byte_finds) {
  auto engine = seeded();
  for (int round = 0; round < 20000; ++round) {
    const std::string text = random_text(engine, 200);
    const std::size_t at = engine() % (text.size() + 1);
    const std::size_t to = at + engine() % (text.size() - at + 1);
    ASSERT_EQ(find_import(text, at, GetParam()), std::min(text.find("import", at), text.size())) << text;
    ASSERT_EQ(count_newlines(text, at, to, GetParam()),
              static_cast<std::size_t>(std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                                                  text.begin() + static_cast<std::ptrdiff_t>(to), '\n')))
        << text;
    const std::size_t expected = find_line_crosser(text, at, to, Lanes::one);
    const std::size_t found = find_line_crosser(text, at, to, GetParam());
    if (expected < to) {
      ASSERT_EQ(found, expected) << text;
    } else {
      ASSERT_GE(found, to) << text;
    }
  }
}

std::string name_of(const testing::TestParamInfo<Lanes>& test) {
  static constexpr const char* k_names[] = {"one", "sse2", "avx2"};
  return k_names[static_cast<std::size_t>(test.param)];
}
INSTANTIATE_TEST_SUITE_P(Widths, ByteSearch, testing::Values(Lanes::one, Lanes::sse2, Lanes::avx2), name_of);

TEST(ShortWays, end_where_reading_byte_by_byte_ends) {
  auto engine = seeded();
  for (int round = 0; round < 20000; ++round) {
    const std::string text = random_text(engine, 80);
    const std::size_t at = engine() % (text.size() + 1);
    ASSERT_EQ((find_any<'#', '\\', '\n'>(text, at)), std::min(text.find_first_of("#\\\n", at), text.size()));
    ASSERT_EQ(skip_spaces(text, at), std::min(text.find_first_not_of(' ', at), text.size()));
  }
}

TEST(LineCrosser, is_each_beginning_of_a_string_that_may_end_on_another_line) {
  const auto first = [](std::string_view text) { return find_line_crosser(text, 0, text.size()); };
  EXPECT_EQ(first("x = '''"), 4U);
  EXPECT_EQ(first("x = \"\"\"a"), 4U);
  EXPECT_EQ(first("x = 'a\\\nb'"), 6U);
  EXPECT_EQ(first("x = f'{"), 4U);
  EXPECT_EQ(first("x = Fr\"{"), 5U);
  EXPECT_EQ(first("x = T'{"), 4U);
  EXPECT_GE(first("x = 'a' + b'c' # \"\\n\" '' "), 25U);
}

// Which of the places are code, by lexing every string and comment from the first.
std::vector<bool> code_by_lexing_all(std::string_view text, const std::vector<std::size_t>& places) {
  PythonLexer lexer(text);
  std::vector<bool> code;
  std::size_t at = 0;
  for (const std::size_t place : places) {
    while (at < place) {
      const std::size_t token = find_any<'\'', '"', '#'>(text, at);
      if (token >= place) break;
      at = text[token] == '#' ? lexer.skip_comment(token) : lexer.skip_string(token);
    }
    code.push_back(at <= place);
  }
  return code;
}

TEST(Lexer, lexing_only_the_lines_that_matter_tells_code_as_lexing_all_does) {
  auto engine = seeded();
  for (int round = 0; round < 50000; ++round) {
    const std::string text = random_text(engine, 300);
    std::vector<std::size_t> places;
    for (std::size_t at = find_import(text, 0); at < text.size(); at = find_import(text, at + 1))
      places.push_back(at);
    PythonLexer lexer(text);
    std::vector<bool> code;
    for (const std::size_t place : places) code.push_back(lexer.is_code(place));
    ASSERT_EQ(code, code_by_lexing_all(text, places)) << text;
  }
}

}  // namespace
