// What imports find in the project itself.
#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>

#include "project/module_finder.hpp"
#include "re/project/imports.hpp"

namespace re::project {

/// Looks for a module beside the file that imports it (as Python does for a script), in the root, and in its
/// src/; modules, packages and namespace packages count. The files that imports lead to are gathered.
class LocalModules {
 public:
  explicit LocalModules(std::filesystem::path root) : m_finder(std::move(root)) {}

  enum class Verdict { local, elsewhere, no_module, leaves_project };
  /// Only a relative import can be no_module or leaves_project.
  /// \param file the importing one, relative to the root
  Verdict add(const std::string& file, const Import& import);

  /// Relative to the root, sorted.
  [[nodiscard]] const std::set<std::string>& files() const { return m_files; }

 private:
  Verdict add_relative(const std::string& file, const Import& import);
  Verdict add_absolute(const std::string& file, const Import& import);
  bool take(const std::string& self, const std::string& base, const Import& import,
            std::span<const std::string_view> parts, bool namespaces);
  bool take_names(const FoundModule& found, const Import& import);

  ModuleFinder m_finder;
  std::set<std::string> m_files;
};

}  // namespace re::project
