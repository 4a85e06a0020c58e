#include <gtest/gtest.h>

#include <filesystem>

#include "re/base/strings.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "remote/scripts.hpp"

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

class ListNamesTest : public testing::TestWithParam<Words> {
 protected:
  // What re_list_names prints for the directories "one/" and "two/".
  std::string names(const std::string& leaf) {
    Words words = GetParam();
    const std::string script = std::string(re::remote::scripts::transfer) + "\nre_list_names \"$@\"";
    const std::string base = m_directory.path().string();
    words.insert(words.end(), {"-c", script, "sh", leaf, base + "/one/", base + "/two/"});
    const auto done = re::sys::run_captured(words);
    EXPECT_TRUE(done.status.succeeded());
    EXPECT_EQ(done.error, "");
    return done.output;
  }

  void write(const std::string& name) { re::sys::write_file_atomic(m_directory.path() / name, "", 0600); }

  re::sys::TemporaryDirectory m_directory{"re-test"};
};

TEST_P(ListNamesTest, entries_of_every_directory_with_a_slash_behind_directories) {
  fs::create_directories(m_directory.path() / "one/bin");
  fs::create_directories(m_directory.path() / "two");
  write("one/.hidden");
  write("one/a b");
  write("two/bat");
  write("two/with\nline");
  fs::create_symlink("nowhere", m_directory.path() / "two/dangling");
  EXPECT_EQ(names(""), "a b\nbin/\nbat\ndangling\n");
  EXPECT_EQ(names("b"), "bin/\nbat\n");
  EXPECT_EQ(names(".h"), ".hidden\n");
  EXPECT_EQ(names("nothing"), "");
}

TEST_P(ListNamesTest, the_beginning_of_a_name_is_no_pattern_and_no_code) {
  fs::create_directories(m_directory.path() / "one");
  write("one/*x");
  write("one/ax");
  write("one/$(y)");
  EXPECT_EQ(names("*"), "*x\n");
  EXPECT_EQ(names("[a]"), "");
  EXPECT_EQ(names("$("), "$(y)\n");
  EXPECT_EQ(names("?"), "");
}

TEST_P(ListNamesTest, no_more_than_a_thousand_are_named) {
  fs::create_directories(m_directory.path() / "one");
  for (int i = 0; i < 1100; ++i) write("one/" + std::to_string(i));
  const std::string output = names("");
  EXPECT_EQ(re::split_lines(output).size(), 1000U);
}

INSTANTIATE_TEST_SUITE_P(Shells, ListNamesTest,
                         testing::Values(Words{"dash"}, Words{"busybox", "sh"}, Words{"bash", "--posix"}),
                         [](const auto& shell) { return shell.param.front(); });

}  // namespace
