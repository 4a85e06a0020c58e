// Names that a sender may use, and those that it may not.
#include <gtest/gtest.h>

#include "unit/remote/rsync_fixture.hpp"

namespace {

using namespace re::remote;
using re::ErrorKind;

// What a shell, and so rsync, would read as another name or as a pattern.
const std::vector<std::string> k_pattern_names = {
    R"(a\[b)",     R"(a\\[b]*)", R"(?\)",          R"(\)",   R"(\\)",   R"(a\b)",   R"(a\)",
    R"(a\\)",      R"(a\])",     R"(a\\])",        R"([\])", R"([\]\)", R"(\]*)",   R"(*)",
    R"(**)",       R"(?)",       R"([)",           R"([])",  R"(])",    R"([[-^])", R"(\*\?\[\)",
    R"([!a-z\]])", "a\\\nb*",    R"([[:alpha:]])", R"(-\*)", R"(.\[)"};

TEST_F(RsyncTest, names_that_would_be_patterns_are_pulled_as_they_are) {
  for (const auto& name : k_pattern_names) {
    SCOPED_TRACE(name);
    write(m_home / "files" / name, name);
    write(m_home / "trees" / name / "sub" / name, name);
    pull_from("files/" + name, m_here / "renamed");
    EXPECT_EQ(re::sys::read_file(m_here / "renamed"), name);
    fs::remove(m_here / "renamed");
    pull_from("files/" + name, m_here / "files/");
    pull_from("trees/" + name, m_here / "trees/");
  }
  EXPECT_EQ(tree(m_here / "files"), tree(m_home / "files"));
  EXPECT_EQ(tree(m_here / "trees"), tree(m_home / "trees"));
}

TEST_F(RsyncTest, a_malicious_sender_writes_nothing_that_was_not_asked_for) {
  write(m_home / "bin/wanted_name", "evil");
  const auto before = tree(m_directory.path());
  for (const char* lie : {"../evil_one", ".bash_login", "a/b/c/d/e/f", "/tmp/re-evl"}) {
    ASSERT_EQ(std::string_view(lie).size(), std::string_view("wanted_name").size());
    replace_remote_rsync(lying_rsync("wanted_name", lie));
    const auto error = error_of([&] { pull_from("bin/wanted_name", m_here / "safe/"); });
    EXPECT_EQ(error.kind(), ErrorKind::protocol) << lie << ": " << error.what();
    fs::remove_all(m_here / "safe");
    fs::remove_all(m_programs / "rsync");
    EXPECT_EQ(tree(m_directory.path()), before) << lie;
    EXPECT_FALSE(fs::exists("/tmp/re-evl"));
  }
}

TEST_F(RsyncTest, a_wildcard_in_a_name_lets_no_other_name_in) {
  for (const auto& [name, lie] : std::vector<std::pair<std::string, std::string>>{
           {"wanted_*", "wanted_x"}, {"wanted_?", "wanted_x"}, {"want[ab]", "want.bin"}, {"****", "evil"}}) {
    write(m_home / "bin" / name, "evil");
    replace_remote_rsync(lying_rsync(name, lie));
    const auto error = error_of([&] { pull_from("bin/" + name, m_here / "safe/"); });
    EXPECT_EQ(error.kind(), ErrorKind::protocol) << lie << ": " << error.what();
    EXPECT_FALSE(fs::exists(m_here / "safe" / lie));
  }
}

TEST_F(RsyncTest, a_malicious_sender_of_a_directory_stays_inside) {
  write(m_home / "bin/wanted_name", "evil");
  for (const char* lie : {"../evil_one", "/tmp/re-evl"}) {
    replace_remote_rsync(lying_rsync("wanted_name", lie));
    error_of([&] { pull_from("bin/", m_here / "safe"); });
    EXPECT_FALSE(fs::exists(m_here / "evil_one"));
    EXPECT_FALSE(fs::exists("/tmp/re-evl"));
  }
}

}  // namespace
