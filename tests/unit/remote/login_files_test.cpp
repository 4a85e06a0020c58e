#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "re/base/strings.hpp"
#include "re/remote/host.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "remote/scripts.hpp"

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

// A shell that was started ahead, and a call that comes to it when the home has changed meanwhile.
class LoginFilesTest : public testing::TestWithParam<Words> {
 protected:
  void SetUp() override {
    fs::create_directories(home() / ".re");
    fs::create_directories(home() / "dotfiles");
    write(".bashrc", "one");
    write("dotfiles/bashrc", "two");
  }

  // What the call finds out, and how: "marked", "listed" (both: nothing has changed), or "changed".
  std::string found_after(const std::string& change) {
    Words words = m_as;
    words.insert(words.end(), {"env", "HOME=" + home().string()});
    words.insert(words.end(), GetParam().begin(), GetParam().end());
    const std::string script = std::string(re::remote::scripts::login) + "\ncd\n" + change + "\n" +
                               re::remote::render_library("") +
                               "if [ -z \"${re_check-}\" ]; then echo marked\n"
                               "elif wait \"$re_check\"; then echo listed; else echo changed; fi\n";
    words.insert(words.end(), {"-c", script});
    const auto done = re::sys::run_captured(words);
    EXPECT_TRUE(done.status.succeeded());
    EXPECT_EQ(done.error, "");
    return std::string(re::trim(done.output));
  }
  // The same when nothing changes; busybox tells no times apart within a second.
  static std::string quickest() { return GetParam().front() == "busybox" ? "listed" : "marked"; }

  [[nodiscard]] fs::path home() const { return m_directory.path(); }
  void write(const std::string& name, const std::string& text) {
    re::sys::write_file_atomic(home() / name, text, 0600);
  }

  Words m_as;
  re::sys::TemporaryDirectory m_directory{"re-test"};
};

TEST_P(LoginFilesTest, what_has_not_changed_needs_no_process_to_be_known) {
  EXPECT_EQ(found_after(""), quickest());
  EXPECT_EQ(found_after("echo >>dotfiles/bashrc; touch .re/x"), quickest());
}

TEST_P(LoginFilesTest, every_change_of_a_file_is_seen) {
  for (const char* change :
       {"echo three >>.bashrc", "touch -t 200001010000 .bashrc", "rm .bashrc", "mv dotfiles/bashrc .bashrc",
        "echo >.zshenv", "mkdir -p .config/fish/conf.d", "rm .bashrc; ln -s dotfiles/bashrc .bashrc",
        "touch -r .bashrc dotfiles/bashrc; mv dotfiles/bashrc .bashrc"}) {
    fs::remove(home() / ".bashrc");
    SetUp();
    fs::remove(home() / ".zshenv");
    fs::remove_all(home() / ".config");
    EXPECT_EQ(found_after(""), quickest()) << change;
    EXPECT_EQ(found_after(change), "changed") << change;
  }
}

TEST_P(LoginFilesTest, what_another_program_writes_beside_them_costs_one_list) {
  EXPECT_EQ(found_after("echo >.viminfo"), "listed");
  EXPECT_EQ(found_after(""), quickest());
}

TEST_P(LoginFilesTest, where_one_is_a_link_all_are_listed) {
  fs::remove(home() / ".bashrc");
  fs::create_symlink("dotfiles/bashrc", home() / ".bashrc");
  EXPECT_EQ(found_after(""), "listed");
  EXPECT_EQ(found_after("echo >>dotfiles/bashrc"), "changed");
  EXPECT_EQ(found_after("touch -r dotfiles/bashrc dotfiles/x; mv dotfiles/x dotfiles/bashrc"), "changed");
}

TEST_P(LoginFilesTest, marks_that_are_gone_or_cannot_be_made_are_not_trusted) {
  EXPECT_EQ(found_after("rm -rf .re/login"), "listed");
  EXPECT_EQ(found_after("rm -rf .re/login; echo >>.bashrc"), "changed");
  fs::remove_all(home() / ".re");
  EXPECT_EQ(found_after(""), "listed");
  EXPECT_FALSE(fs::exists(home() / ".re"));
}

TEST_P(LoginFilesTest, a_directory_of_equal_time_in_the_place_of_another_is_seen) {
  fs::create_directories(home() / ".config/fish");
  fs::create_directories(home() / ".config/other");
  write(".config/fish/config.fish", "one");
  write(".config/other/config.fish", "two");
  EXPECT_EQ(found_after("cd .config; touch -r fish/config.fish other/config.fish; touch -r fish other\n"
                        "mv fish old; mv other fish"),
            "changed");
}

TEST_P(LoginFilesTest, a_file_that_cannot_be_read_any_more_has_changed) {
  if (::geteuid() == 0) {  // who can read all
    re::sys::run_captured({"chown", "-R", "65534", home().string()});
    m_as = {"setpriv", "--reuid=65534", "--clear-groups"};
  }
  EXPECT_EQ(found_after("chmod 0 .bashrc"), "changed");
}

TEST_P(LoginFilesTest, a_link_is_not_followed_and_nothing_behind_it_removed) {
  write("dotfiles/host@1.2", "precious");
  fs::create_directory_symlink("../dotfiles", home() / ".re/login");
  EXPECT_EQ(found_after(""), "listed");
  EXPECT_EQ(std::distance(fs::directory_iterator(home() / "dotfiles"), fs::directory_iterator()), 2);
}

TEST_P(LoginFilesTest, the_marks_of_one_state_are_kept) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(found_after("echo >>.bashrc"), "changed");
  EXPECT_EQ(found_after(""), quickest());
  const auto made = std::distance(fs::directory_iterator(home() / ".re/login"), fs::directory_iterator());
  EXPECT_EQ(made > 2, quickest() == "marked") << made;  // two tell whether times can be compared
  EXPECT_LE(made, 3);
}

INSTANTIATE_TEST_SUITE_P(Shells, LoginFilesTest,
                         testing::Values(Words{"dash"}, Words{"busybox", "sh"}, Words{"bash", "--posix"}),
                         [](const auto& shell) { return shell.param.front(); });

}  // namespace
