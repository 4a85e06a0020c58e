// A snapshot made by a patch is the one that rsync and the project's directory would have given, or none.
#include "re/jobs/patch.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <map>
#include <random>
#include <set>

#include "job_fixture.hpp"
#include "jobs/calls.hpp"
#include "jobs/manifest_text.hpp"
#include "jobs/scripts.hpp"
#include "re/base/strings.hpp"

namespace re::jobs::test {
namespace {

namespace fs = std::filesystem;
using Mode = SnapshotEntry::Mode;

struct stat facts_of(const fs::path& path) {
  struct stat facts{};
  EXPECT_EQ(::lstat(path.c_str(), &facts), 0) << path;
  return facts;
}

std::string sha256_of(const std::string& text) {
  static std::map<std::string, std::string> known;
  auto& sum = known[text];
  if (sum.empty()) {
    const sys::TemporaryDirectory scratch("re-sum");
    sys::write_file_atomic(scratch.path() / "text", text);
    sum = sys::run_captured({"sha256sum", scratch.path() / "text"}).output.substr(0, 64);
  }
  return sum;
}

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The client's project: files, links, and what a client knows of them.
class Local {
 public:
  Local() { fs::create_directories(root()); }
  [[nodiscard]] fs::path root() const { return m_directory.path() / "project"; }

  /// \param seconds its time, with some nanoseconds
  void write(const std::string& path, const std::string& text, unsigned mode = 0644,
             std::int64_t seconds = 1'000'000'000) const {
    fs::create_directories((root() / path).parent_path());
    sys::write_file_atomic(root() / path, text, mode);
    const timespec time{static_cast<time_t>(seconds), 123456789};
    const timespec times[] = {time, time};
    ASSERT_EQ(::utimensat(AT_FDCWD, (root() / path).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }
  void remove(const std::string& path) const {
    fs::remove_all(root() / path);
    for (auto parent = (root() / path).parent_path(); parent != root() && fs::is_empty(parent);
         parent = parent.parent_path()) {
      fs::remove(parent);
    }
  }
  [[nodiscard]] std::vector<SnapshotEntry> entries() const {
    std::vector<SnapshotEntry> entries;
    for (const auto& found : fs::recursive_directory_iterator(root())) {
      const std::string path = found.path().string().substr(root().string().size() + 1);
      if (found.is_symlink()) {
        entries.push_back({path, "", Mode::plain, fs::read_symlink(found.path()).string()});
      } else if (found.is_regular_file()) {
        const bool runs = (facts_of(found.path()).st_mode & 0100U) != 0;
        const auto mode = runs ? Mode::executable : Mode::plain;
        entries.push_back({path, sha256_of(sys::read_file(found.path())), mode, ""});
      }
    }
    return entries;
  }
  [[nodiscard]] std::string manifest() const { return render_manifest(entries()); }
  [[nodiscard]] std::string name() const { return sha256_of(manifest()).substr(0, 40); }

 private:
  sys::TemporaryDirectory m_directory{"re-local"};
};

/// A host with its copy of the project, and what the client remembers of it.
class Place {
 public:
  explicit Place(const std::string& shell = "dash") : m_remote(shell) {
    sys::write_file_atomic(project() / ".re-project", "project-1\n");
  }

  Remote& remote() { return m_remote; }
  [[nodiscard]] fs::path project() const { return m_remote.home() / "project"; }
  [[nodiscard]] fs::path snapshot(const std::string& name) const {
    return m_remote.home() / ".re/snapshots" / name;
  }
  [[nodiscard]] const std::string& base() const { return m_base; }

  /// Today's way: rsync as re::remote::sync_files() has it, then a snapshot of the project's directory.
  void bring(const Local& local) {
    ASSERT_TRUE(sync(local));
    SnapshotRequest request{local.name(), "project-1", "project", local.entries()};
    const auto report = m_remote.await(make_snapshot(m_remote.host(), request, k_deadline));
    ASSERT_NE(report.outcome, SnapshotReport::Outcome::mismatch);
    remember(local);
  }
  [[nodiscard]] bool sync(const Local& local) const {
    const std::string names = (m_remote.home() / "names").string();
    std::string list;
    for (const auto& entry : local.entries()) list += "./" + entry.path + std::string(1, '\0');
    sys::write_file_atomic(names, list);
    const auto done = sys::run_captured({"sh", "-c",
                                         "cd \"$0\" && exec rsync -lpt --no-inc-recursive --from0 "
                                         "--modify-window=-1 --files-from=\"$1\" ./ \"$2\"/",
                                         local.root(), names, project()});
    return done.status.succeeded();
  }

  /// What the client sends, or nothing.
  [[nodiscard]] std::optional<SnapshotPatch> plan(const Local& local) const {
    auto patch = plan_patch(m_manifest, local.manifest());
    if (!patch) return std::nullopt;
    patch->base = m_base;
    patch->project_id = "project-1";
    patch->project_directory = "project";
    patch->manifest_sha256 = sha256_of(local.manifest());
    for (auto& file : patch->files) {
      const auto facts = facts_of(local.root() / file.entry.path);
      file.content = sys::read_file(local.root() / file.entry.path);
      file.permissions = facts.st_mode & 07777U;
      file.mtime_ns = std::int64_t{facts.st_mtim.tv_sec} * 1'000'000'000 + facts.st_mtim.tv_nsec;
      if (file.content.find('\0') != std::string::npos) return std::nullopt;
    }
    for (auto& directory : patch->directories) {
      directory.permissions = facts_of(local.root() / directory.path).st_mode & 07777U;
    }
    return patch;
  }
  static model::JobSpec job(const Local& local) {
    auto spec = live_job("cat * >/dev/null 2>&1; true");
    spec.work_tree = model::WorkTree::own;
    spec.snapshot = local.name();
    return spec;
  }
  Launch launch(const Local& local, const SnapshotPatch* patch) {
    return m_remote.await(m_remote.jobs().launch(job(local), k_deadline, patch)).answer;
  }
  void remember(const Local& local) {
    m_base = local.name();
    m_manifest = local.manifest();
  }
  /// Whether nothing that is being made lies about.
  [[nodiscard]] bool is_tidy() const {
    for (const auto& found : fs::directory_iterator(snapshot(""))) {
      if (found.path().filename().string().starts_with("tmp.")) return false;
    }
    for (const auto& found : fs::recursive_directory_iterator(project())) {
      if (found.path().filename().string().starts_with(".re-patch")) return false;
    }
    return true;
  }

 private:
  Remote m_remote;
  std::string m_base;
  std::string m_manifest;
};

enum class Times { exact, in_seconds };

/// All below a directory: kind, mode, time and content. A time that the test did not choose is not told.
std::map<std::string, std::string> listing(const fs::path& root, Times times = Times::exact) {
  constexpr time_t k_last_chosen_second = 1'600'000'000;
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const auto facts = facts_of(entry.path());
    auto& text = found[entry.path().string().substr(root.string().size())];
    if (entry.is_symlink()) {
      text = "-> " + fs::read_symlink(entry.path()).string();
      continue;
    }
    text = std::to_string(facts.st_mode);
    if (entry.is_directory()) continue;
    if (facts.st_mtim.tv_sec < k_last_chosen_second) {
      text += " " + std::to_string(facts.st_mtim.tv_sec);
      if (times == Times::exact) text += "." + std::to_string(facts.st_mtim.tv_nsec);
    }
    text += " " + sys::read_file(entry.path());
  }
  return found;
}

/// Changes a project at random.
class Editor {
 public:
  Editor(const Local& local, unsigned seed) : m_local(local), m_random(seed) {}

  void change() {
    for (std::size_t left = 1 + below(4); left > 0; --left) change_once();
  }

 private:
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(m_random);
  }
  // A text that was not there before. A file whose content stays, and only its time or mode changes, keeps
  // the old time or mode on the host when its snapshot has it already.
  std::string text() {
    std::string text = std::to_string(++m_texts) + "\n";
    const std::size_t size = below(40) == 0 ? 20'000 : below(200);
    for (std::size_t at = 0; at < size; ++at) text += static_cast<char>(1 + below(255));
    if (below(40) == 0) text += '\0';
    if (below(2) == 0) text += "'quoted' \"$HOME\" `x` \\\n\n";
    return text;
  }
  std::string path() {
    static const std::vector<std::string> k_names = {"a", "b.py",   "c d",   "-rf",   "#x", "st*r",
                                                     "é", "quo'te", "%41",   "e=f",   "z",  "~",
                                                     "d", "x ./y",  "$HOME", "\xff.", ".h", "l"};
    std::string path;
    for (std::size_t depth = below(3); depth > 0; --depth) path += "dir" + std::to_string(below(3)) + "/";
    path += k_names[below(k_names.size())];
    if (below(30) == 0) path += "\n\\";
    return path;
  }
  std::int64_t seconds() {
    constexpr std::int64_t k_in_the_future = 4'000'000'000;
    return below(5) == 0 ? k_in_the_future : static_cast<std::int64_t>(below(1'500'000'000));
  }
  unsigned mode() {
    constexpr unsigned k_modes[] = {0644, 0644, 0755, 0600, 0664, 0700, 0444, 02755};
    return k_modes[below(std::size(k_modes))];
  }
  std::string some_file() {
    std::vector<std::string> files;
    for (const auto& entry : m_local.entries()) {
      if (entry.link_target.empty()) files.push_back(entry.path);
    }
    return files.empty() ? path() : files[below(files.size())];
  }
  // A directory in its way gives way, and so does a file where a directory must be.
  void put(const std::string& path) {
    for (auto slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const auto parent = m_local.root() / path.substr(0, slash);
      if (!fs::is_directory(fs::symlink_status(parent))) {
        fs::remove(parent);
        fs::create_directory(parent);
        // By its name: a mode that changes alone is not sent.
        fs::permissions(parent, slash % 3 == 0 ? fs::perms{0750} : fs::perms{0755});
      }
    }
    if (fs::is_directory(fs::symlink_status(m_local.root() / path))) m_local.remove(path);
    fs::create_directories((m_local.root() / path).parent_path());
    fs::remove(m_local.root() / path);
    if (below(8) == 0) {
      m_local.write(path, "");
    } else {
      m_local.write(path, text(), mode(), seconds());
    }
  }
  void change_once() {
    const std::string chosen = some_file();
    switch (below(12)) {
      case 0:
        return m_local.remove(chosen);
      case 1:  // renamed
        if (!fs::exists(m_local.root() / chosen)) return;
        put("moved" + std::to_string(below(5)));
        return m_local.remove(chosen);
      case 2: {  // its x bit
        if (!fs::exists(m_local.root() / chosen)) return;
        const unsigned old = facts_of(m_local.root() / chosen).st_mode & 07777U;
        if (old != 0644 && old != 0755) return;  // twice, it would change other bits alone
        return fs::permissions(m_local.root() / chosen, fs::perms{old ^ 0111U});
      }
      case 3:  // a file becomes a directory
        if (chosen.find('\n') != std::string::npos) return;
        return put(chosen + "/inner");
      case 4:  // a directory becomes a file, where there is one
        return put("dir" + std::to_string(below(3)));
      case 5: {
        const std::string link = path();
        if (below(4) != 0 || fs::exists(fs::symlink_status(m_local.root() / link))) return;
        put(link);
        fs::remove(m_local.root() / link);
        return fs::create_symlink("a", m_local.root() / link);
      }
      case 6:
      case 7:
        return put(path());
      default:
        return put(chosen);
    }
  }

  const Local& m_local;
  std::mt19937 m_random;
  std::size_t m_texts = 0;
};

unsigned chosen_seed() {
  const std::string chosen = environment("RE_SEED");
  return chosen.empty() ? std::random_device()() : static_cast<unsigned>(std::stoul(chosen));
}

class PatchTest : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(JobHostTest, PatchTest, testing::ValuesIn(shells()),
                         [](const auto& test) { return test.param.substr(0, test.param.find(' ')); });

/// What stands in rsync's way is taken out of both: a directory that is a file now.
void clear_way(const Local& local, const Place& place) {
  for (const auto& entry : local.entries()) {
    const auto there = place.project() / entry.path;
    if (fs::is_directory(fs::symlink_status(there))) fs::remove_all(there);
  }
}

TEST_P(PatchTest, snapshots_and_the_project_are_as_rsync_would_have_made_them) {
  const unsigned seed = chosen_seed();
  std::printf("RE_SEED=%u\n", seed);
  constexpr int k_rounds = 30;
  // busybox's shell calls its own touch, which knows no fractions.
  const Times times = GetParam().starts_with("busybox") ? Times::in_seconds : Times::exact;
  const Local local;
  Editor editor(local, seed);
  Place plain;
  Place patched(GetParam());
  std::size_t patches = 0;
  std::size_t refused = 0;
  for (int round = 0; round < k_rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    editor.change();
    if (local.name() == patched.base()) continue;
    clear_way(local, plain);
    clear_way(local, patched);
    ASSERT_NO_FATAL_FAILURE(plain.bring(local));
    const auto patch = round == 0 ? std::nullopt : patched.plan(local);
    const bool is_there = fs::exists(patched.snapshot(local.name()));
    if (patch && patched.launch(local, &*patch) != Launch::need_snapshot) {
      patches += is_there ? 0U : 1U;
      patched.remember(local);
    } else {
      refused += patch ? 1U : 0U;
      ASSERT_NO_FATAL_FAILURE(patched.bring(local));
    }
    ASSERT_TRUE(patched.is_tidy());
    const auto name = local.name();
    ASSERT_EQ(sys::read_file(patched.snapshot(name) / "manifest"), local.manifest());
    ASSERT_EQ(listing(patched.snapshot(name), times), listing(plain.snapshot(name), times));
    if (is_there) continue;  // then neither way sends a file
    ASSERT_EQ(listing(patched.project(), times), listing(plain.project(), times));
    ASSERT_EQ(sys::read_file(patched.snapshot("latest.project-1")), name + "\n");
  }
  std::printf("%zu by patch, %zu patches refused\n", patches, refused);
  EXPECT_GT(patches, 0U);
  // No later one has written into an earlier one.
  for (const auto& found : fs::directory_iterator(plain.snapshot(""))) {
    if (!found.is_directory()) continue;
    const std::string name = found.path().filename();
    EXPECT_EQ(listing(patched.snapshot(name), times), listing(plain.snapshot(name), times)) << name;
  }
}

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
  EXPECT_EQ(plain.library.find("re_patch_tree"), std::string::npos);
  EXPECT_NE(launch_call(spec, "/bin/sh", "re_launch", &*patch).library.find("re_patch_tree"),
            std::string::npos);
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
  const auto call = launch_call(spec, "/bin/sh", "re_launch", &*patch);
  const auto script = place.remote().home() / "script";
  sys::write_file_atomic(script, remote::render_script(call.call(), "00112233"));
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
