#include "re/project/file_cache.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <utility>

#include "re/sys/file.hpp"
#include "unit/project/project_tree.hpp"

namespace {

namespace fs = std::filesystem;
using namespace re::project;
using re::project::testing_support::ProjectTree;
using re::project::testing_support::wait_for_next_tick;
using testing::ElementsAre;

// The files that travel, found with the cache and without.
class Cached : public ProjectTree {
 protected:
  std::vector<std::string> paths() {
    FileCache cache(m_root, m_cache);
    const FileSet files = collect_files(m_root, cache);
    make_manifest(m_root, files, cache);
    EXPECT_EQ(files.files, collect_files(m_root).files);
    std::vector<std::string> found;
    for (const auto& file : files.files) found.push_back(file.path);
    return found;
  }
  [[nodiscard]] FileEntry entry(const std::string& path) const {
    for (const auto& file : collect_files(m_root).files) {
      if (file.path == path) return file;
    }
    return {};
  }
  [[nodiscard]] fs::path cache_file() const { return fs::directory_iterator(m_cache)->path(); }
};

TEST_F(Cached, an_unchanged_file_is_not_read_again) {
  write("a.py", "import b\n");
  fs::create_symlink("a.py", m_root / "l.py");
  wait_for_next_tick(m_scratch.path());
  const auto first = contents();
  const auto saved = fs::last_write_time(cache_file());
  FileCache cache(m_root, m_cache);
  const FileSet files = collect_files(m_root, cache);
  EXPECT_EQ(cache.find_imports(entry("a.py")), "b");
  EXPECT_TRUE(cache.find_hash(entry("a.py")));
  EXPECT_EQ(cache.find_snapshot(files), first.snapshot);
  EXPECT_EQ(make_manifest(m_root, files, cache).entries, first.entries);
  EXPECT_EQ(fs::last_write_time(cache_file()), saved);
}

TEST_F(Cached, an_edit_changes_what_travels) {
  write(".gitignore", "gen_*.py\n");
  ASSERT_TRUE(git({"init", "-q"}).status.succeeded());
  for (const auto* path : {"gen_a.py", "gen_b.py"}) write(path);
  write("main.py", "import gen_a\n");
  EXPECT_THAT(paths(), ElementsAre("gen_a.py", "main.py"));
  write("main.py", "import gen_b\n");  // of the same size
  EXPECT_THAT(paths(), ElementsAre("gen_b.py", "main.py"));
  write("gen_b.py", "import gen_a\n");
  EXPECT_THAT(paths(), ElementsAre("gen_a.py", "gen_b.py", "main.py"));
  wait_for_next_tick(m_scratch.path());
  EXPECT_THAT(paths(), ElementsAre("gen_a.py", "gen_b.py", "main.py"));
  EXPECT_THAT(paths(), ElementsAre("gen_a.py", "gen_b.py", "main.py"));
  fs::remove(m_root / "gen_a.py");
  EXPECT_THAT(paths(), ElementsAre("gen_b.py", "main.py"));
}

TEST_F(Cached, a_file_whose_time_was_set_back_is_read_again) {
  write("a.py", "import os\n");
  wait_for_next_tick(m_scratch.path());
  const auto first = contents();
  const auto time = fs::last_write_time(m_root / "a.py");
  write("a.py", "import re\n");
  fs::last_write_time(m_root / "a.py", time);
  const auto second = contents();
  EXPECT_EQ(second.hashed, 1U);
  EXPECT_NE(second.snapshot, first.snapshot);
}

TEST_F(Cached, a_file_that_another_was_renamed_to_is_read_again) {
  write("a.py", "import os\n");
  write("aside", "import re\n");
  fs::last_write_time(m_root / "aside", fs::last_write_time(m_root / "a.py"));
  wait_for_next_tick(m_scratch.path());
  const auto first = contents();
  fs::rename(m_root / "aside", m_root / "a.py");
  const auto second = contents();
  EXPECT_EQ(second.hashed, 1U);
  EXPECT_NE(second.snapshot, first.snapshot);
}

TEST_F(Cached, a_mode_a_link_or_a_file_that_went_give_another_name_though_nothing_is_read) {
  write("a.py", "1");
  write("b.py", "2");
  fs::create_symlink("a.py", m_root / "l.py");
  wait_for_next_tick(m_scratch.path());
  auto last = contents().snapshot;
  const auto changes = [&] {
    const auto now = contents();
    EXPECT_EQ(now.snapshot, snapshot_name(now));
    return std::exchange(last, now.snapshot) != now.snapshot;
  };
  fs::remove(m_root / "l.py");
  fs::create_symlink("b.py", m_root / "l.py");
  EXPECT_TRUE(changes());
  ::chmod((m_root / "b.py").c_str(), 0755);
  EXPECT_TRUE(changes());
  fs::remove(m_root / "l.py");
  EXPECT_TRUE(changes());
  EXPECT_FALSE(changes());
}

TEST_F(Cached, a_cache_that_is_damaged_anywhere_is_an_empty_one) {
  write("a.py", "import b\n");
  wait_for_next_tick(m_scratch.path());
  const auto first = contents();
  const std::string sound = re::sys::read_file(cache_file());
  const auto is_believed = [&](const std::string& text) {
    std::ofstream(cache_file(), std::ios::binary) << text;
    const FileCache cache(m_root, m_cache);
    const auto file = entry("a.py");
    return cache.find_hash(file) || cache.find_imports(file) || cache.find_snapshot(collect_files(m_root));
  };
  ASSERT_TRUE(is_believed(sound));
  for (std::size_t at = 0; at < sound.size(); ++at) {
    std::string damaged = sound;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(is_believed(damaged)) << "byte " << at;
    EXPECT_FALSE(is_believed(sound.substr(0, at))) << "cut at " << at;
  }
  EXPECT_FALSE(is_believed(sound + "x"));
  EXPECT_EQ(contents().snapshot, first.snapshot);
}

}  // namespace
