// A snapshot is made by a patch as it must be, or not at all.
#include "re/jobs/patch.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <set>

#include "jobs/calls.hpp"
#include "jobs/manifest_text.hpp"
#include "jobs/scripts.hpp"
#include "patch_fixture.hpp"
#include "re/base/strings.hpp"

namespace re::jobs::test {
namespace {

/// One file edited since the last snapshot, one removed, one new.
class EditTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* path : {"edited.py", "same.py", "gone/old.py", "sub/deep/same.py"})
      local.write(path, path);
    place.bring(local);
    local.write("edited.py", "new text", 0755);
    local.remove("gone/old.py");
    local.write("added/new.py", "added");
    patch = place.plan(local);
    ASSERT_TRUE(patch);
  }
  /// The patch is refused, and has left everything as it was; and the other way works.
  void expect_refused() {
    const auto before = listing(place.project());
    EXPECT_EQ(place.launch(local, &*patch), Launch::need_snapshot);
    EXPECT_FALSE(fs::exists(place.snapshot(local.name())));
    EXPECT_TRUE(place.is_tidy());
    auto after = listing(place.project());
    if (!before.contains("/added")) after.erase("/added");  // an empty directory
    EXPECT_EQ(after, before);
  }

  Local local;
  Place place;
  std::optional<SnapshotPatch> patch;
};

TEST_F(EditTest, one_message_makes_the_snapshot_and_starts_the_job) {
  EXPECT_NE(place.launch(local, &*patch), Launch::need_snapshot);
  EXPECT_EQ(sys::read_file(place.snapshot(local.name()) / "manifest"), local.manifest());
  const auto tree = place.snapshot(local.name()) / "tree";
  EXPECT_FALSE(fs::exists(tree / "gone"));
  EXPECT_TRUE(fs::exists(place.project() / "gone/old.py"));  // as rsync leaves it
  EXPECT_EQ(facts_of(tree / "same.py").st_ino,
            facts_of(place.snapshot(place.base()) / "tree/same.py").st_ino);
  EXPECT_EQ(facts_of(tree / "edited.py").st_mode & 07777U, 0555U);
  EXPECT_EQ(facts_of(place.project() / "edited.py").st_mode & 07777U, 0755U);
}

TEST_F(EditTest, a_launch_without_a_patch_does_not_carry_its_functions) {
  const auto spec = Place::job(local);
  const auto plain = launch_call(spec, "/bin/sh", "re_launch");
  EXPECT_EQ((plain.library + plain.more).find("re_patch_tree"), std::string::npos);
  EXPECT_NE(launch_call(spec, "/bin/sh", "re_launch", {&*patch}).more.find("re_patch_tree"),
            std::string::npos);
}

TEST_F(EditTest, a_shell_that_waited_has_linked_the_base) {
  place.remote().start_ahead();
  const auto shim = place.remote().home() / "bin/mv";
  fs::create_directories(shim.parent_path());
  sys::write_file_atomic(shim, "#!/bin/dash\necho \"$@\" >>\"$HOME/moves\"\nexec /usr/bin/mv \"$@\"\n", 0755);
  EXPECT_NE(place.launch(local, &*patch), Launch::need_snapshot);
  EXPECT_THAT(sys::read_file(place.remote().home() / "moves"),
              testing::ContainsRegex("/linked tmp\\.[0-9a-f]+\n"));
  EXPECT_EQ(sys::read_file(place.snapshot(local.name()) / "manifest"), local.manifest());
  EXPECT_FALSE(fs::exists(place.snapshot(local.name()) / "tree/gone"));
  EXPECT_TRUE(place.is_tidy());
}

TEST_F(EditTest, what_was_linked_ahead_is_not_used_when_a_file_was_written_to) {
  place.remote().start_ahead();
  const auto forced = place.snapshot(place.base()) / "tree/sub/deep/same.py";
  ::chmod(forced.c_str(), 0644);
  std::ofstream(forced) << "WRONG";
  expect_refused();
}

TEST_F(EditTest, links_that_nobody_wanted_go_with_the_jobs_end) {
  place.remote().start_ahead();
  EXPECT_NE(place.launch(local, &*patch), Launch::need_snapshot);
  const auto again = Place::job(local);
  place.remote().launch(again);
  ASSERT_TRUE(place.remote().wait_for(again.id, model::JobState::done));
  EXPECT_TRUE(wait_until([&] { return !fs::exists(place.remote().directory(again.id) / "linked"); }));
}

TEST_F(EditTest, a_base_with_a_file_that_was_written_to_is_not_used) {
  const auto forced = place.snapshot(place.base()) / "tree/sub/deep/same.py";
  ::chmod(forced.c_str(), 0644);
  std::ofstream(forced) << "WRONG";
  expect_refused();
}

TEST_F(EditTest, a_base_with_a_link_that_was_replaced_is_not_used) {
  fs::create_symlink("same.py", local.root() / "link");
  place.bring(local);
  local.write("edited.py", "newer text");
  patch = place.plan(local);
  const auto tree = place.snapshot(place.base()) / "tree";
  fs::permissions(tree, fs::perms{0755});
  fs::remove(tree / "link");
  fs::create_symlink("/etc/passwd", tree / "link");
  expect_refused();
}

TEST_F(EditTest, a_base_that_lacks_a_file_is_not_used) {
  const auto tree = place.snapshot(place.base()) / "tree";
  fs::permissions(tree / "sub/deep", fs::perms{0755});
  fs::remove(tree / "sub/deep/same.py");
  expect_refused();
}

TEST_F(EditTest, a_base_that_is_not_there_is_not_used) {
  patch->base = "0123";
  expect_refused();
}

TEST_F(EditTest, a_projects_directory_that_another_client_has_changed_is_left_to_rsync) {
  sys::write_file_atomic(place.snapshot("latest.project-1"), "0123\n");
  expect_refused();
}

TEST_F(EditTest, an_edit_that_is_undone_is_undone_in_the_projects_directory_too) {
  const auto first = place.base();
  ASSERT_NE(place.launch(local, &*patch), Launch::need_snapshot);
  place.remember(local);
  local.write("edited.py", "edited.py");
  local.write("gone/old.py", "gone/old.py");
  local.remove("added/new.py");
  ASSERT_EQ(local.name(), first);
  patch = place.plan(local);
  EXPECT_NE(place.launch(local, &*patch), Launch::need_snapshot);
  EXPECT_EQ(sys::read_file(place.project() / "edited.py"), "edited.py");
  EXPECT_EQ(facts_of(place.project() / "edited.py").st_mode & 07777U, 0644U);
  EXPECT_EQ(sys::read_file(place.snapshot("latest.project-1")), first + "\n");
}

TEST_F(EditTest, a_base_with_another_manifest_is_not_used) {
  std::ofstream(place.snapshot(place.base()) / "manifest", std::ios::app) << "# more\n";
  expect_refused();
}

TEST_F(EditTest, content_that_is_not_the_manifests_is_refused) {
  patch->files.back().content += "x";
  expect_refused();
}

TEST_F(EditTest, a_projects_directory_that_is_anothers_is_left_alone) {
  sys::write_file_atomic(place.project() / ".re-project", "project-2\n");
  expect_refused();
  fs::remove(place.project() / ".re-project");
  expect_refused();
}

TEST_F(EditTest, a_link_on_the_way_to_a_file_of_the_project_is_not_followed) {
  const auto outside = place.remote().home() / "outside";
  fs::create_directories(outside);
  fs::create_directory_symlink(outside, place.project() / "added");
  expect_refused();
  EXPECT_TRUE(fs::is_empty(outside));
}

TEST_F(EditTest, a_file_of_the_project_that_is_a_link_or_a_directory_is_left_to_rsync) {
  const auto outside = place.remote().home() / "outside";
  std::ofstream(outside) << "precious";
  fs::remove(place.project() / "edited.py");
  fs::create_symlink(outside, place.project() / "edited.py");
  expect_refused();
  EXPECT_EQ(sys::read_file(outside), "precious");
  fs::remove(place.project() / "edited.py");
  fs::create_directory(place.project() / "edited.py");
  expect_refused();
}

TEST_F(EditTest, a_path_that_leaves_the_tree_is_refused_on_the_host) {
  patch->files.back().entry.path = "../../outside";
  expect_refused();
}

TEST_F(EditTest, a_host_whose_tools_cannot_do_it_is_asked_in_the_other_way) {
  for (const char* tool : {"cp", "find", "awk", "touch", "chmod", "mv", "sha256sum"}) {
    SCOPED_TRACE(tool);
    if (std::string_view(tool) == "chmod" && ::geteuid() != 0)
      continue;  // then nothing can be tidied up either
    const auto shim = place.remote().home() / "bin" / tool;
    fs::create_directories(shim.parent_path());
    const std::string real = "/usr/bin/" + std::string(tool);
    // mv is the launch's tool as well; it fails for the copies in the project only.
    const std::string when =
        std::string(tool) == "mv" ? "case $* in *.re-patch*) exit 1 ;; esac\n" : "exit 1\n";
    sys::write_file_atomic(shim, "#!/bin/dash\n" + when + "exec " + real + " \"$@\"\n", 0755);
    expect_refused();
    fs::remove(shim);
  }
  EXPECT_NE(place.launch(local, &*patch), Launch::need_snapshot);
}

TEST_F(EditTest, a_full_disk_leaves_no_snapshot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to mount a small file system";
  local.write("edited.py", std::string(120'000, 'x'));
  patch = place.plan(local);
  const auto spec = Place::job(local);
  const auto call = launch_call(spec, "/bin/sh", "re_launch", {&*patch});
  const auto script = place.remote().home() / "script";
  sys::write_file_atomic(script, whole_script(call.call()));
  const auto done = sys::run_captured(
      {"env", "HOME=" + place.remote().home().string(), "unshare", "--mount", "sh", "-c",
       "cp -a \"$HOME/.re\" \"$HOME/kept\" && mount -t tmpfs -o size=64k none \"$HOME/.re\" || exit 77\n"
       "cp -a \"$HOME/kept/.\" \"$HOME/.re/\" || exit 77\nsh -s <\"$0\"; ls -A \"$HOME/.re/snapshots\"",
       script});
  if (done.status.code == 77) GTEST_SKIP() << "cannot mount a tmpfs here: " << done.error;
  EXPECT_THAT(done.output, testing::HasSubstr("NEEDSNAPSHOT"));
  EXPECT_THAT(done.output, testing::Not(testing::HasSubstr("tmp.")));
  EXPECT_THAT(done.output, testing::Not(testing::HasSubstr(local.name())));
  EXPECT_EQ(sys::read_file(place.project() / "edited.py"), "edited.py");
}

std::vector<std::string> steps_of(std::string_view script) {
  std::set<std::string> steps;
  for (const auto line : split_lines(script)) {
    const auto words = split_words(line);
    if (words.size() > 1 && words[0] == "re_fault") steps.emplace(words[1]);
  }
  return {steps.begin(), steps.end()};
}

class PatchFaultTest : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(JobHostTest, PatchFaultTest, testing::Values("kill", "eio", "enospc"),
                         [](const auto& test) { return test.param; });

TEST_P(PatchFaultTest, at_every_step_the_snapshot_is_right_or_not_there_and_the_next_launch_works) {
  const auto steps = steps_of(scripts::patch);
  ASSERT_GT(steps.size(), 10U);
  for (const auto& step : steps) {
    SCOPED_TRACE(step + ":" + GetParam());
    Local local;
    Place place;
    local.write("a/one", "1");
    local.write("two", "2");
    place.bring(local);
    local.write("a/one", "changed", 0755);
    local.write("b/three", "3");
    const auto patch = place.plan(local);
    ::setenv("RE_FAULT", (step + ":1:" + GetParam()).c_str(), 1);
    try {
      EXPECT_EQ(place.launch(local, &*patch), Launch::need_snapshot);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unreachable) << error.what();
    }
    ::unsetenv("RE_FAULT");
    ASSERT_TRUE(wait_until([&] { return fs::exists(place.remote().home() / ".re-fault"); }));
    EXPECT_TRUE(wait_until([&] { return place.is_tidy(); }));
    EXPECT_FALSE(fs::exists(place.snapshot(local.name())));
    EXPECT_NE(place.launch(local, &*patch), Launch::need_snapshot);
    Place plain;
    plain.bring(local);
    EXPECT_EQ(listing(place.snapshot(local.name())), listing(plain.snapshot(local.name())));
    EXPECT_EQ(listing(place.project()), listing(plain.project()));
  }
}

std::vector<SnapshotEntry> odd_entries() {
  const std::string sum(64, 'a');
  return {{"plain", sum, Mode::plain, ""},     {"run", sum, Mode::executable, ""},
          {"new\nline", sum, Mode::plain, ""}, {"per%cent/x\\y", sum, Mode::executable, ""},
          {"x ./plain", sum, Mode::plain, ""}, {"per%cent/link", "", Mode::plain, "to\t%41\n"},
          {"l a", sum, Mode::executable, ""},  {"per%cent/plain", sum, Mode::plain, ""}};
}

TEST(ManifestTextTest, what_is_written_is_read) {
  const std::string text = render_manifest(odd_entries());
  const auto read = parse_manifest(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->size(), odd_entries().size());
  EXPECT_EQ(render_manifest(*read), text);
  EXPECT_TRUE(parse_manifest(render_manifest({})));
}

TEST(ManifestTextTest, what_is_not_quite_a_manifest_is_refused) {
  const std::string text = render_manifest(odd_entries());
  EXPECT_FALSE(parse_manifest(""));
  for (std::size_t size = 1; size < text.size(); ++size) {
    const auto read = parse_manifest(std::string_view(text).substr(0, size));
    EXPECT_TRUE(!read || text[size - 1] == '\n') << size;
  }
  for (const char* line : {"x ./none\n", "f 12 x a\n", "l a\n", "junk\n", "l \t\n", "f \n"}) {
    EXPECT_FALSE(parse_manifest(text + line)) << line;
  }
}

TEST(PlanTest, only_a_few_plain_files_travel) {
  const std::string sum(64, 'a');
  std::vector<SnapshotEntry> many;
  for (int number = 0; number < 65; ++number) {
    many.push_back({"f" + std::to_string(number), sum, Mode::plain, ""});
  }
  const std::string none = render_manifest({});
  EXPECT_FALSE(plan_patch(none, render_manifest(many)));
  EXPECT_FALSE(plan_patch(render_manifest(many), none));
  many.pop_back();
  EXPECT_TRUE(plan_patch(none, render_manifest(many)));
  EXPECT_TRUE(plan_patch(render_manifest(many), none));
  const auto all = odd_entries();
  for (std::size_t at = 0; at < all.size(); ++at) {
    auto fewer = all;
    fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(at));
    const bool travels = plan_patch(render_manifest(fewer), render_manifest(all)).has_value();
    EXPECT_EQ(travels, is_listed(all[at])) << all[at].path;
  }
}

TEST(PlanTest, directories_come_before_and_go_after_what_is_in_them) {
  const std::string sum(64, 'a');
  const std::string old =
      render_manifest({{"a/b/c/x", sum, Mode::plain, ""}, {"keep/l", "", Mode::plain, "t"}});
  const std::string now =
      render_manifest({{"d/e/x", sum, Mode::plain, ""}, {"keep/l", "", Mode::plain, "t"}});
  const auto patch = plan_patch(old, now);
  ASSERT_TRUE(patch);
  EXPECT_THAT(patch->emptied, testing::ElementsAre("a/b/c", "a/b", "a"));
  ASSERT_EQ(patch->directories.size(), 2U);
  EXPECT_EQ(patch->directories[0].path, "d");
  EXPECT_EQ(patch->directories[1].path, "d/e");
}

}  // namespace
}  // namespace re::jobs::test
