// The files of a project that its files import, found as cheaply as a thousand of them want it.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "project/local_modules.hpp"
#include "re/project/imports.hpp"

namespace re::project {

/// The imports of a file as words with a blank between, as FileCache keeps them: "os", "..a.b",
/// "a.b:name,name". What imports say more is left out: it leads to no other file.
std::string import_words(const ImportScan& scan);

class ImportedFiles {
 public:
  explicit ImportedFiles(std::filesystem::path root) : m_modules(std::move(root)) {}

  /// \param file relative to the root
  /// \param words in the form of import_words(), from anywhere; they stay as long as this does
  void add(const std::string& file, std::string_view words);

  /// Relative to the root, sorted; those added are among them where they import one another.
  [[nodiscard]] const std::set<std::string>& files() const { return m_modules.files(); }

 private:
  void add_word(const std::string& file, std::string_view word);

  LocalModules m_modules;
  std::string m_directory;                       // of the last file
  std::unordered_set<std::string_view> m_words;  // that were looked up for files of that directory
};

}  // namespace re::project
