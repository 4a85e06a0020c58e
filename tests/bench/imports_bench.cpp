// Files per second of the import scan, beside plain reading and beside CPython's ast, over one directory of
// Python files.
//
//   imports_bench [DIR [PYTHON]]      default: the standard library of /usr/bin/python3
//
// One core, warm cache: every measurement is the best of several rounds over the same files in the same run.
// Plain reading is open, fstat, read into a reused buffer, close; the scan is the same and scan_imports() on
// the buffer.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "re/base/strings.hpp"
#include "re/project/imports.hpp"
#include "re/sys/child.hpp"
#include "re/sys/fd.hpp"

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int k_rounds = 15;

constexpr const char* k_ast_scan = R"(
import ast, sys, time, warnings
warnings.simplefilter("ignore")
paths = sys.stdin.read().splitlines() if len(sys.argv) < 2 else open(sys.argv[1]).read().splitlines()
best = None
for _ in range(2):
    begin = time.perf_counter()
    for path in paths:
        with open(path, "rb") as source:
            text = source.read()
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        found = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    elapsed = time.perf_counter() - begin
    best = elapsed if best is None else min(best, elapsed)
print(len(paths) / best)
)";

std::vector<std::string> python_files(const fs::path& root) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() == ".py" && entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string_view read_into(const std::string& path, std::vector<char>& buffer) {
  const re::sys::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!fd.is_open() || ::fstat(fd.get(), &status) != 0) return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  if (buffer.size() < size) buffer.resize(size);
  const ssize_t got = ::read(fd.get(), buffer.data(), size);
  return {buffer.data(), got < 0 ? 0U : static_cast<std::size_t>(got)};
}

template <class Work>
double files_per_second(const std::vector<std::string>& files, const Work& work) {
  std::vector<char> buffer;
  double best = 0;
  for (int round = 0; round < k_rounds; ++round) {
    const auto begin = Clock::now();
    for (const auto& path : files) work(read_into(path, buffer));
    const std::chrono::duration<double> elapsed = Clock::now() - begin;
    best = std::max(best, static_cast<double>(files.size()) / elapsed.count());
  }
  return best;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string python = count > 2 ? arguments[2] : "/usr/bin/python3";
  const auto library =
      re::sys::run_captured({python, "-c", "import os; print(os.path.dirname(os.__file__))"});
  const std::string root = count > 1 ? arguments[1] : std::string(re::trim(library.output));
  const auto files = python_files(root);
  std::size_t bytes = 0;
  std::size_t imports = 0;
  const double reading = files_per_second(files, [&](std::string_view text) { bytes += text.size(); });
  const double scanning = files_per_second(
      files, [&](std::string_view text) { imports += re::project::scan_imports(text).imports.size(); });
  const std::string list = fs::temp_directory_path() / ("re-imports-bench." + std::to_string(::getpid()));
  if (std::FILE* out = std::fopen(list.c_str(), "w"); out != nullptr) {
    for (const auto& path : files) std::fprintf(out, "%s\n", path.c_str());
    std::fclose(out);
  }
  const auto answer = re::sys::run_captured({python, "-c", k_ast_scan, list});
  ::unlink(list.c_str());
  const double ast = std::strtod(answer.output.c_str(), nullptr);
  std::printf("%s: %zu files, %.1f KB each, %zu imports\n", root.c_str(), files.size(),
              static_cast<double>(bytes) / k_rounds / 1024 / static_cast<double>(files.size()),
              imports / k_rounds);
  std::printf("plain reading   %10.0f files/s\n", reading);
  std::printf("scan            %10.0f files/s  (%.2f of plain reading)\n", scanning, scanning / reading);
  std::printf("python ast scan %10.0f files/s  (the scan is %.0f times as fast)\n", ast, scanning / ast);
  return imports > 0 && ast > 0 ? 0 : 1;
}
