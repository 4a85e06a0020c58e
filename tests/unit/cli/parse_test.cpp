#include "cli/parse.hpp"

#include <gtest/gtest.h>

#include "cli/help.hpp"
#include "re/base/error.hpp"

namespace {

using re::cli::find_command;
using re::cli::Parsed;

Parsed parse(std::string_view command, const std::vector<std::string>& words) {
  std::vector<std::string> notes;
  return re::cli::parse_arguments(*find_command(command), words, notes);
}

std::string failure(std::string_view command, const std::vector<std::string>& words) {
  try {
    parse(command, words);
  } catch (const re::Error& error) {
    EXPECT_EQ(error.kind(), re::ErrorKind::usage);
    return error.what();
  }
  return "no error";
}

TEST(ParseTest, every_spelling_of_recompute_is_read) {
  EXPECT_EQ(parse("init", {"--instance-idx=1"}).text("instance-idx"), "1");
  EXPECT_EQ(parse("sshadd", {"--instance=usr@host"}).text("instance"), "usr@host");
  EXPECT_EQ(parse("async", {"python3 x.py"}).arguments, (std::vector<std::string>{"python3 x.py"}));
  const auto log = parse("log", {"--loop=20", "--filter=pattern"});
  EXPECT_EQ(log.number("loop", 1, 86400), 20);
  EXPECT_EQ(log.text("filter"), "pattern");
  EXPECT_EQ(parse("kill", {"--idx=1"}).number("idx", 0, 99), 1);
  EXPECT_EQ(parse("pull", {"bin/ ./bin/"}).arguments, (std::vector<std::string>{"bin/ ./bin/"}));
}

TEST(ParseTest, options_may_follow_a_quoted_command_and_belong_to_a_bare_one) {
  const auto quoted = parse("async", {"python3 x.py", "--name=a", "--no-rsync"});
  EXPECT_EQ(quoted.text("name"), "a");
  EXPECT_TRUE(quoted.has("no-rsync"));
  std::vector<std::string> notes;
  const auto bare =
      re::cli::parse_arguments(*find_command("async"), {"-i", "2", "python3", "x.py", "--name=a"}, notes);
  EXPECT_EQ(bare.text("instance"), "2");
  EXPECT_FALSE(bare.has("name"));
  EXPECT_EQ(bare.arguments, (std::vector<std::string>{"python3", "x.py", "--name=a"}));
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_NE(notes[0].find("--name=a goes to the remote command"), std::string::npos);
}

TEST(ParseTest, after_two_dashes_everything_is_the_command) {
  EXPECT_EQ(parse("sync", {"--name", "n", "--", "-weird", "a b"}).arguments,
            (std::vector<std::string>{"-weird", "a b"}));
  EXPECT_EQ(parse("push", {"--", "-file", "--json"}).arguments,
            (std::vector<std::string>{"-file", "--json"}));
}

TEST(ParseTest, a_mistyped_option_gets_a_suggestion) {
  EXPECT_EQ(failure("log", {"--folow"}), "unknown option --folow for re log; did you mean --follow?");
  EXPECT_EQ(failure("list", {"extra"}), "unknown argument extra for re list; see re list --help");
  EXPECT_NE(failure("log", {"--loop"}).find("--loop"), std::string::npos);
}

TEST(ParseTest, numbers_out_of_range_are_refused) {
  EXPECT_THROW(static_cast<void>(parse("kill", {"--idx=x"}).number("idx", 0, 9)), re::Error);
  EXPECT_THROW(static_cast<void>(parse("kill", {"--idx=-1"}).number("idx", 0, 9)), re::Error);
}

TEST(HelpTest, no_line_is_wider_than_a_terminal) {
  std::vector<std::string> texts = {re::cli::general_help()};
  for (const auto& command : re::cli::commands()) texts.push_back(re::cli::command_help(command));
  for (const auto& text : texts) {
    for (const auto line : re::split_lines(text)) EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(HelpTest, every_visible_command_has_a_group_a_summary_and_a_function) {
  for (const auto& command : re::cli::commands()) {
    EXPECT_FALSE(command.group.empty()) << command.name;
    EXPECT_FALSE(command.summary.ends_with('.')) << command.name;
    EXPECT_NE(command.run, nullptr) << command.name;
  }
}

}  // namespace
