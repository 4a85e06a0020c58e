// What a project's imports mean: its own files, the standard library, or distributions to install.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "re/project/file_set.hpp"
#include "re/project/imports.hpp"

namespace re::project {

/// A distribution (what pip installs) that the project imports.
struct Requirement {
  std::string distribution;            ///< "scikit-learn"
  std::optional<std::string> version;  ///< the one installed here, when that is known
  std::vector<std::string> imports;    ///< the top-level names that led to it, sorted
  std::string file;                    ///< where the first import stands
  std::size_t line = 0;
  bool optional = false;  ///< every import of it is guarded

  bool operator==(const Requirement&) const = default;
};

struct DependencyReport {
  std::vector<std::string> project_files;  ///< that imports resolve to, relative to the root, sorted
  std::vector<Requirement> requirements;   ///< sorted by distribution
  std::vector<std::string> unresolved;     ///< "file:line: what", such as a relative import of nothing
};

/// A scanned file of the project.
struct ScannedFile {
  std::string path;  ///< relative to the root
  ImportScan scan;
};

/// Which distributions are installed here, read from their metadata (top_level.txt, RECORD, METADATA),
/// without running Python.
struct InstalledDistribution {
  std::string name;
  std::string version;
  std::vector<std::string> imports;  ///< its top-level names
};

/// The site-packages of the environment that a project would use here: $VIRTUAL_ENV, else <root>/.venv or
/// venv, else the python3 on PATH.
std::vector<std::filesystem::path> site_packages(const std::filesystem::path& root);
std::vector<InstalledDistribution> read_installed(std::span<const std::filesystem::path> site_packages);

/// True for a top-level name of the standard library of CPython 3.8 to 3.13.
bool is_standard_module(std::string_view top_level);

/// Scans every file that ends in .py, .pyi or .ipynb. What cannot be read gives a scan with a problem.
std::vector<ScannedFile> scan_files(const std::filesystem::path& root, std::span<const std::string> paths);
/// All files of a project.
std::vector<ScannedFile> scan_files(const std::filesystem::path& root, const FileSet& files);

/// Resolves all imports. A module is looked for beside the file that imports it (as Python does for a
/// script), in the root, and in its src/; modules, packages and namespace packages count. Imports for type
/// checking need no distribution.
DependencyReport resolve_imports(const std::filesystem::path& root, std::span<const ScannedFile> files,
                                 std::span<const InstalledDistribution> installed);

/// Lines for requirements.txt, without a version where none is known: "numpy==1.24.2\n".
std::string format_requirements(std::span<const Requirement> requirements);

}  // namespace re::project
