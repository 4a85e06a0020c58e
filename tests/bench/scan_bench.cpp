// What a launch does before it asks the host: finding a project's files, their imports and their hashes.
#include <benchmark/benchmark.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "re/project/file_cache.hpp"
#include "re/project/file_set.hpp"
#include "re/project/manifest.hpp"
#include "re/project/root.hpp"
#include "re/sys/file.hpp"

namespace {

namespace fs = std::filesystem;
using namespace re::project;

constexpr int k_files = 1000;
constexpr int k_in_a_directory = 50;

/// A project of a thousand modules that import one another and what others do.
class Thousand {
 public:
  Thousand() {
    fs::create_directory(m_root);
    init_project(m_root);
    std::ofstream(m_root / ".gitignore") << "*.py[cod]\n*.log\nbuild/\n/dist/\n**/cache/\n!keep.log\n";
    fs::create_directory(m_root / ".git");
    for (int i = 0; i < k_files; ++i) {
      const fs::path directory = m_root / ("package" + std::to_string(i / k_in_a_directory));
      fs::create_directory(directory);
      const int other = (i * 7 + 1) % k_files;
      std::ofstream(directory / ("module" + std::to_string(i) + ".py"))
          << "import os\nimport numpy as np\nfrom package" << other / k_in_a_directory << " import module"
          << other << "\nfrom torch.utils import data, checkpoint\n\n\ndef work():\n    return np.zeros(" << i
          << ")\n";
    }
    // What was written in this tick of the kernel's file clock would be read again each time.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    contents();
  }
  Manifest contents() const {
    FileCache cache(m_root, m_cache);
    const FileSet files = collect_files(m_root, cache);
    return make_manifest(m_root, files, cache);
  }
  void forget() const { fs::remove_all(m_cache); }

 private:
  re::sys::TemporaryDirectory m_scratch{"re-scan-bench"};
  fs::path m_root = m_scratch.path() / "project";
  fs::path m_cache = m_scratch.path() / "cache";
};

void unchanged(benchmark::State& state) {
  const Thousand project;
  for (auto _ : state) {
    if (project.contents().hashed != 0) state.SkipWithError("a file was read");
  }
  state.SetItemsProcessed(state.iterations() * k_files);
}

void without_cache(benchmark::State& state) {
  const Thousand project;
  for (auto _ : state) {
    project.forget();
    benchmark::DoNotOptimize(project.contents());
  }
  state.SetItemsProcessed(state.iterations() * k_files);
}

BENCHMARK(unchanged)->Unit(benchmark::kMillisecond);
BENCHMARK(without_cache)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
