// INI text to sections and entries. The grammar is the part of Python's configparser (3.11, its defaults)
// that recompute.py's files use; what is outside of it is an error with its line.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace re::config {

struct IniSection {
  std::string name;  ///< between the brackets, trimmed
  std::size_t line;
};

struct IniEntry {
  std::size_t section;     ///< place in IniDocument::sections
  std::string key;         ///< lower case, as configparser has it
  std::string_view value;  ///< into the text, trimmed, whole
  std::size_t line;
};

struct IniDocument {
  std::vector<IniSection> sections;  ///< also those without entries
  std::vector<IniEntry> entries;     ///< in the file's order
  /// The last line, if it has no line end: its value may have been cut.
  std::optional<std::size_t> unterminated_line;
};

/// \param text must outlive the result
/// \param file for messages
/// Throws Error (config). No value is ever part of a message: it could be a password.
IniDocument parse_ini(std::string_view text, std::string_view file);

}  // namespace re::config
