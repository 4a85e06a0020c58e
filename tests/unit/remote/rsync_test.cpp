#include "re/remote/rsync.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <fstream>
#include <random>
#include <thread>

#include "re/base/strings.hpp"
#include "re/sys/deadline.hpp"
#include "unit/remote/rsync_fixture.hpp"

namespace {

using namespace std::chrono_literals;
using namespace re::remote;
using re::ErrorKind;
using re::run_to_end;
using testing::HasSubstr;

std::string random_bytes(std::size_t size) {
  std::mt19937_64 random(20261121);  // a fixed seed: the content only has to be incompressible and unlike
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

// Whether a child of this process of that name still lives.
bool has_child(const std::string& name) {
  const std::string parent = " " + std::to_string(::getpid()) + " ";
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    const auto end = line.rfind(") ");
    if (line.find("(" + name + ")") == std::string::npos || end == std::string::npos) continue;
    if (line.substr(end + 3).starts_with(parent)) return true;
  }
  return false;
}

template <class Condition>
bool comes_true(Condition condition) {
  const auto limit = std::chrono::steady_clock::now() + 20s;
  while (!condition() && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
  return condition();
}

const std::vector<std::string> k_odd_names = {
    "plain",         "sp ace", "-lead",      "--delete",    "#hash",     ";semicolon", "co:lon",
    "a[1]*?.txt",    "q\"u'o", "new\nline",  "back\\slash", "$HOME`id`", "tab\there",  "\xff\xfe raw",
    "deep/er/[x]/y", "~tilde", "~/in tilde", ":module/x",   "!bang",     "dot./end.",  "\xc3\xa9t\xc3\xa9"};

TEST_F(RsyncTest, a_sync_sends_exactly_the_named_files_whatever_their_names) {
  for (const auto& name : k_odd_names) write(m_here / name, "content of " + name);
  write(m_here / "unnamed", "stays");
  fs::create_symlink("plain", m_here / "link");
  fs::create_directory(m_here / "empty");
  auto names = k_odd_names;
  names.insert(names.end(), {"link", "empty"});
  const auto report = sync(names);
  EXPECT_EQ(report.files_transferred, k_odd_names.size());
  auto expected = tree(m_here);
  expected.erase("unnamed");
  EXPECT_EQ(tree(m_home / "project"), expected);
  EXPECT_EQ(sync(names).files_transferred, 0U);
}

TEST_F(RsyncTest, permissions_and_times_arrive) {
  write(m_here / "run.sh", "#!/bin/sh\n");
  fs::permissions(m_here / "run.sh", fs::perms(0750));
  const auto time = fs::file_time_type::clock::now() - 1000h;
  fs::last_write_time(m_here / "run.sh", time);
  sync({"run.sh"});
  EXPECT_EQ(fs::status(m_home / "project/run.sh").permissions(), fs::perms(0750));
  EXPECT_EQ(fs::last_write_time(m_home / "project/run.sh"), fs::last_write_time(m_here / "run.sh"));
}

TEST_F(RsyncTest, a_sync_is_additive_and_removes_only_what_was_named) {
  write(m_here / "a", "a");
  write(m_here / "d/b", "b");
  sync({"a", "d/b"});
  write(m_home / "project/results", "theirs");
  write(m_home / "project/d/output", "theirs");
  fs::remove_all(m_here / "d");
  const auto error = error_of([&] { sync({"a", "d/b"}); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found) << error.what();
  EXPECT_TRUE(fs::exists(m_home / "project/d/b"));

  m_options.preview = Preview::yes;
  const auto preview = sync({"a", "d/b", "d"}, Absent::remove);
  EXPECT_THAT(preview.changes, testing::Contains(testing::AllOf(HasSubstr("deleting"), HasSubstr("d/b"))));
  EXPECT_TRUE(fs::exists(m_home / "project/d/b"));

  m_options.preview = Preview::no;
  sync({"a", "d/b", "d"}, Absent::remove);
  EXPECT_FALSE(fs::exists(m_home / "project/d/b"));
  EXPECT_TRUE(fs::exists(m_home / "project/d/output"));
  EXPECT_TRUE(fs::exists(m_home / "project/results"));
}

TEST_F(RsyncTest, a_preview_of_a_first_sync_says_all_and_makes_nothing) {
  write(m_here / "a", "a");
  m_options.preview = Preview::yes;
  const auto report = sync({"a"});
  EXPECT_THAT(report.changes, testing::Contains(HasSubstr("<f+++++++++ a")));
  EXPECT_TRUE(fs::is_empty(m_home));
}

TEST_F(RsyncTest, a_path_that_leaves_the_project_is_refused) {
  for (const char* path : {"../x", "/etc/passwd", "a/../../b", ""}) {
    const auto error = error_of([&] { sync({path}); });
    EXPECT_EQ(error.kind(), ErrorKind::usage) << path;
  }
}

TEST_F(RsyncTest, push_follows_rsyncs_rules_for_directories) {
  write(m_here / "bin/x", "x");
  push_to({(m_here / "bin").string()}, "one");
  EXPECT_EQ(tree(m_home / "one"),
            (std::map<std::string, std::string>{{"bin", "directory"}, {"bin/x", "file x"}}));
  push_to({(m_here / "bin/").string()}, "~/two/deep");
  EXPECT_EQ(tree(m_home / "two/deep"), (std::map<std::string, std::string>{{"x", "file x"}}));
}

TEST_F(RsyncTest, push_gives_one_file_a_new_name_or_puts_it_into_a_directory) {
  for (const auto& name : k_odd_names) {
    const std::string last = fs::path(name).filename().string();
    write(m_here / name, name);
    write(m_home / "ax1.txt", "a wildcard would find me");
    push_to({(m_here / name).string()}, last == "~tilde" ? "./~tilde" : last);
    EXPECT_EQ(re::sys::read_file(m_home / last), name);
    EXPECT_FALSE(fs::is_symlink(m_home / last));
    push_to({(m_here / name).string()}, "into/");
    EXPECT_EQ(re::sys::read_file(m_home / "into" / last), name);
    push_to({(m_here / name).string()}, "into");
    EXPECT_FALSE(fs::is_regular_file(m_home / "into"));
  }
  EXPECT_EQ(re::sys::read_file(m_home / "ax1.txt"), "a wildcard would find me");
}

TEST_F(RsyncTest, push_of_several_sources_and_of_a_link) {
  write(m_here / "a", "a");
  fs::create_symlink("a", m_here / "l");
  push_to({(m_here / "a").string(), (m_here / "l").string()}, "both");
  push_to({(m_here / "l").string()}, "renamed");
  EXPECT_EQ(fs::read_symlink(m_home / "both/l"), "a");
  EXPECT_EQ(fs::read_symlink(m_home / "renamed"), "a");
  const auto error = error_of([&] { push_to({(m_here / "missing").string()}, "x"); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
}

TEST_F(RsyncTest, pull_follows_rsyncs_rules) {
  for (const auto& name : k_odd_names) write(m_home / "bin" / name, name);
  pull_from("bin", m_here / "one");
  EXPECT_EQ(tree(m_here / "one/bin"), tree(m_home / "bin"));
  pull_from("~/bin/", m_here / "two/deep");
  EXPECT_EQ(tree(m_here / "two/deep"), tree(m_home / "bin"));
  for (const auto& name : k_odd_names) {
    pull_from("bin/" + name, m_here / "renamed");
    EXPECT_EQ(re::sys::read_file(m_here / "renamed"), name);
    fs::remove(m_here / "renamed");
    pull_from((m_home / "bin" / name).string(), m_here / "into/");
    EXPECT_EQ(re::sys::read_file(m_here / "into" / fs::path(name).filename()), name);
  }
}

TEST_F(RsyncTest, pull_skips_links_that_point_outside_and_says_so) {
  write(m_home / "bin/x", "x");
  fs::create_symlink("x", m_home / "bin/good");
  fs::create_symlink("/etc/passwd", m_home / "bin/absolute");
  fs::create_symlink("../../../up", m_home / "bin/up");
  write(m_home / "bin/set-id", "s");
  ::chmod((m_home / "bin/set-id").c_str(), 06755);
  const auto report = pull_from("bin/", m_here / "bin");
  EXPECT_EQ(report.skipped_links.size(), 2U);
  EXPECT_EQ(m_progress.m_notes.size(), 1U);
  EXPECT_EQ(tree(m_here / "bin"), (std::map<std::string, std::string>{
                                      {"good", "link to x"}, {"set-id", "file s"}, {"x", "file x"}}));
  EXPECT_EQ(fs::status(m_here / "bin/set-id").permissions(), fs::perms(0755));
}

TEST_F(RsyncTest, pull_of_what_is_not_there_is_not_found) {
  fs::create_directory(m_home / "bin");
  for (const char* path : {"bin/missing", "missing/file", "missing/"}) {
    const auto error = error_of([&] { pull_from(path, m_here / "x"); });
    EXPECT_EQ(error.kind(), ErrorKind::not_found) << error.what();
    EXPECT_THAT(error.what(), HasSubstr("missing"));
  }
}

TEST_F(RsyncTest, login_noise_does_not_disturb_it) {
  m_prologue = "echo 'Welcome!'; echo 'quota: 90%' >&2; printf 'no newline'";
  write(m_here / "a", "a");
  sync({"a"});
  EXPECT_EQ(re::sys::read_file(m_home / "project/a"), "a");
  pull_from("project/a", m_here / "back");
  EXPECT_EQ(re::sys::read_file(m_here / "back"), "a");
}

TEST_F(RsyncTest, the_remote_shells_path_may_hold_blanks_and_quotes) {
  const fs::path helper = m_directory.path() / "a \"b'' 'c'";
  fs::copy_file(RE_REMOTE_SHELL_HELPER, helper);
  m_options.remote_shell = {helper.string()};
  write(m_here / "a", "a");
  EXPECT_EQ(sync({"a"}).files_transferred, 1U);
}

// Sets a variable of this process's environment while it lives.
class EnvironmentGuard {
 public:
  EnvironmentGuard(const char* name, const std::string& value) : m_name(name) {
    if (const char* old = ::getenv(name)) m_old = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~EnvironmentGuard() { m_old ? ::setenv(m_name, m_old->c_str(), 1) : ::unsetenv(m_name); }
  EnvironmentGuard(const EnvironmentGuard&) = delete;
  EnvironmentGuard& operator=(const EnvironmentGuard&) = delete;

 private:
  const char* m_name;
  std::optional<std::string> m_old;
};

TEST_F(RsyncTest, a_local_rsync_that_checks_no_names_may_push_but_not_pull) {
  write(m_programs / "rsync",
        "#!/bin/sh\n[ \"$*\" = --version ] && echo 'rsync  version 3.2.3  protocol version 31' && exit\n"
        "exec /usr/bin/rsync \"$@\"\n");
  fs::permissions(m_programs / "rsync", fs::perms::owner_all);
  const EnvironmentGuard path("PATH", m_programs.string() + ":" + ::getenv("PATH"));
  write(m_here / "a", "a");
  EXPECT_EQ(sync({"a"}).files_transferred, 1U);
  const auto error = error_of([&] { pull_from("project/a", m_here / "b"); });
  EXPECT_EQ(error.kind(), ErrorKind::unsupported);
  EXPECT_THAT(error.what(), HasSubstr("3.2.5"));
}

TEST_F(RsyncTest, the_users_rsync_variables_change_nothing) {
  const EnvironmentGuard old_args("RSYNC_OLD_ARGS", "1");
  const EnvironmentGuard protect("RSYNC_PROTECT_ARGS", "1");
  const EnvironmentGuard shell("RSYNC_RSH", "/bin/false");
  write(m_home / "bin/wanted_name", "evil");
  replace_remote_rsync(lying_rsync("wanted_name", ".bash_login"));
  const auto error = error_of([&] { pull_from("bin/wanted_name", m_here / "safe/"); });
  EXPECT_EQ(error.kind(), ErrorKind::protocol) << error.what();
}

TEST_F(RsyncTest, progress_reaches_the_total) {
  write(m_here / "big", random_bytes(3U << 20U));
  sync({"big"});
  EXPECT_EQ(m_progress.m_done, 3U << 20U);
  EXPECT_EQ(m_progress.m_total, 3U << 20U);
}

TEST_F(RsyncTest, a_cut_push_is_resumed) {
  const std::string content = random_bytes(20U << 20U);
  write(m_here / "model", content);
  m_break_after = 12U << 20U;
  const auto error = error_of([&] { sync({"model"}); });
  EXPECT_EQ(error.kind(), ErrorKind::unreachable) << error.what();
  EXPECT_FALSE(fs::exists(m_home / "project/model"));
  EXPECT_TRUE(comes_true([&] { return fs::exists(m_home / "project/.re-partial/model"); }));
  m_break_after = AlteredConnection::k_unbroken;
  const auto report = sync({"model"});
  EXPECT_LT(report.literal_bytes, 12U << 20U);
  EXPECT_GT(report.matched_bytes, 8U << 20U);
  EXPECT_EQ(tree(m_home / "project"), tree(m_here));
}

TEST_F(RsyncTest, a_cut_pull_is_resumed) {
  write(m_home / "model", random_bytes(20U << 20U));
  m_break_after = 12U << 20U;
  const auto error = error_of([&] { pull_from("model", m_here / "into/"); });
  EXPECT_EQ(error.kind(), ErrorKind::unreachable) << error.what();
  EXPECT_TRUE(fs::exists(m_here / "into/.re-partial/model"));
  EXPECT_FALSE(has_child("rsync"));
  m_break_after = AlteredConnection::k_unbroken;
  const auto report = pull_from("model", m_here / "into/");
  EXPECT_LT(report.literal_bytes, 12U << 20U);
  EXPECT_EQ(re::sys::read_file(m_here / "into/model"), re::sys::read_file(m_home / "model"));
  EXPECT_FALSE(fs::exists(m_here / "into/.re-partial"));
}

TEST_F(RsyncTest, a_connection_that_dies_is_unreachable) {
  write(m_here / "a", "a");
  replace_remote_rsync("#!/bin/sh\nkill -9 $PPID\n");
  const auto error = error_of([&] { sync({"a"}); });
  EXPECT_EQ(error.kind(), ErrorKind::unreachable) << error.what();
}

TEST_F(RsyncTest, a_cancelled_transfer_leaves_no_process) {
  write(m_here / "a", "a");
  replace_remote_rsync("#!/bin/sh\necho $$ > \"$HOME/pid\"\nexec cat > /dev/null\n");
  Host& there = host();
  const SyncRequest request{m_here, {"a"}, "project", Absent::fail};
  const auto transfer = [&]() -> re::Async<void> {
    co_await sync_files(there, request, m_options, m_progress);
  };
  const auto limited = [&]() -> re::Async<void> {
    co_await re::sys::with_deadline(500ms, "a transfer", transfer);
  };
  const auto error = error_of([&] { run_to_end(m_io, limited()); });
  EXPECT_EQ(error.kind(), ErrorKind::timeout) << error.what();
  EXPECT_FALSE(has_child("rsync"));
  const auto pid = re::parse_number<pid_t>(re::trim(re::sys::read_file(m_home / "pid")));
  ASSERT_TRUE(pid);
  EXPECT_TRUE(comes_true([&] { return ::kill(*pid, 0) != 0; })) << "the far rsync still waits for its input";
}

TEST_F(RsyncTest, a_missing_rsync_is_said_with_what_to_do) {
  write(m_here / "a", "a");
  m_prologue = "mkdir -p tools; ln -sf /bin/mkdir tools/mkdir; export PATH=\"$PWD/tools\"";
  const auto error = error_of([&] { sync({"a"}); });
  EXPECT_EQ(error.kind(), ErrorKind::not_found);
  EXPECT_THAT(error.what(), HasSubstr("rsync is not installed on there"));
  EXPECT_THAT(error.hint(), HasSubstr("apt install rsync"));
}

TEST_F(RsyncTest, a_far_side_that_speaks_garbage_is_a_protocol_error) {
  write(m_here / "a", "a");
  replace_remote_rsync("#!/bin/sh\necho 'Sorry, maintenance until Monday, come back later'\n");
  const auto error = error_of([&] { sync({"a"}); });
  EXPECT_EQ(error.kind(), ErrorKind::protocol) << error.what();
}

TEST_F(RsyncTest, a_directory_that_cannot_be_made_is_said) {
  write(m_here / "a", "a");
  write(m_home / "project", "a file is in the way");
  const auto error = error_of([&] { sync({"a"}); });
  EXPECT_EQ(error.kind(), ErrorKind::remote);
  EXPECT_THAT(error.what(), HasSubstr("project"));
}

TEST_F(RsyncTest, pull_takes_the_first_that_exists) {
  write(m_home / "th ree/in/b", "of three");
  fs::create_symlink("nowhere", m_home / "dangling");
  const auto found = [&](std::vector<std::string> paths) {
    auto report = run_to_end(m_io, pull(host(), std::move(paths), m_here / "into/", m_options, m_progress));
    return report ? report->found : std::size_t{99};
  };
  EXPECT_EQ(found({"-x/*", "th ree/in/*"}), 99U);
  EXPECT_EQ(found({"one/in/", "th ree/in/b/in/", "~/th ree/in/"}), 2U);
  EXPECT_EQ(re::sys::read_file(m_here / "into/b"), "of three");
  EXPECT_EQ(found({"dangling", "~/dangling"}), 0U);
}

}  // namespace
