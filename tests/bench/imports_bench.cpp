// Files per second of the import scan, beside plain reading and beside CPython's ast, over the same files in
// the same run. README.md says what is measured and how to run it.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "project/source_reader.hpp"
#include "re/base/strings.hpp"
#include "re/project/resolve.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int k_rounds = 150;
constexpr std::size_t k_buffer = std::size_t{1} << 20U;
constexpr const char* k_python = "/usr/bin/python3";

constexpr const char* k_ast_scan = R"(
import ast, sys, time, warnings
warnings.simplefilter("ignore")
paths = open(sys.argv[1]).read().splitlines()
best = None
for _ in range(2):
    begin = time.perf_counter()
    for path in paths:
        with open(path, "rb") as source:
            text = source.read()
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            continue
        found = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    elapsed = time.perf_counter() - begin
    best = elapsed if best is None else min(best, elapsed)
print(len(paths) / best)
)";

// Paths relative to the root; sizes beyond the plain reader's buffer are left out of both.
std::vector<std::string> python_files(const fs::path& root) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() == ".py" && entry.is_regular_file() && entry.file_size() < k_buffer)
      files.push_back(entry.path().lexically_relative(root));
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::size_t read_plainly(const std::vector<std::string>& paths, std::vector<char>& buffer) {
  std::size_t bytes = 0;
  for (const auto& path : paths) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) continue;
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    ::close(fd);
    bytes += got < 0 ? 0U : static_cast<std::size_t>(got);
    benchmark::DoNotOptimize(buffer.data());
  }
  return bytes;
}

std::size_t scan(const fs::path& root, const std::vector<std::string>& files) {
  std::size_t imports = 0;
  re::project::SourceReader reader(root);
  for (const auto& file : files) imports += re::project::scan_imports(reader.read(file)).imports.size();
  return imports;
}

std::size_t scan_and_keep(const fs::path& root, const std::vector<std::string>& files) {
  std::size_t imports = 0;
  for (const auto& file : re::project::scan_files(root, files)) imports += file.scan.imports.size();
  return imports;
}

template <class Work>
double seconds(const Work& work) {
  const auto begin = Clock::now();
  benchmark::DoNotOptimize(work());
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double ast_files_per_second(const std::vector<std::string>& paths) {
  const re::sys::TemporaryDirectory scratch("re-bench");
  const fs::path list = scratch.path() / "files";
  re::sys::write_file_atomic(list, re::join(paths, "\n") + "\n");
  return std::strtod(re::sys::run_captured({k_python, "-c", k_ast_scan, list}).output.c_str(), nullptr);
}

bool measure(const fs::path& root) {
  const auto files = python_files(root);
  std::vector<std::string> paths;
  for (const auto& file : files) paths.push_back(root / file);
  std::vector<char> buffer(k_buffer);
  std::size_t bytes = 0;
  std::size_t imports = 0;
  double reading = 1e9;
  double scanning = 1e9;
  double keeping = 1e9;
  for (int round = 0; round < k_rounds; ++round) {
    reading = std::min(reading, seconds([&] { return bytes = read_plainly(paths, buffer); }));
    scanning = std::min(scanning, seconds([&] { return imports = scan(root, files); }));
    keeping = std::min(keeping, seconds([&] { return scan_and_keep(root, files); }));
  }
  const auto count = static_cast<double>(files.size());
  const double ast = ast_files_per_second(paths);
  std::printf("%s: %zu files, %.1f KiB each, %zu imports\n", root.c_str(), files.size(),
              static_cast<double>(bytes) / 1024 / count, imports);
  std::printf("plain reading   %10.0f files/s\n", count / reading);
  const auto print = [&](const char* name, double took) {
    std::printf("%-15s %10.0f files/s  %.2f of plain reading, %.0f times ast\n", name, count / took,
                reading / took, count / took / ast);
  };
  print("scan", scanning);
  print("scan, all kept", keeping);
  std::printf("python3 ast     %10.0f files/s\n", ast);
  return imports > 0 && ast > 0;
}

}  // namespace

int main(int count, char** arguments) {
  std::vector<std::string> roots(arguments + 1, arguments + count);
  if (roots.empty()) {
    const auto library =
        re::sys::run_captured({k_python, "-c", "import os; print(os.path.dirname(os.__file__))"});
    roots.emplace_back(re::trim(library.output));
  }
  bool measured = true;
  for (const auto& root : roots) measured = measure(root) && measured;
  return measured ? 0 : 1;
}
