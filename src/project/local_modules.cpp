#include "project/local_modules.hpp"

#include <algorithm>
#include <vector>

#include "re/base/strings.hpp"
#include "re/project/resolve.hpp"

namespace re::project {

namespace {

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

}  // namespace

// `from a import b` may take a module b of the package a. Whether any does.
bool LocalModules::take_names(const FoundModule& found, const Import& import) {
  bool leads = false;
  if (!found.directory) return leads;
  for (const auto& name : import.names) {
    const std::string_view part = name;
    const FoundModule below = m_finder.find(*found.directory, {&part, 1});
    leads = leads || !below.files.empty();
    m_files.insert(below.files.begin(), below.files.end());
  }
  return leads;
}

// Whether the name is the project's when looked for below `base`. A bare directory counts only when the
// import leads to a file in it: Python too prefers a regular package elsewhere.
bool LocalModules::take(const std::string& self, const std::string& base, const Import& import,
                        std::span<const std::string_view> parts, bool namespaces) {
  const FoundModule found = m_finder.find(base, parts);
  if (found.depth == 0 || (!found.files.empty() && found.files.back() == self && found.depth == 1))
    return false;
  if (!found.regular) {
    if (!namespaces) return false;
    if (found.files.empty() && !take_names(found, import)) return false;
  }
  m_files.insert(found.files.begin(), found.files.end());
  if (found.depth == parts.size()) take_names(found, import);
  return true;
}

LocalModules::Verdict LocalModules::add_absolute(const std::string& file, const Import& import) {
  const auto parts = split(import.module, '.');
  std::vector<std::string> bases;
  const std::string beside = parent_of(file);
  if (!beside.empty() && !m_finder.is_package(beside)) bases.push_back(beside);
  bases.emplace_back();
  bases.emplace_back("src");
  const auto in = [&](bool namespaces) {
    return std::any_of(bases.begin(), bases.end(),
                       [&](const std::string& base) { return take(file, base, import, parts, namespaces); });
  };
  const bool is_known = in(false) || is_standard_module(parts.front()) || in(true);
  return is_known ? Verdict::local : Verdict::elsewhere;
}

LocalModules::Verdict LocalModules::add_relative(const std::string& file, const Import& import) {
  std::string base = parent_of(file);
  for (unsigned level = 1; level < import.level; ++level) {
    if (base.empty()) return Verdict::leaves_project;
    base = parent_of(base);
  }
  FoundModule found;
  bool is_whole = true;
  if (import.module.empty()) {
    found.directory = base;
  } else {
    const auto parts = split(import.module, '.');
    found = m_finder.find(base, parts);
    is_whole = found.depth == parts.size();
  }
  m_files.insert(found.files.begin(), found.files.end());
  take_names(found, import);
  return is_whole ? Verdict::local : Verdict::no_module;
}

LocalModules::Verdict LocalModules::add(const std::string& file, const Import& import) {
  return import.level > 0 ? add_relative(file, import) : add_absolute(file, import);
}

}  // namespace re::project
