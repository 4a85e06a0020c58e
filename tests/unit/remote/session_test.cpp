#include "re/remote/session.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "re/base/error.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"

namespace {

namespace fs = std::filesystem;
using re::remote::Visit;
using Words = std::vector<std::string>;

std::string every_byte() {
  std::string bytes;
  for (int byte = 1; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return bytes;
}

// A login shell, as sshd calls it.
class SessionTest : public testing::TestWithParam<Words> {
 protected:
  re::sys::Captured run(const Visit& visit) {
    Words words = {"env", "HOME=" + home().string(), "SHELL=/bin/sh"};
    for (const auto& word : GetParam()) words.push_back(word);
    words.push_back("-c");
    words.push_back(re::remote::terminal_command(visit));
    return re::sys::run_captured(words);
  }
  [[nodiscard]] fs::path home() const { return m_directory.path(); }

  re::sys::TemporaryDirectory m_directory{"re-test"};
};

TEST_P(SessionTest, arguments_arrive_as_they_are) {
  const Words words = {"printf", "[%s]", every_byte(), "", "!!", "it's", "$HOME\n", "-n", "=ls", "a\\"};
  const auto done = run({"", words});
  EXPECT_EQ(done.error, "");
  std::string expected;
  for (std::size_t i = 2; i < words.size(); ++i) expected += "[" + words[i] + "]";
  EXPECT_EQ(done.output, expected);
}

TEST_P(SessionTest, a_command_runs_in_the_directory_and_gives_its_code) {
  const std::string name = "a 'b' \"c\"";
  fs::create_directories(home() / name);
  const auto done = run({name, {"/bin/sh", "-c", "pwd; exit 7"}});
  EXPECT_EQ(done.output, (home() / name).string() + "\n");
  EXPECT_EQ(done.error, "");
  EXPECT_EQ(done.status.code, 7);
}

TEST_P(SessionTest, the_home_stands_in_for_a_directory_that_is_missing) {
  const auto done = run({"projects/x", {"pwd"}});
  EXPECT_EQ(done.output, home().string() + "\n");
  EXPECT_EQ(done.error, "re: projects/x is not there yet, this is the home directory\n");
}

TEST_P(SessionTest, without_a_command_the_login_shell_begins) {
  re::sys::write_file_atomic(home() / ".profile", "echo profile of $0\nexit 3\n", 0600);
  const auto done = run({"", {}});
  EXPECT_EQ(done.output, "profile of /bin/sh\n");
  EXPECT_EQ(done.status.code, 3);
}

INSTANTIATE_TEST_SUITE_P(login_shells, SessionTest,
                         testing::Values(Words{"dash"}, Words{"busybox", "sh"}, Words{"bash", "--posix"},
                                         Words{"bash"}, Words{"zsh", "-f"}, Words{"fish", "-N"},
                                         Words{"tcsh", "-f"}),
                         [](const auto& shell) {
                           const auto& words = shell.param;
                           return words[0] + (words.size() > 1 && words[1] == "--posix" ? "_posix" : "");
                         });

TEST(SessionCommandTest, a_command_that_no_message_holds_is_refused) {
  EXPECT_THROW((void)re::remote::terminal_command({"", {"echo", std::string(40'000, 'x')}}), re::Error);
}

}  // namespace
