// Root, file set, resolution, manifest and git state on real directories.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/project/file_set.hpp"
#include "re/project/git_state.hpp"
#include "re/project/manifest.hpp"
#include "re/project/resolve.hpp"
#include "re/project/root.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"
#include "unit/project/project_tree.hpp"

namespace {

namespace fs = std::filesystem;
using namespace re::project;
using re::project::testing_support::ProjectTree;
using re::project::testing_support::wait_for_next_tick;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Root = ProjectTree;

TEST_F(Root, is_found_from_below_and_through_links_and_is_nothing_elsewhere) {
  fs::create_directories(m_root / "a" / "b");
  fs::create_symlink(m_root / "a" / "b", m_scratch.path() / "link");
  EXPECT_EQ(find_root(m_root / "a" / "b"), fs::canonical(m_root));
  EXPECT_EQ(find_root(m_scratch.path() / "link"), fs::canonical(m_root));
  EXPECT_EQ(find_root(m_scratch.path()), std::nullopt);
  EXPECT_THROW(find_root(m_root / "missing"), re::Error);
}

TEST_F(Root, init_twice_changes_nothing) {
  const auto first = find_project(m_root);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->name, "my project");
  EXPECT_EQ(first->id.size(), 32U);
  write(".recompute/include", "assets/\n");
  const auto again = init_project(m_root);
  EXPECT_EQ(again.id, first->id);
  EXPECT_EQ(re::sys::read_file(again.file("include")), "assets/\n");
}

TEST_F(Root, a_malformed_id_is_an_error_and_a_missing_one_is_empty) {
  write(".recompute/id", "xyz\n");
  EXPECT_THROW(find_project(m_root), re::Error);
  fs::remove(m_root / ".recompute" / "id");
  EXPECT_EQ(find_project(m_root)->id, "");
}

using Files = ProjectTree;

TEST_F(Files, python_files_travel_and_what_is_ignored_hidden_or_an_environment_does_not) {
  for (const auto* path :
       {"a.py", "p/b.pyi", "n.ipynb", "requirements.txt", "notes.txt", "old/c.py", ".hidden/d.py", "v/e.py",
        "v/pyvenv.cfg", "__pycache__/f.py", "node_modules/g.py", "data/h.py", "build/i.py", "p/dist/j.py",
        "p/requirements.txt", ".git/hooks/k.py"}) {
    write(path);
  }
  write(".gitignore", "old/\n");
  write("p/.gitignore", "dist\n");
  EXPECT_THAT(collected(), ElementsAre("a.py", "build/i.py", "n.ipynb", "p/b.pyi", "requirements.txt"));
}

TEST_F(Files, include_reaches_everywhere_and_exclude_wins) {
  for (const auto* path :
       {"a.py", "b.py", "c.yaml", "data/big.bin", "data/labels.csv", "assets/x/y.png", "assets/x/z.tmp",
        "node_modules/q.yaml", "v/e.yaml", "v/pyvenv.cfg", ".github/w.yml"}) {
    write(path);
  }
  write(".recompute/include", "# comment\n\n*.yaml\n./data/labels.csv\nassets\n.github/w.yml\n");
  write(".recompute/exclude", "b.py\n*.tmp\n");
  EXPECT_THAT(collected(),
              ElementsAre(".github/w.yml", "a.py", "assets/x/y.png", "c.yaml", "data/labels.csv"));
}

TEST_F(Files, an_ignored_file_that_is_imported_travels_with_a_warning_unless_it_is_excluded) {
  write("a.py", "import generated, other\n");
  write("generated.py", "import deeper\n");
  write("deeper.py");
  write("other.py");
  write(".gitignore", "generated.py\ndeeper.py\nother.py\n");
  write(".recompute/exclude", "other.py\n");
  EXPECT_THAT(collected(), ElementsAre("a.py", "deeper.py", "generated.py"));
  EXPECT_THAT(collect_files(m_root).warnings,
              Contains(HasSubstr("generated.py is sent because it is imported")));
}

TEST_F(Files, patterns_of_the_repository_above_the_project_count) {
  ASSERT_TRUE(re::sys::run_captured({"git", "init", "-q", m_scratch.path()}).status.succeeded());
  std::ofstream(m_scratch.path() / ".gitignore") << "/my project/a.py\n*_gen.py\n";
  std::ofstream(m_scratch.path() / ".git/info/exclude") << "secret.py\n";
  for (const auto* path : {"a.py", "b.py", "b_gen.py", "secret.py"}) write(path);
  EXPECT_THAT(collected(), ElementsAre("b.py"));
}

TEST_F(Files, links_stay_links_inside_and_are_left_out_when_they_lead_away) {
  write("a.py");
  write("pkg/m.py");
  fs::create_symlink("a.py", m_root / "l.py");
  fs::create_symlink("pkg", m_root / "alias");
  fs::create_symlink("../outside", m_root / "out.py");
  fs::create_symlink("/etc/passwd", m_root / "abs.py");
  std::ofstream(m_scratch.path() / "outside") << "x";
  const auto set = collect_files(m_root);
  EXPECT_THAT(collected(), ElementsAre("a.py", "alias", "l.py", "pkg/m.py"));
  EXPECT_EQ(set.files.at(2).kind, FileKind::symlink);
  EXPECT_EQ(set.files.at(2).link_target, "a.py");
  EXPECT_THAT(set.warnings, Contains(HasSubstr("out.py is left out")));
  EXPECT_THAT(set.warnings, Contains(HasSubstr("abs.py is left out")));
}

TEST_F(Files, a_pipe_is_left_out_with_a_warning_and_strange_names_are_kept) {
  ASSERT_EQ(::mkfifo((m_root / "pipe.py").c_str(), 0600), 0);
  write("new\nline.py");
  write("\xff\xfe.py");
  EXPECT_THAT(collected(), ElementsAre("new\nline.py", "\xff\xfe.py"));
  EXPECT_THAT(collect_files(m_root).warnings, ElementsAre(HasSubstr("pipe.py is left out")));
}

TEST_F(Files, the_list_is_read_back_and_lists_of_recompute_py_too) {
  for (const auto* path : {"a b.py", "new\nline.py", "back\\slash.py", "\\ x.py"}) write(path);
  const auto set = collect_files(m_root);
  write_file_list(m_root, set);
  EXPECT_EQ(read_file_list(m_root), collected());
  EXPECT_THAT(parse_file_list("./x.py\n\ny/z.py\n"), ElementsAre("x.py", "y/z.py"));
  EXPECT_THROW(parse_file_list("../x\n"), re::Error);
  EXPECT_THROW(parse_file_list("/etc/passwd\n"), re::Error);
}

using Resolve = ProjectTree;

DependencyReport resolve(const fs::path& root, const std::vector<InstalledDistribution>& installed = {}) {
  std::vector<std::string> paths;
  for (const auto& file : collect_files(root).files) paths.push_back(file.path);
  return resolve_imports(root, scan_files(root, paths), installed);
}

std::vector<std::string> distributions(const DependencyReport& report) {
  std::vector<std::string> names;
  for (const auto& requirement : report.requirements)
    names.push_back(requirement.distribution + (requirement.optional ? "?" : ""));
  return names;
}

TEST_F(Resolve, imports_are_told_apart_into_project_library_and_distributions) {
  write(
      "train.py",
      "import os, sklearn.svm, utils, pkg.sub.m\nfrom pkg import n\nfrom ns import part\nimport cv2\n"
      "try:\n  import wandb\nexcept ImportError:\n  wandb = None\nif TYPE_CHECKING:\n  import types_only\n");
  write("utils.py", "import cv2, yaml\n");
  write("pkg/__init__.py", "from . import n\nfrom .missing import q\n");
  write("pkg/n.py", "from ..utils import x\nimport numpy\n");
  write("pkg/numpy.py");
  write("pkg/sub/__init__.py");
  write("pkg/sub/m.py");
  write("ns/part.py");
  const auto report = resolve(m_root);
  EXPECT_THAT(report.project_files, ElementsAre("ns/part.py", "pkg/__init__.py", "pkg/n.py",
                                                "pkg/sub/__init__.py", "pkg/sub/m.py", "utils.py"));
  EXPECT_THAT(distributions(report),
              ElementsAre("PyYAML", "numpy", "opencv-python", "scikit-learn", "wandb?"));
  EXPECT_THAT(report.unresolved, ElementsAre("pkg/__init__.py:2: no module .missing"));
}

TEST_F(Resolve, a_bare_directory_of_the_name_does_not_hide_a_distribution) {
  write("a.py", "import wandb\nfrom torch import nn\n");
  write("wandb/run.log");
  write("torch/readme");
  EXPECT_THAT(distributions(resolve(m_root)), ElementsAre("torch", "wandb"));
}

TEST_F(Resolve, metadata_of_the_environment_names_the_distribution_and_its_version) {
  write("a.py", "import foo, single, PIL\n");
  const std::string site = ".venv/lib/python3.11/site-packages/";
  write(".venv/pyvenv.cfg");
  write(site + "Foo_Bar-1.5.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: Foo-Bar\nVersion: 1.5\n\nName: no\n");
  write(site + "Foo_Bar-1.5.dist-info/RECORD",
        "foo/__init__.py,sha256=x,1\nFoo_Bar-1.5.dist-info/RECORD,,\n../../bin/foo,,\n");
  write(site + "single-2.egg-info", "Name: single\nVersion: 2\n");
  const auto sites = site_packages(m_root);
  if (std::getenv("VIRTUAL_ENV") != nullptr) GTEST_SKIP() << "a virtual environment is active";
  const auto report = resolve(m_root, read_installed(sites));
  EXPECT_EQ(format_requirements(report.requirements), "Foo-Bar==1.5\nPillow\nsingle==2\n");
}

TEST_F(Resolve, a_directory_without_init_that_two_files_import_from_is_the_projects_for_both) {
  write("space/mod.py");
  write("a.py", "from space import mod\n");
  write("b.py", "from space import mod\n");
  const auto report = resolve(m_root);
  EXPECT_THAT(report.project_files, ElementsAre("space/mod.py"));
  EXPECT_THAT(report.requirements, IsEmpty());
}

TEST_F(Resolve, the_standard_library_is_known) {
  for (const auto* name : {"os", "sys", "__future__", "distutils", "asyncore", "tomllib", "zoneinfo"}) {
    EXPECT_TRUE(is_standard_module(name)) << name;
  }
  EXPECT_FALSE(is_standard_module("numpy"));
}

using Contents = ProjectTree;

TEST_F(Contents, an_unchanged_project_hashes_nothing_and_a_change_gives_another_name) {
  write("a.py", "1");
  write("b.py", "2");
  wait_for_next_tick(m_scratch.path());
  const auto first = contents();
  EXPECT_EQ(first.hashed, 2U);
  const auto second = contents();
  EXPECT_EQ(second.hashed, 0U);
  EXPECT_EQ(serialize(second), serialize(first));
  write("b.py", "3");
  const auto third = contents();
  EXPECT_EQ(third.hashed, 1U);
  EXPECT_NE(snapshot_name(third), snapshot_name(first));
  EXPECT_EQ(snapshot_name(first).size(), 40U);
}

TEST_F(Contents, a_change_within_one_tick_of_the_clock_is_not_missed) {
  for (int round = 0; round < 100; ++round) {
    const std::string text = std::to_string(1000 + round);
    write("a.py", text);
    const auto manifest = contents();
    re::sys::write_file_atomic(m_scratch.path() / "copy", text);
    const auto sum = re::sys::run_captured({"sha256sum", m_scratch.path() / "copy"});
    ASSERT_EQ(manifest.entries.at(0).sha256, sum.output.substr(0, 64)) << "round " << round;
  }
}

TEST_F(Contents, the_form_is_the_documented_one_and_sha256sum_accepts_the_list) {
  write("run.py", "x\n");
  ::chmod((m_root / "run.py").c_str(), 0770);
  write("new\nline\\.py", "y\n");
  fs::create_symlink("run.py", m_root / "z.py");
  const auto manifest = contents();
  EXPECT_THAT(serialize(manifest), testing::StartsWith("re-manifest 1\nF 0644 2 "));
  EXPECT_THAT(serialize(manifest), HasSubstr(" new\\nline\\\\.py\n"));
  EXPECT_THAT(
      serialize(manifest),
      HasSubstr("F 0755 2 73cb3858a687a8494ca3323053016282f3dad39d42cf62ca4e79dda2aac7d9ac run.py\n"));
  EXPECT_THAT(serialize(manifest), HasSubstr("L z.py\trun.py\n"));
  std::ofstream(m_scratch.path() / "sums") << checksum_list(manifest);
  const auto check = re::sys::run_captured({"sh", "-c", "cd \"$1\" && exec sha256sum --strict -c \"$2\"",
                                            "sh", m_root, m_scratch.path() / "sums"});
  EXPECT_TRUE(check.status.succeeded()) << check.output << check.error;
}

TEST_F(Contents, a_file_that_changes_after_it_was_listed_is_a_conflict) {
  write("a.py", "1");
  const auto set = collect_files(m_root);
  write("a.py", "22");
  try {
    FileCache nothing;
    make_manifest(m_root, set, nothing);
    FAIL();
  } catch (const re::Error& error) {
    EXPECT_EQ(error.kind(), re::ErrorKind::conflict);
  }
}

using Git = ProjectTree;

TEST_F(Git, commit_and_diff_are_read) {
  EXPECT_FALSE(read_git_state(m_root).has_value());
  ASSERT_TRUE(git({"init", "-q", "-b", "trunk"}).status.succeeded());
  ASSERT_TRUE(read_git_state(m_root).has_value());
  EXPECT_EQ(read_git_state(m_root)->commit, "");
  write("a.py", "one\n");
  git({"add", "a.py"});
  git({"commit", "-q", "-m", "x"});
  write("a.py", "two\n");
  const auto state = read_git_state(m_root);
  ASSERT_TRUE(state);
  EXPECT_EQ(state->commit.size(), 40U);
  EXPECT_THAT(state->diff, HasSubstr("-one\n+two\n"));
  EXPECT_FALSE(state->diff_truncated);
}

TEST_F(Git, a_large_diff_is_cut) {
  git({"init", "-q"});
  write("a.py", "x\n");
  git({"add", "a.py"});
  git({"commit", "-q", "-m", "x"});
  std::string text;
  while (text.size() < 3U << 20U) text += "another line of text\n";
  write("a.py", text);
  const auto state = read_git_state(m_root);
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->diff_truncated);
  EXPECT_EQ(state->diff.size(), k_largest_git_diff);
}

TEST_F(Git, a_hostile_repository_runs_no_command) {
  git({"init", "-q"});
  write("a.py", "x\n");
  git({"add", "a.py"});
  git({"commit", "-q", "-m", "x"});
  const fs::path mark = m_scratch.path() / "owned";
  const std::string command = "touch " + mark.string() + "; cat";
  write(".gitattributes", "*.py filter=evil diff=evil\n*.txt filter=e=v.il\n");
  write("hook", "#!/bin/sh\n" + command + "\n");
  ::chmod((m_root / "hook").c_str(), 0755);
  for (const auto* key : {"filter.evil.clean", "filter.evil.process", "filter.evil.smudge",
                          "filter.e=v.il.clean", "diff.external", "diff.evil.command", "diff.evil.textconv",
                          "core.pager", "core.editor", "core.sshCommand"}) {
    ASSERT_TRUE(git({"config", key, command}).status.succeeded()) << key;
  }
  git({"config", "core.fsmonitor", m_root / "hook"});
  git({"config", "core.hooksPath", m_root});
  git({"config", "filter.evil.required", "true"});
  fs::copy(m_root / "hook", m_root / "post-index-change");
  write("a.py", "y\n");
  git({"-c", "core.fsmonitor=false", "-c", "diff.external=", "diff", "--no-ext-diff", "--no-textconv"});
  ASSERT_TRUE(fs::exists(mark)) << "the trap itself does not work";
  fs::remove(mark);
  write("a.py", "z\n");
  const auto state = read_git_state(m_root);
  EXPECT_FALSE(fs::exists(mark));
  ASSERT_TRUE(state);
  EXPECT_THAT(state->diff, HasSubstr("+z"));
}

TEST_F(Git, no_answer_by_the_deadline_is_no_state) {
  git({"init", "-q"});
  EXPECT_FALSE(read_git_state(m_root, std::chrono::milliseconds(0)).has_value());
}

}  // namespace
