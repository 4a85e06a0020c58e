#include "re/project/resolve.hpp"

#include <algorithm>
#include <map>

#include "project/local_modules.hpp"
#include "project/source_reader.hpp"
#include "re/base/error.hpp"
#include "re/base/strings.hpp"

namespace re::project {

namespace fs = std::filesystem;

namespace {

struct KnownDistribution {
  std::string_view import;
  std::string_view distribution;
};

constexpr KnownDistribution k_known[] = {
#include "project/known_distributions.inc"
};

constexpr std::string_view k_standard[] = {
#include "project/stdlib_modules.inc"
};

class Resolver {
 public:
  Resolver(const fs::path& root, std::span<const InstalledDistribution> installed) : m_modules(root) {
    for (const auto& distribution : installed) {
      for (const auto& name : distribution.imports) m_installed.emplace(name, &distribution);
    }
  }

  void add_file(const ScannedFile& file);
  DependencyReport report();

 private:
  void add(const ScannedFile& file, const Import& import, bool optional);
  void add_requirement(const ScannedFile& file, const Import& import, bool optional);
  [[nodiscard]] std::string distribution_of(const Import& import, std::optional<std::string>& version) const;
  static std::string place(const ScannedFile& file, const Import& import);

  LocalModules m_modules;
  std::multimap<std::string, const InstalledDistribution*, std::less<>> m_installed;
  std::map<std::string, Requirement> m_requirements;
  std::vector<std::string> m_unresolved;
};

std::string Resolver::place(const ScannedFile& file, const Import& import) {
  const std::string cell = import.cell > 0 ? " cell " + std::to_string(import.cell) : "";
  return file.path + cell + ":" + std::to_string(import.line) + ": ";
}

std::string Resolver::distribution_of(const Import& import, std::optional<std::string>& version) const {
  const std::string_view top = std::string_view(import.module).substr(0, import.module.find('.'));
  const auto [first, last] = m_installed.equal_range(top);
  if (first != last) {
    // A namespace such as google belongs to many: then the one named most like the import.
    const std::string dashed = replace_all(import.module, ".", "-");
    auto best = first;
    for (auto candidate = first; candidate != last; ++candidate) {
      if (dashed.starts_with(to_lower(candidate->second->name))) best = candidate;
    }
    if (!best->second->version.empty()) version = best->second->version;
    return best->second->name;
  }
  for (const auto& [name, distribution] : k_known) {
    const bool dotted = import.module.starts_with(std::string(name) + ".");
    if (name == top || name == import.module || dotted) return std::string(distribution);
  }
  return std::string(top);
}

void Resolver::add_requirement(const ScannedFile& file, const Import& import, bool optional) {
  std::optional<std::string> version;
  const std::string name = distribution_of(import, version);
  auto [entry, is_new] = m_requirements.try_emplace(name);
  Requirement& requirement = entry->second;
  if (is_new) {
    requirement.distribution = name;
    requirement.version = version;
    requirement.file = file.path;
    requirement.line = import.line;
    requirement.optional = true;
  }
  requirement.optional = requirement.optional && optional;
  const std::string top = import.module.substr(0, import.module.find('.'));
  const auto at = std::lower_bound(requirement.imports.begin(), requirement.imports.end(), top);
  if (at == requirement.imports.end() || *at != top) requirement.imports.insert(at, top);
}

void Resolver::add(const ScannedFile& file, const Import& import, bool optional) {
  switch (m_modules.add(file.path, import)) {
    case LocalModules::Verdict::local:
      break;
    case LocalModules::Verdict::elsewhere:
      if (!import.type_checking) add_requirement(file, import, optional);
      break;
    case LocalModules::Verdict::no_module:
      if (!import.guarded) {
        m_unresolved.push_back(place(file, import) + "no module " + std::string(import.level, '.') +
                               import.module);
      }
      break;
    case LocalModules::Verdict::leaves_project:
      m_unresolved.push_back(place(file, import) + "the relative import leaves the project");
      break;
  }
}

void Resolver::add_file(const ScannedFile& file) {
  if (!file.scan.problem.empty()) m_unresolved.push_back(file.path + ":1: " + file.scan.problem);
  for (const Import& import : file.scan.imports) add(file, import, import.guarded);
  for (const Import& import : file.scan.dynamic) add(file, import, true);
}

DependencyReport Resolver::report() {
  DependencyReport report;
  report.project_files.assign(m_modules.files().begin(), m_modules.files().end());
  for (auto& [name, requirement] : m_requirements) report.requirements.push_back(std::move(requirement));
  report.unresolved = std::move(m_unresolved);
  return report;
}

}  // namespace

bool is_standard_module(std::string_view top_level) {
  return std::binary_search(std::begin(k_standard), std::end(k_standard), top_level);
}

std::vector<ScannedFile> scan_files(const fs::path& root, std::span<const std::string> paths) {
  std::vector<ScannedFile> files;
  files.reserve(paths.size());
  SourceReader reader(root);
  for (const auto& path : paths) {
    const bool notebook = path.ends_with(".ipynb");
    if (!notebook && !path.ends_with(".py") && !path.ends_with(".pyi")) continue;
    ScannedFile file{path, {}};
    try {
      const std::string_view text = reader.read(path);
      file.scan = notebook ? scan_notebook(text) : scan_imports(text);
    } catch (const Error& error) {
      file.scan.problem = error.message();
    }
    files.push_back(std::move(file));
  }
  return files;
}

std::vector<ScannedFile> scan_files(const fs::path& root, const FileSet& files) {
  std::vector<std::string> paths;
  paths.reserve(files.files.size());
  for (const auto& file : files.files) paths.push_back(file.path);
  return scan_files(root, paths);
}

DependencyReport resolve_imports(const fs::path& root, std::span<const ScannedFile> files,
                                 std::span<const InstalledDistribution> installed) {
  Resolver resolver(root, installed);
  for (const ScannedFile& file : files) resolver.add_file(file);
  return resolver.report();
}

std::string format_requirements(std::span<const Requirement> requirements) {
  std::string text;
  for (const Requirement& requirement : requirements) {
    text += requirement.distribution;
    if (requirement.version) text += "==" + *requirement.version;
    text += '\n';
  }
  return text;
}

}  // namespace re::project
