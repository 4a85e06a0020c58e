// The scanner against CPython's own ast, over every Python file that this machine has.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "re/base/strings.hpp"
#include "re/project/imports.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Debian 12's libpython3.11-stdlib and libpython3.11-minimal have 630 modules without their tests.
constexpr std::size_t k_least_stdlib = 600;
constexpr const char* k_python = "/usr/bin/python3";

std::vector<std::string> python_files(const fs::path& root) {
  std::vector<std::string> files;
  std::error_code error;
  for (auto entry = fs::recursive_directory_iterator(root, error);
       entry != fs::recursive_directory_iterator(); ++entry) {
    if (entry->path().extension() == ".py" && entry->is_regular_file(error)) files.push_back(entry->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

json as_json(const re::project::Import& import) {
  return json::array(
      {import.module, import.names, import.level, import.line, import.guarded, import.type_checking});
}

json scan(const std::string& path) {
  json imports = json::array();
  for (const auto& import : re::project::scan_imports(re::sys::read_file(path)).imports)
    imports.push_back(as_json(import));
  return imports;
}

std::vector<json> ask_oracle(const std::vector<std::string>& files) {
  const re::sys::TemporaryDirectory scratch("re-oracle");
  const fs::path list = scratch.path() / "files";
  re::sys::write_file_atomic(list, re::join(files, "\n") + "\n");
  const std::string script = std::string(RE_SOURCE_DIR) + "/tests/unit/project/ast_imports.py";
  const auto answer = re::sys::run_captured({k_python, script, list});
  EXPECT_TRUE(answer.status.succeeded()) << answer.error;
  std::vector<json> lines;
  for (const auto line : re::split_lines(answer.output)) lines.push_back(json::parse(line));
  EXPECT_EQ(lines.size(), files.size());
  return lines;
}

// Returns how many files Python could parse, and reports each whose imports differ.
std::size_t compare(const std::vector<std::string>& files) {
  std::size_t parsed = 0;
  std::size_t imports = 0;
  for (const json& expected : ask_oracle(files)) {
    const std::string path = expected["path"];
    if (expected["imports"].is_null()) continue;
    ++parsed;
    imports += expected["imports"].size();
    const json found = scan(path);
    EXPECT_EQ(found, expected["imports"]) << path << "\n" << json::diff(expected["imports"], found).dump(1);
  }
  std::cout << parsed << " of " << files.size() << " files parsed by ast, " << imports << " imports\n";
  return parsed;
}

TEST(ImportOracle, every_module_of_the_standard_library_gives_the_imports_that_ast_finds) {
  if (!fs::exists(k_python)) GTEST_SKIP() << "no " << k_python;
  const auto where =
      re::sys::run_captured({k_python, "-c", "import os; print(os.path.dirname(os.__file__))"});
  const auto files = python_files(std::string(re::trim(where.output)));
  EXPECT_GE(compare(files), k_least_stdlib);
}

TEST(ImportOracle, every_installed_python_package_gives_the_imports_that_ast_finds) {
  const fs::path packages = "/usr/lib/python3/dist-packages";
  if (!fs::exists(packages)) GTEST_SKIP() << "no " << packages;
  compare(python_files(packages));
}

// RE_IMPORT_CORPUS=DIR adds a directory of one's own, such as another Python's standard library with its
// tests.
TEST(ImportOracle, every_file_of_a_corpus_named_in_the_environment_gives_the_imports_that_ast_finds) {
  const char* corpus = std::getenv("RE_IMPORT_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "RE_IMPORT_CORPUS is not set";
  EXPECT_GT(compare(python_files(corpus)), 0U);
}

}  // namespace
