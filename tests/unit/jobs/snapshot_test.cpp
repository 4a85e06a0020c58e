#include "re/jobs/snapshot.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <map>
#include <set>

#include "jobs/script_text.hpp"
#include "jobs/scripts.hpp"
#include "re/base/strings.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "transport/local_connection.hpp"

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using re::jobs::SnapshotEntry;
using Outcome = re::jobs::SnapshotReport::Outcome;
using Mode = SnapshotEntry::Mode;

std::string library() {
  const std::array<std::string_view, 3> files = {re::jobs::scripts::trees, re::jobs::scripts::snapshot,
                                                 re::jobs::scripts::work};
  return re::jobs::script_text(files);
}

struct stat facts_of(const fs::path& path) {
  struct stat facts{};
  EXPECT_EQ(::lstat(path.c_str(), &facts), 0) << path;
  return facts;
}

std::string sha256_of(const fs::path& path) {
  const auto result = re::sys::run_captured({"sh", "-c", "sha256sum <\"$0\"", path});
  return result.output.substr(0, 64);
}

// Every file and link below a directory: content, or "-> target"; executables are marked.
std::map<std::string, std::string> contents_of(const fs::path& root) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string name = fs::relative(entry.path().parent_path(), root) / entry.path().filename();
    const std::string key = name.starts_with("./") ? name.substr(2) : name;
    if (entry.is_symlink()) {
      found[key] = "-> " + fs::read_symlink(entry.path()).string();
    } else if (entry.is_regular_file()) {
      const bool runs = (facts_of(entry.path()).st_mode & 0100U) != 0;
      found[key] = re::sys::read_file(entry.path()) + (runs ? " (x)" : "");
    }
  }
  return found;
}

class SnapshotTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(m_project); }

  void write(const std::string& path, const std::string& text, Mode mode = Mode::plain) {
    fs::create_directories((m_project / path).parent_path());
    re::sys::write_file_atomic(m_project / path, text, mode == Mode::executable ? 0755 : 0644);
  }
  [[nodiscard]] SnapshotEntry entry(const std::string& path, Mode mode = Mode::plain) const {
    return {path, sha256_of(m_project / path), mode, {}};
  }
  [[nodiscard]] fs::path snapshot(const std::string& name) const {
    return m_home.path() / ".re" / "snapshots" / name;
  }
  [[nodiscard]] fs::path tree(const std::string& name) const { return snapshot(name) / "tree"; }
  [[nodiscard]] std::set<std::string> snapshots() const {
    std::set<std::string> names;
    for (const auto& found : fs::directory_iterator(m_home.path() / ".re" / "snapshots"))
      names.insert(found.path().filename());
    return names;
  }
  re::jobs::SnapshotReport make(const std::string& name, std::vector<SnapshotEntry> entries) {
    const re::jobs::SnapshotRequest request{name, "p1", m_project, std::move(entries)};
    return run(re::jobs::make_snapshot(m_host, request, 60s));
  }
  template <class T>
  T run(re::Async<T> task) {
    auto result = boost::asio::co_spawn(m_io, std::move(task), boost::asio::use_future);
    m_io.restart();
    m_io.run();
    return result.get();
  }
  // A function of the library, run by this shell; its output and, behind it, "rc=<code>".
  std::string call(const std::vector<std::string>& shell, const std::vector<std::string>& words) {
    std::vector<std::string> command = {"env", "HOME=" + m_home.path().string()};
    command.insert(command.end(), shell.begin(), shell.end());
    const std::string text = "re_nonce=n$$\n" + library() + "\n\"$@\"\necho rc=$?";
    command.insert(command.end(), {"-c", text, "test"});
    command.insert(command.end(), words.begin(), words.end());
    const auto result = re::sys::run_captured(command);
    return result.output + result.error;
  }
  std::string call(const std::vector<std::string>& words) { return call({"sh"}, words); }

  re::sys::TemporaryDirectory m_home{"re-test"};
  fs::path m_project = m_home.path() / "projects" / "demo";
  boost::asio::io_context m_io;
  re::remote::Host m_host{re::transport::connect_local(m_io.get_executor(), m_home.path()), "here"};
};

const std::vector<std::string> k_hostile = {"new\nline",   "-rf",       " blank ",   "#comment",  ";x",
                                            "back\\slash", "dir/\ttab", "a:b",       "per%cent",  "st*r?[x]",
                                            "\xff\xfe",    "dir/-n",    "cr\r",      "quo'te\"s", "$HOME",
                                            "changed ./x", "umläut/é",  "file, link"};

TEST_F(SnapshotTest, holds_exactly_the_entries_read_only) {
  write("a/b/one.py", "1");
  write("run.sh", "2", Mode::executable);
  write("not in it", "3");
  SnapshotEntry link{"a/link", "", Mode::plain, "-b/../one.py"};
  EXPECT_EQ(make("s1", {entry("run.sh", Mode::executable), entry("a/b/one.py"), link}).outcome,
            Outcome::made);
  const std::map<std::string, std::string> expected = {
      {"a/b/one.py", "1"}, {"run.sh", "2 (x)"}, {"a/link", "-> -b/../one.py"}};
  EXPECT_EQ(contents_of(tree("s1")), expected);
  EXPECT_EQ(facts_of(tree("s1") / "run.sh").st_mode & 07777U, 0555U);
  EXPECT_EQ(facts_of(tree("s1") / "a/b/one.py").st_mode & 07777U, 0444U);
  EXPECT_EQ(facts_of(tree("s1") / "a/b").st_mode & 07777U, 0555U);
  EXPECT_EQ(facts_of(tree("s1")).st_mode & 07777U, 0555U);
  EXPECT_EQ(facts_of(m_home.path() / ".re").st_mode & 0077U, 0U);
  EXPECT_EQ(re::sys::read_file(snapshot("latest.p1")), "s1\n");
}

TEST_F(SnapshotTest, hostile_names_survive_and_the_manifest_checks_out) {
  std::vector<SnapshotEntry> entries;
  for (const auto& name : k_hostile) {
    write(name, "content of " + name);
    entries.push_back(entry(name));
    entries.push_back({"links/" + name, "", Mode::plain, name});
  }
  ASSERT_EQ(make("s1", entries).outcome, Outcome::made);
  const auto found = contents_of(tree("s1"));
  EXPECT_EQ(found.size(), entries.size());
  for (const auto& name : k_hostile) {
    EXPECT_EQ(found.count(name) == 1 ? found.at(name) : "missing", "content of " + name) << name;
    EXPECT_EQ(found.count("links/" + name) == 1 ? found.at("links/" + name) : "missing", "-> " + name);
  }
  EXPECT_EQ(re::sys::read_file(snapshot("s1") / "manifest"), re::jobs::render_manifest(entries));
  const auto check = re::sys::run_captured(
      {"sh", "-c", "cd \"$0/tree\" && grep '^[0-9a-f]\\{64\\}  ' ../manifest | sha256sum --strict --quiet -c",
       snapshot("s1")});
  EXPECT_TRUE(check.status.succeeded()) << check.output << check.error;
}

TEST_F(SnapshotTest, unsafe_entries_are_refused_before_anything_is_sent) {
  write("ok", "1");
  const std::string sum = entry("ok").sha256;
  const std::vector<std::vector<SnapshotEntry>> refused = {
      {{"../x", sum, Mode::plain, ""}},
      {{"a/../x", sum, Mode::plain, ""}},
      {{"/etc/passwd", sum, Mode::plain, ""}},
      {{"a//b", sum, Mode::plain, ""}},
      {{"./a", sum, Mode::plain, ""}},
      {{"", sum, Mode::plain, ""}},
      {{std::string("a\0b", 3), sum, Mode::plain, ""}},
      {{"a", "123", Mode::plain, ""}},
      {{"a", "", Mode::plain, ""}},
      {{"a", sum, Mode::plain, ""}, {"a", sum, Mode::plain, ""}},
      {{"a", "", Mode::plain, "/tmp"}, {"a/b", sum, Mode::plain, ""}},
      {{"a", sum, Mode::plain, ""}, {"a/b/c", sum, Mode::plain, ""}},
  };
  for (std::size_t at = 0; at < refused.size(); ++at) {
    try {
      make("s1", refused[at]);
      ADD_FAILURE() << at;
    } catch (const re::Error& error) {
      EXPECT_EQ(error.kind(), re::ErrorKind::usage) << error.what();
    }
  }
  EXPECT_FALSE(fs::exists(m_home.path() / ".re"));
}

TEST_F(SnapshotTest, unsafe_words_are_refused_on_the_host_as_well) {
  const std::string sum(64, 'a');
  EXPECT_THAT(call({"re_make_snapshot", "../x", m_project, "p1", ""}),
              testing::HasSubstr("not a snapshot's name"));
  EXPECT_THAT(call({"re_make_snapshot", "s1", m_project, "../p", ""}),
              testing::HasSubstr("not a project's id"));
  EXPECT_THAT(call({"re_make_snapshot", "s1", m_project, "p1", "", "link", "/", "../../x"}),
              testing::HasSubstr("unsafe path"));
  EXPECT_THAT(call({"re_make_snapshot", "s1", m_project, "p1", "", "file", sum, "-", "a/../../x"}),
              testing::HasSubstr("unsafe path"));
  EXPECT_EQ(snapshots(), std::set<std::string>{});
}

TEST_F(SnapshotTest, an_empty_project_and_a_second_time_work) {
  EXPECT_EQ(make("s0", {}).outcome, Outcome::made);
  EXPECT_EQ(make("s0", {}).outcome, Outcome::existed);
  EXPECT_TRUE(contents_of(tree("s0")).empty());
}

TEST_F(SnapshotTest, unchanged_files_are_linked_and_changed_ones_are_not) {
  for (const char* name : {"same", "edited", "mode"}) write(name, name);
  make("s1", {entry("same"), entry("edited"), entry("mode")});
  write("edited", "new");
  write("same", "the project's own file has changed, the entries ask for the old one");
  const std::string old_sum = sha256_of(tree("s1") / "same");
  EXPECT_EQ(make("s2", {{"same", old_sum, Mode::plain, ""}, entry("edited"), entry("mode", Mode::executable)})
                .outcome,
            Outcome::made);
  const std::map<std::string, std::string> expected = {
      {"same", "same"}, {"edited", "new"}, {"mode", "mode (x)"}};
  EXPECT_EQ(contents_of(tree("s2")), expected);
  EXPECT_EQ(facts_of(tree("s1") / "same").st_ino, facts_of(tree("s2") / "same").st_ino);
  EXPECT_EQ(facts_of(tree("s1") / "mode").st_mode & 07777U, 0444U);
  EXPECT_NE(facts_of(tree("s1") / "mode").st_ino, facts_of(tree("s2") / "mode").st_ino);
}

TEST_F(SnapshotTest, a_file_that_was_forced_open_in_the_old_snapshot_is_not_taken_over) {
  write("weights", "right");
  make("s1", {entry("weights")});
  const fs::path kept = tree("s1") / "weights";
  ::chmod(kept.c_str(), 0644);
  re::sys::run_captured({"sh", "-c", "printf WRONG >\"$0\"; touch -d 'now + 1 hour' \"$0\"", kept});
  write("other", "2");
  EXPECT_EQ(make("s2", {entry("weights"), entry("other")}).outcome, Outcome::made);
  EXPECT_EQ(re::sys::read_file(tree("s2") / "weights"), "right");
}

TEST_F(SnapshotTest, an_old_snapshot_that_is_half_removed_does_not_matter) {
  write("a", "1");
  write("b", "2");
  make("s1", {entry("a"), entry("b")});
  fs::permissions(tree("s1"), fs::perms::owner_all);
  fs::remove(tree("s1") / "a");
  write("c", "3");
  EXPECT_EQ(make("s2", {entry("a"), entry("b"), entry("c")}).outcome, Outcome::made);
  EXPECT_EQ(contents_of(tree("s2")).size(), 3U);
}

TEST_F(SnapshotTest, a_project_that_changed_meanwhile_is_named_and_leaves_nothing) {
  std::vector<SnapshotEntry> entries;
  std::vector<std::string> names = k_hostile;
  names.emplace_back("gone");
  names.emplace_back("turned/into/a/link");
  for (const auto& name : names) {
    write(name, "old");
    entries.push_back(entry(name));
    write(name, "new");
  }
  fs::remove(m_project / "gone");
  fs::remove(m_project / "turned/into/a/link");
  fs::create_symlink("/etc/passwd", m_project / "turned/into/a/link");
  write("stable", "1");
  entries.push_back(entry("stable"));
  const auto report = make("s1", entries);
  EXPECT_EQ(report.outcome, Outcome::mismatch);
  EXPECT_THAT(report.changed, testing::UnorderedElementsAreArray(names));
  EXPECT_EQ(snapshots(), std::set<std::string>{});
}

TEST_F(SnapshotTest, directories_that_are_links_in_the_project_are_not_copied_as_links) {
  const fs::path outside = m_home.path() / "outside";
  fs::create_directories(outside);
  re::sys::write_file_atomic(outside / "x", "1");
  fs::create_directory_symlink(outside, m_project / "dir");
  EXPECT_EQ(make("s1", {entry("dir/x")}).outcome, Outcome::made);
  EXPECT_TRUE(S_ISDIR(facts_of(tree("s1") / "dir").st_mode));
  EXPECT_NE(facts_of(tree("s1") / "dir/x").st_ino, facts_of(outside / "x").st_ino);
}

TEST_F(SnapshotTest, makers_at_the_same_time_all_succeed_with_one_tree) {
  std::string words;
  for (int file = 0; file < 20; ++file) write("f" + std::to_string(file), std::to_string(file));
  std::vector<SnapshotEntry> entries;
  for (int file = 0; file < 20; ++file) entries.push_back(entry("f" + std::to_string(file)));
  for (int round = 0; round < 5; ++round) {
    const std::string name = "s" + std::to_string(round);
    const std::string text =
        "HOME=$1; export HOME\n" + library() +
        "\nfor maker in 1 2 3 4; do (re_nonce=m$maker; re_make_snapshot \"$2\" \"$3\" p$maker "
        "\"$4\") & done; wait";
    const auto result = re::sys::run_captured(
        {"sh", "-c", text, "test", m_home.path(), name, m_project, re::jobs::render_manifest(entries)});
    EXPECT_EQ(result.error, "");
    const auto answers = re::split_lines(result.output);
    EXPECT_EQ(answers.size(), 4U);
    EXPECT_GE(std::count(answers.begin(), answers.end(), "MADE"), 1);
    EXPECT_EQ(contents_of(tree(name)).size(), 20U);
    for (const auto& found : fs::directory_iterator(snapshot(name)))
      EXPECT_THAT(found.path().filename().string(), testing::AnyOf("tree", "manifest", "outline"));
  }
  for (const auto& name : snapshots()) EXPECT_FALSE(name.starts_with("tmp.")) << name;
}

TEST_F(SnapshotTest, leftovers_of_killed_makers_go_after_an_hour) {
  for (const char* name : {"tmp.old/tree/dir", "tmp.new/tree", "tmp.alive/tree"})
    fs::create_directories(snapshot(name));
  re::sys::write_file_atomic(snapshot("tmp.alive/maker"), std::to_string(::getpid()) + "\n");
  re::sys::write_file_atomic(snapshot("tmp.old/maker"), "999999999\n");
  fs::permissions(snapshot("tmp.old/tree"), fs::perms::owner_read | fs::perms::owner_exec);
  for (const char* name : {"tmp.old", "tmp.alive"})
    re::sys::run_captured({"touch", "-d", "2 hours ago", snapshot(name)});
  make("s1", {});
  EXPECT_EQ(snapshots(), (std::set<std::string>{"s1", "latest.p1", "tmp.new", "tmp.alive"}));
}

TEST_F(SnapshotTest, a_host_without_rsync_and_sha256sum_is_served_all_the_same) {
  const fs::path bin = m_home.path() / "bin";
  fs::create_directories(bin);
  for (const char* tool : {"awk", "cat", "chmod", "cp", "cut",  "find", "grep", "head",  "ln",      "mkdir",
                           "mv",  "rm",  "sed",   "sh", "sync", "tr",   "wc",   "xargs", "openssl", "env"}) {
    const auto found = re::sys::run_captured({"sh", "-c", "command -v " + std::string(tool)});
    if (found.status.succeeded()) fs::create_symlink(std::string(re::trim(found.output)), bin / tool);
  }
  if (!fs::exists(bin / "openssl")) GTEST_SKIP() << "needs the openssl program";
  write("a/one", "1", Mode::executable);
  write("two", "2");
  const std::vector<std::string> shell = {"PATH=" + bin.string(), "sh"};
  const auto manifest = [&](const std::vector<SnapshotEntry>& entries) {
    return re::jobs::render_manifest(entries);
  };
  const auto first = manifest({entry("a/one"), entry("two")});
  EXPECT_EQ(call(shell, {"re_make_snapshot", "s1", m_project, "p1", first}), "MADE\nrc=0\n");
  const std::map<std::string, std::string> expected = {{"a/one", "1"}, {"two", "2"}};
  EXPECT_EQ(contents_of(tree("s1")), expected);
  write("two", "changed");
  const auto second = manifest({entry("a/one"), entry("two")});
  EXPECT_EQ(call(shell, {"re_make_snapshot", "s2", m_project, "p1", second}), "MADE\nrc=0\n");
  EXPECT_EQ(facts_of(tree("s1") / "a/one").st_ino, facts_of(tree("s2") / "a/one").st_ino);
  write("two", "again");
  EXPECT_EQ(call(shell, {"re_make_snapshot", "s3", m_project, "p1",
                         manifest({{"two", std::string(64, '0'), Mode::plain, ""}})}),
            "changed ./two\nMISMATCH\nrc=0\n");
}

TEST_F(SnapshotTest, a_full_disk_is_an_error_that_says_so_and_leaves_nothing) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small file system";
  const auto entries = [&] {
    write("big", std::string(std::size_t{2} << 20U, 'x'));
    return re::jobs::render_manifest({entry("big")});
  }();
  const std::string script =
      "mkdir -p \"$HOME/.re\" && mount -t tmpfs -o size=512k none \"$HOME/.re\" || exit 77\n"
      "re_nonce=n\n" +
      library() + "\nre_make_snapshot s1 \"$1\" p1 \"$2\"; echo rc=$?; ls -A \"$HOME/.re/snapshots\"";
  const auto result = re::sys::run_captured({"env", "HOME=" + m_home.path().string(), "unshare", "--mount",
                                             "sh", "-c", script, "test", m_project, entries});
  if (result.status.code == 77) GTEST_SKIP() << "cannot mount a tmpfs here";
  EXPECT_EQ(result.output, "rc=1\n");
  EXPECT_THAT(result.error, testing::StartsWith("re: cannot make the snapshot: "));
  EXPECT_THAT(result.error, testing::HasSubstr("No space left on device"));
}

TEST_F(SnapshotTest, a_project_is_marked_and_another_of_the_same_name_is_noticed) {
  const std::string directory = "projects/with blank";
  run(re::jobs::prepare_project(m_host, {directory, "p1", {"data", "a/b"}}, 10s));
  run(re::jobs::prepare_project(m_host, {directory, "p1", {"data"}}, 10s));
  EXPECT_TRUE(fs::is_directory(m_home.path() / directory / "data"));
  EXPECT_TRUE(fs::is_directory(m_home.path() / directory / "a/b"));
  EXPECT_EQ(re::sys::read_file(m_home.path() / directory / ".re-project"), "p1\n");
  try {
    run(re::jobs::prepare_project(m_host, {directory, "p2", {"other"}}, 10s));
    FAIL();
  } catch (const re::Error& error) {
    EXPECT_EQ(error.kind(), re::ErrorKind::conflict);
    EXPECT_THAT(error.what(), testing::HasSubstr("belongs to another project (p1)"));
  }
  EXPECT_FALSE(fs::exists(m_home.path() / directory / "other"));
  EXPECT_THROW(run(re::jobs::prepare_project(m_host, {"x", "p1", {"../out"}}, 10s)), re::Error);
}

class WorkTest : public SnapshotTest {
 protected:
  fs::path job(const std::string& name) {
    const fs::path directory = m_home.path() / ".re" / "jobs" / name;
    fs::create_directories(directory);
    return directory;
  }
  std::string make_work(const std::string& name, const std::string& snapshot_name,
                        const std::string& continued = "",
                        const std::vector<std::string>& shared = {"data"}) {
    std::vector<std::string> words = {"re_make_work", job(name), tree(snapshot_name), m_project, continued};
    words.insert(words.end(), shared.begin(), shared.end());
    return call(words);
  }
};

TEST_F(WorkTest, is_a_writable_copy_with_the_shared_directories_linked) {
  write("run.sh", "1", Mode::executable);
  write("dir/a", "2");
  write("data/in", "3");
  make(
      "s1",
      {entry("run.sh", Mode::executable), entry("dir/a"), entry("data/in"), {"l", "", Mode::plain, "dir/a"}});
  fs::create_directories(job("j1") / "work.tmp" / "left");
  EXPECT_EQ(make_work("j1", "s1", "", {"data", "deep/er"}), "rc=0\n");
  const std::map<std::string, std::string> expected = {{"run.sh", "1 (x)"},
                                                       {"dir/a", "2"},
                                                       {"l", "-> dir/a"},
                                                       {"data", "-> " + (m_project / "data").string()},
                                                       {"deep/er", "-> " + (m_project / "deep/er").string()}};
  EXPECT_EQ(contents_of(job("j1") / "work"), expected);
  EXPECT_EQ(facts_of(job("j1") / "work/dir/a").st_nlink, 1U);
  EXPECT_NE(facts_of(job("j1") / "work/dir/a").st_mode & 0200U, 0U);
  EXPECT_NE(facts_of(job("j1") / "work/dir").st_mode & 0200U, 0U);
  re::sys::write_file_atomic(job("j1") / "work/dir/a", "the job's own");
  EXPECT_EQ(re::sys::read_file(tree("s1") / "dir/a"), "2");
  EXPECT_EQ(make_work("j1", "s1"), "rc=0\n");
  EXPECT_EQ(re::sys::read_file(job("j1") / "work/dir/a"), "the job's own");
}

TEST_F(WorkTest, a_big_file_is_linked_read_only_and_named_unless_the_file_system_can_do_better) {
  write("small", "1");
  write("dir/big.bin", std::string((std::size_t{16} << 20U) + 1, 'x'));
  make("s1", {entry("small"), entry("dir/big.bin")});
  const std::string answer = make_work("j1", "s1");
  const auto facts = facts_of(job("j1") / "work/dir/big.bin");
  if (facts.st_ino == facts_of(tree("s1") / "dir/big.bin").st_ino) {
    EXPECT_EQ(answer, "re: dir/big.bin (16 MiB) is linked read-only: copy it before writing to it\nrc=0\n");
    EXPECT_EQ(facts.st_mode & 0222U, 0U);
    EXPECT_EQ(facts_of(tree("s1") / "dir/big.bin").st_mode & 0222U, 0U);
  } else {
    EXPECT_EQ(answer, "rc=0\n");
  }
  EXPECT_NE(facts_of(job("j1") / "work/small").st_mode & 0200U, 0U);
}

TEST_F(WorkTest, a_continued_job_has_the_outputs_and_the_newer_files_and_no_link_is_written_through) {
  for (const char* name : {"code", "dir/x", "became-file", "sub/became-dir/y"}) write(name, "snapshot");
  make("s1", {entry("code"), entry("dir/x"), entry("became-file"), entry("sub/became-dir/y")});
  ASSERT_EQ(make_work("j1", "s1"), "rc=0\n");
  const fs::path outside = m_home.path() / "outside";
  fs::create_directories(outside);
  re::sys::write_file_atomic(outside / "x", "precious");
  re::sys::write_file_atomic(outside / "code", "precious");
  const fs::path work = job("j1") / "work";
  re::sys::write_file_atomic(work / "out.bin", "output");
  fs::remove_all(work / "dir");
  fs::create_directory_symlink(outside, work / "dir");
  fs::remove(work / "code");
  fs::create_symlink(outside / "code", work / "code");
  fs::remove(work / "became-file");
  fs::create_directories(work / "became-file/inner");
  fs::remove_all(work / "sub/became-dir");
  re::sys::write_file_atomic(work / "sub/became-dir", "a file");
  EXPECT_EQ(make_work("j2", "s1", job("j1")), "rc=0\n");
  const std::map<std::string, std::string> expected = {
      {"code", "snapshot"},        {"dir/x", "snapshot"},
      {"became-file", "snapshot"}, {"sub/became-dir/y", "snapshot"},
      {"out.bin", "output"},       {"data", "-> " + (m_project / "data").string()}};
  EXPECT_EQ(contents_of(job("j2") / "work"), expected);
  EXPECT_EQ(re::sys::read_file(outside / "x"), "precious");
  EXPECT_EQ(re::sys::read_file(outside / "code"), "precious");
}

TEST_F(WorkTest, failures_are_one_clear_line_and_leave_nothing) {
  write("a", "1");
  make("s1", {entry("a"), {"dir", "", Mode::plain, "/tmp"}});
  EXPECT_THAT(make_work("j1", "s1", job("none")),
              testing::HasSubstr("re: cannot make the work tree: the job to continue"));
  EXPECT_THAT(make_work("j1", "s1", "", {"../up"}), testing::HasSubstr("is not inside the project"));
  EXPECT_THAT(make_work("j1", "s1", "", {"dir/data"}), testing::HasSubstr("is a symbolic link"));
  EXPECT_TRUE(fs::is_empty(job("j1")));
}

TEST_F(WorkTest, every_shell_does_the_same) {
  std::vector<std::string> words;
  for (const auto& name : k_hostile) write(name, "1");
  std::vector<SnapshotEntry> entries;
  for (const auto& name : k_hostile) entries.push_back(entry(name));
  make("s0", entries);
  const auto expected = contents_of(tree("s0"));
  const std::vector<std::vector<std::string>> shells = {{"dash"}, {"busybox", "sh"}, {"bash", "--posix"}};
  std::vector<SnapshotEntry> listed;  // what goes by the manifest alone
  for (const auto& item : entries) {
    if (re::jobs::render_manifest({item}).find("\nf ") == std::string::npos) listed.push_back(item);
  }
  int number = 0;
  for (const auto& shell : shells) {
    ++number;
    const std::string name = "shell" + std::to_string(number);
    // A project of its own, so that all is copied and checked.
    EXPECT_EQ(call(shell, {"re_make_snapshot", name, m_project, name, re::jobs::render_manifest(listed)}),
              "MADE\nrc=0\n");
    EXPECT_EQ(contents_of(tree(name)).size(), listed.size());
    EXPECT_EQ(call(shell, {"re_make_work", job(name), tree("s0"), m_project, ""}), "rc=0\n");
    EXPECT_EQ(contents_of(job(name) / "work"), expected) << shell.front();
  }
}

}  // namespace
