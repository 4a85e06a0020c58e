#include "re/project/resolve.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "project/module_finder.hpp"
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

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

class Resolver {
 public:
  Resolver(const fs::path& root, std::span<const InstalledDistribution> installed) : m_finder(root) {
    for (const auto& distribution : installed) {
      for (const auto& name : distribution.imports) m_installed.emplace(name, &distribution);
    }
  }

  void add_file(const ScannedFile& file);
  DependencyReport report();

 private:
  void add(const ScannedFile& file, const Import& import, bool optional);
  void add_relative(const ScannedFile& file, const Import& import);
  bool add_local(const ScannedFile& file, const Import& import, std::span<const std::string_view> parts);
  bool take(const std::string& self, const std::string& base, const Import& import,
            std::span<const std::string_view> parts, bool namespaces);
  void take_names(const FoundModule& found, const Import& import);
  void add_requirement(const ScannedFile& file, const Import& import, bool optional);
  [[nodiscard]] std::string distribution_of(const Import& import, std::optional<std::string>& version) const;
  static std::string place(const ScannedFile& file, const Import& import);

  ModuleFinder m_finder;
  std::multimap<std::string, const InstalledDistribution*, std::less<>> m_installed;
  std::set<std::string> m_files;
  std::map<std::string, Requirement> m_requirements;
  std::vector<std::string> m_unresolved;
};

std::string Resolver::place(const ScannedFile& file, const Import& import) {
  const std::string cell = import.cell > 0 ? " cell " + std::to_string(import.cell) : "";
  return file.path + cell + ":" + std::to_string(import.line) + ": ";
}

// `from a import b` may take a module b of the package a.
void Resolver::take_names(const FoundModule& found, const Import& import) {
  if (!found.directory) return;
  for (const auto& name : import.names) {
    const std::string_view part = name;
    const FoundModule below = m_finder.find(*found.directory, {&part, 1});
    m_files.insert(below.files.begin(), below.files.end());
  }
}

// Whether the name is the project's when looked for below `base`. A bare directory counts only when the
// import leads to a file in it: Python too prefers a regular package elsewhere.
bool Resolver::take(const std::string& self, const std::string& base, const Import& import,
                    std::span<const std::string_view> parts, bool namespaces) {
  const FoundModule found = m_finder.find(base, parts);
  if (found.depth == 0 || (!found.files.empty() && found.files.back() == self && found.depth == 1))
    return false;
  if (!found.regular) {
    if (!namespaces) return false;
    const std::size_t before = m_files.size();
    const bool leads = !found.files.empty() || (take_names(found, import), m_files.size() > before);
    if (!leads) return false;
  }
  m_files.insert(found.files.begin(), found.files.end());
  if (found.depth == parts.size()) take_names(found, import);
  return true;
}

bool Resolver::add_local(const ScannedFile& file, const Import& import,
                         std::span<const std::string_view> parts) {
  std::vector<std::string> bases;
  const std::string beside = parent_of(file.path);
  if (!beside.empty() && !m_finder.is_package(beside)) bases.push_back(beside);
  bases.emplace_back();
  bases.emplace_back("src");
  const auto in = [&](bool namespaces) {
    return std::any_of(bases.begin(), bases.end(), [&](const std::string& base) {
      return take(file.path, base, import, parts, namespaces);
    });
  };
  if (in(false)) return true;
  if (is_standard_module(parts.front())) return true;
  return in(true);
}

void Resolver::add_relative(const ScannedFile& file, const Import& import) {
  std::string base = parent_of(file.path);
  for (unsigned level = 1; level < import.level; ++level) {
    if (base.empty()) {
      m_unresolved.push_back(place(file, import) + "the relative import leaves the project");
      return;
    }
    base = parent_of(base);
  }
  FoundModule found;
  if (import.module.empty()) {
    found.directory = base;
  } else {
    const auto parts = split(import.module, '.');
    found = m_finder.find(base, parts);
    if (found.depth < parts.size() && !import.guarded) {
      m_unresolved.push_back(place(file, import) + "no module " + std::string(import.level, '.') +
                             import.module);
    }
  }
  m_files.insert(found.files.begin(), found.files.end());
  take_names(found, import);
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
  if (import.level > 0) {
    add_relative(file, import);
    return;
  }
  const auto parts = split(import.module, '.');
  if (add_local(file, import, parts) || import.type_checking) return;
  add_requirement(file, import, optional);
}

void Resolver::add_file(const ScannedFile& file) {
  if (!file.scan.problem.empty()) m_unresolved.push_back(file.path + ":1: " + file.scan.problem);
  for (const Import& import : file.scan.imports) add(file, import, import.guarded);
  for (const Import& import : file.scan.dynamic) add(file, import, true);
}

DependencyReport Resolver::report() {
  DependencyReport report;
  report.project_files.assign(m_files.begin(), m_files.end());
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
