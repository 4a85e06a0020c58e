#include "project/imported_files.hpp"

#include <algorithm>

#include "re/base/strings.hpp"

namespace re::project {

namespace {

void append_word(std::string& words, const Import& import) {
  if (!words.empty()) words += ' ';
  words.append(import.level, '.').append(import.module);
  char separator = ':';
  for (const auto& name : import.names) {
    words.append(1, separator).append(name);
    separator = ',';
  }
}

Import parse_word(std::string_view word) {
  Import import;
  const auto level = std::min(word.find_first_not_of('.'), word.size());
  import.level = static_cast<unsigned>(level);
  const auto colon = word.find(':');
  import.module = word.substr(level, std::max(colon, level) - level);
  if (colon == std::string_view::npos) return import;
  for (const auto name : split(word.substr(colon + 1), ',')) import.names.emplace_back(name);
  return import;
}

std::string_view directory_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

// Whether the word may mean the file itself, which is then passed by: that differs from file to file.
bool may_be_own(std::string_view file, std::string_view word) {
  const auto directory = directory_of(file);
  auto name = file.substr(directory.empty() ? 0 : directory.size() + 1);
  name = name.substr(0, name.find('.'));
  if (name == "__init__") name = directory.substr(directory.rfind('/') + 1);
  return word.substr(0, word.find_first_of(".:")) == name;
}

}  // namespace

std::string import_words(const ImportScan& scan) {
  std::string words;
  for (const Import& import : scan.imports) append_word(words, import);
  for (const Import& import : scan.dynamic) append_word(words, import);
  return words;
}

void ImportedFiles::add(const std::string& file, std::string_view words) {
  if (words.empty()) return;
  if (const auto directory = directory_of(file); directory != m_directory) {
    m_directory = directory;
    m_words.clear();
  }
  while (!words.empty()) {
    const auto word = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(word.size() + 1, words.size()));
    if (!word.empty()) add_word(file, word);
  }
}

void ImportedFiles::add_word(const std::string& file, std::string_view word) {
  if (!may_be_own(file, word) && !m_words.insert(word).second) return;
  m_modules.add(file, parse_word(word));
}

}  // namespace re::project
