// A project in a directory of its own.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "re/project/file_cache.hpp"
#include "re/project/file_set.hpp"
#include "re/project/manifest.hpp"
#include "re/project/root.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"

namespace re::project::testing_support {

namespace fs = std::filesystem;

class ProjectTree : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(m_root);
    init_project(m_root);
  }
  void write(const std::string& path, std::string_view text = "") {
    fs::create_directories((m_root / path).parent_path());
    std::ofstream(m_root / path, std::ios::binary) << text;
  }
  [[nodiscard]] std::vector<std::string> collected() const {
    std::vector<std::string> paths;
    for (const auto& file : collect_files(m_root).files) paths.push_back(file.path);
    return paths;
  }
  [[nodiscard]] Manifest contents() const {
    FileCache cache(m_root, m_cache);
    const FileSet files = collect_files(m_root, cache);
    return make_manifest(m_root, files, cache);
  }
  re::sys::Captured git(std::vector<std::string> arguments) const {
    std::vector<std::string> all = {"git", "-C", m_root, "-c", "user.name=t", "-c", "user.email=t@t"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return re::sys::run_captured(all);
  }
  re::sys::TemporaryDirectory m_scratch{"re-project"};
  fs::path m_root = m_scratch.path() / "my project";
  fs::path m_cache = m_scratch.path() / "cache";
};

// Until the kernel's file clock has moved on, a fresh file is read again each time.
inline void wait_for_next_tick(const fs::path& directory) {
  const auto stamp = [&] {
    std::ofstream(directory / "tick") << "x";
    return fs::last_write_time(directory / "tick");
  };
  for (const auto begin = stamp(); stamp() <= begin + std::chrono::milliseconds(20);) {
  }
}

}  // namespace re::project::testing_support
