// In which blocks an import stands: `try … except ImportError`, `if TYPE_CHECKING`.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "project/python_lexer.hpp"
#include "re/project/imports.hpp"

namespace re::project {

/// An import and where in the text it was found.
struct FoundImport {
  Import import;
  std::size_t at = 0;
  bool dynamic = false;
};

/// Sets `guarded` and `type_checking` of the imports, which stand in the order of the text.
/// Reads forwards only from where a `try` or a test for TYPE_CHECKING may enclose an import to where it ends.
/// \param long_strings the strings that may span lines, in order, up to the last import
void resolve_contexts(std::string_view text, std::span<const Span> long_strings,
                      std::vector<FoundImport>& imports);

}  // namespace re::project
