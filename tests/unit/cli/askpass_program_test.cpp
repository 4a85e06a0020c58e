#include "cli/askpass_program.hpp"

#include <gtest/gtest.h>

#include <map>

#include "re/base/error.hpp"

namespace re::cli {
namespace {

AskingWay way(HasTerminal terminal, std::map<std::string, std::string, std::less<>> variables) {
  const sys::Environment environment = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  return way_to_ask(environment, terminal);
}

// Each line as `ssh` of OpenSSH 9.2 behaves (readpass.c).
TEST(AskpassProgram, the_terminal_comes_first_unless_the_user_says_otherwise) {
  using enum AskingWay;
  EXPECT_EQ(way(HasTerminal::yes, {}), terminal);
  EXPECT_EQ(way(HasTerminal::no, {}), nobody);
  EXPECT_EQ(way(HasTerminal::yes, {{"SSH_ASKPASS", "x"}, {"DISPLAY", ":0"}}), terminal);
  EXPECT_EQ(way(HasTerminal::no, {{"SSH_ASKPASS", "x"}, {"DISPLAY", ":0"}}), program);
  EXPECT_EQ(way(HasTerminal::no, {{"SSH_ASKPASS", "x"}, {"WAYLAND_DISPLAY", "w"}}), program);
  EXPECT_EQ(way(HasTerminal::no, {{"SSH_ASKPASS", "x"}}), nobody);
  EXPECT_EQ(way(HasTerminal::no, {{"DISPLAY", ":0"}}), nobody);
  EXPECT_EQ(way(HasTerminal::yes, {{"SSH_ASKPASS", "x"}, {"SSH_ASKPASS_REQUIRE", "force"}}), program);
  EXPECT_EQ(way(HasTerminal::yes, {{"SSH_ASKPASS", "x"}, {"SSH_ASKPASS_REQUIRE", "prefer"}}), terminal);
  EXPECT_EQ(
      way(HasTerminal::yes, {{"SSH_ASKPASS", "x"}, {"SSH_ASKPASS_REQUIRE", "prefer"}, {"DISPLAY", ":0"}}),
      program);
  EXPECT_EQ(way(HasTerminal::no, {{"SSH_ASKPASS", "x"}, {"SSH_ASKPASS_REQUIRE", "never"}, {"DISPLAY", ":0"}}),
            nobody);
}

TEST(AskpassProgram, its_first_line_is_the_answer_and_its_exit_code_counts) {
  EXPECT_EQ(ask_by_program("/bin/echo", "the prompt\nmore").reveal(), "the prompt");
  EXPECT_EQ(ask_by_program("/bin/true", "x").reveal(), "");
  EXPECT_THROW(ask_by_program("/bin/false", "x"), Error);
  try {
    ask_by_program("/nonexistent/askpass", "Password: ");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::auth);
    EXPECT_NE(error.message().find("cannot ask \"Password:\""), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace re::cli
