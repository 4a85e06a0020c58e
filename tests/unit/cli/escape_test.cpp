#include "cli/escape.hpp"

#include <gtest/gtest.h>

namespace {

using re::cli::EscapeFilter;
using Wish = EscapeFilter::Wish;

TEST(EscapeTest, what_is_typed_passes_as_it_is) {
  EscapeFilter filter;
  const std::string keys("ls ~/a~.b\r\x1b[A\0\xff~x", 18);
  EXPECT_EQ(filter.take(keys).text, keys);
}

TEST(EscapeTest, tilde_dot_at_the_beginning_of_a_line_leaves) {
  EscapeFilter first;
  EXPECT_EQ(first.take("~.").wish, Wish::leave);
  EscapeFilter later;
  const auto typed = later.take("ls\r~.dropped");
  EXPECT_EQ(typed.text, "ls\r");
  EXPECT_EQ(typed.wish, Wish::leave);
}

TEST(EscapeTest, keys_may_come_one_by_one) {
  EscapeFilter filter;
  EXPECT_EQ(filter.take("\r").text, "\r");
  EXPECT_EQ(filter.take("~").text, "");
  EXPECT_EQ(filter.take(".").wish, Wish::leave);
}

TEST(EscapeTest, tilde_before_anything_else_comes_with_it) {
  EscapeFilter filter;
  EXPECT_EQ(filter.take("~").text, "");
  EXPECT_EQ(filter.take("/x\r").text, "~/x\r");
  EXPECT_EQ(filter.take("~\r~.").wish, Wish::leave);
}

TEST(EscapeTest, two_tildes_are_one) {
  EscapeFilter filter;
  const auto typed = filter.take("~~.\r");
  EXPECT_EQ(typed.text, "~.\r");
  EXPECT_EQ(typed.wish, Wish::none);
}

TEST(EscapeTest, help_is_asked_for_without_a_trace) {
  EscapeFilter filter;
  const auto typed = filter.take("~?");
  EXPECT_EQ(typed.text, "");
  EXPECT_EQ(typed.wish, Wish::help);
  EXPECT_EQ(filter.take("~.").wish, Wish::leave);
}

}  // namespace
