// What is installed here, by the metadata beside the packages (Core metadata; Recording installed projects,
// PyPA).
#include <algorithm>
#include <system_error>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/project/resolve.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"

namespace re::project {

namespace fs = std::filesystem;

namespace {

std::string read_or_empty(const fs::path& path) {
  try {
    return sys::read_file_if_exists(path).value_or("");
  } catch (const Error&) {
    return {};  // metadata that cannot be read is metadata that is not there
  }
}

// The headers of METADATA or PKG-INFO, up to the blank line.
void read_metadata(const std::string& text, InstalledDistribution& distribution) {
  for (const auto line : split_lines(text)) {
    if (line.empty()) return;
    if (line.starts_with("Name:")) distribution.name = trim(line.substr(5));
    if (line.starts_with("Version:")) distribution.version = trim(line.substr(8));
  }
}

void add_import(std::string_view name, InstalledDistribution& distribution) {
  if (!name.empty() && std::find(distribution.imports.begin(), distribution.imports.end(), name) ==
                           distribution.imports.end()) {
    distribution.imports.emplace_back(name);
  }
}

// RECORD: "numpy/__init__.py,sha256=…,…"; "six.py,…".
void read_record(const std::string& text, InstalledDistribution& distribution) {
  for (const auto line : split_lines(text)) {
    const auto path = line.substr(0, line.find(','));
    const auto slash = path.find('/');
    auto name = path.substr(0, slash);
    if (slash == std::string_view::npos) {
      if (!path.ends_with(".py") && !path.ends_with(".so")) continue;
      name = name.substr(0, name.find('.'));
    }
    if (name.find('.') == std::string_view::npos && name != "__pycache__") add_import(name, distribution);
  }
}

std::optional<InstalledDistribution> read_distribution(const fs::path& path) {
  std::error_code error;
  InstalledDistribution distribution;
  if (!fs::is_directory(path, error)) {
    read_metadata(read_or_empty(path), distribution);  // a distutils .egg-info is a PKG-INFO itself
  } else {
    const bool wheel = path.extension() == ".dist-info";
    read_metadata(read_or_empty(path / (wheel ? "METADATA" : "PKG-INFO")), distribution);
    const std::string top_level = read_or_empty(path / "top_level.txt");
    for (const auto line : split_lines(top_level)) {
      add_import(line.substr(0, line.find('/')), distribution);
    }
    if (distribution.imports.empty()) read_record(read_or_empty(path / "RECORD"), distribution);
  }
  if (distribution.name.empty()) return std::nullopt;
  if (distribution.imports.empty()) {
    add_import(replace_all(to_lower(distribution.name), "-", "_"), distribution);
  }
  return distribution;
}

// <prefix>/lib/python3.N/<leaf> for every N there is.
void add_libraries(const fs::path& prefix, const char* leaf, std::vector<fs::path>& found) {
  std::error_code error;
  std::vector<fs::path> versions;
  for (const auto& entry : fs::directory_iterator(prefix / "lib", error)) {
    if (entry.path().filename().string().starts_with("python3") &&
        fs::is_directory(entry.path() / leaf, error)) {
      versions.push_back(entry.path() / leaf);
    }
  }
  std::sort(versions.rbegin(), versions.rend());
  found.insert(found.end(), versions.begin(), versions.end());
}

// pyenv puts a script in the interpreter's place; the version it stands for is in $PYENV_ROOT/version.
fs::path prefix_of(const fs::path& python) {
  std::error_code error;
  if (python.parent_path().filename() == "shims") {
    const fs::path root = python.parent_path().parent_path();
    const std::string versions = read_or_empty(root / "version");
    const auto words = split_words(trim(versions).substr(0, trim(versions).find('\n')));
    return words.empty() ? root : root / "versions" / words.front();
  }
  // The directory that it was found in, not the one it links to: a virtual environment links to the system's
  // python.
  const fs::path prefix = python.parent_path().parent_path();
  return fs::exists(prefix / "pyvenv.cfg", error) ? prefix
                                                  : fs::canonical(python, error).parent_path().parent_path();
}

}  // namespace

std::vector<fs::path> site_packages(const fs::path& root) {
  const auto environment = sys::process_environment();
  std::vector<fs::path> found;
  std::error_code error;
  std::vector<fs::path> environments = {root / ".venv", root / "venv"};
  if (const auto active = environment("VIRTUAL_ENV")) environments.insert(environments.begin(), *active);
  for (const fs::path& candidate : environments) {
    if (!fs::exists(candidate / "pyvenv.cfg", error)) continue;
    add_libraries(candidate, "site-packages", found);
    return found;
  }
  if (const auto home = environment("HOME"))
    add_libraries(fs::path(*home) / ".local", "site-packages", found);
  const auto python = sys::find_program("python3", environment);
  if (!python) return found;
  const fs::path prefix = prefix_of(*python);
  add_libraries(prefix, "site-packages", found);
  if (prefix == "/usr") {  // Debian's layout
    add_libraries("/usr/local", "dist-packages", found);
    if (fs::is_directory("/usr/lib/python3/dist-packages", error))
      found.emplace_back("/usr/lib/python3/dist-packages");
  }
  return found;
}

std::vector<InstalledDistribution> read_installed(std::span<const fs::path> site_packages) {
  std::vector<InstalledDistribution> installed;
  for (const fs::path& directory : site_packages) {
    std::error_code error;
    std::vector<fs::path> entries;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
      const auto extension = entry.path().extension();
      if (extension == ".dist-info" || extension == ".egg-info") entries.push_back(entry.path());
    }
    std::sort(entries.begin(), entries.end());
    for (const fs::path& entry : entries) {
      if (auto distribution = read_distribution(entry)) installed.push_back(std::move(*distribution));
    }
  }
  return installed;
}

}  // namespace re::project
