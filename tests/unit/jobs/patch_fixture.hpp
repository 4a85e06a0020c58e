// A client's project and a host's copy of it, for the tests of patches.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>
#include <optional>

#include "job_fixture.hpp"
#include "re/jobs/patch.hpp"

namespace re::jobs::test {

namespace fs = std::filesystem;
using Mode = SnapshotEntry::Mode;

inline struct stat facts_of(const fs::path& path) {
  struct stat facts{};
  EXPECT_EQ(::lstat(path.c_str(), &facts), 0) << path;
  return facts;
}

inline std::string sha256_of(const std::string& text) {
  static std::map<std::string, std::string> known;
  auto& sum = known[text];
  if (sum.empty()) {
    const sys::TemporaryDirectory scratch("re-sum");
    sys::write_file_atomic(scratch.path() / "text", text);
    sum = sys::run_captured({"sha256sum", scratch.path() / "text"}).output.substr(0, 64);
  }
  return sum;
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
    for (auto parent = (root() / path).parent_path();
         parent != root() && (!fs::exists(parent) || fs::is_empty(parent)); parent = parent.parent_path()) {
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
    return m_remote.await(m_remote.jobs().launch(job(local), k_deadline, {patch})).answer;
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
inline std::map<std::string, std::string> listing(const fs::path& root, Times times = Times::exact) {
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

}  // namespace re::jobs::test
