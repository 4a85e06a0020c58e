// What a Python file imports, found by reading it and never by running it.
//
// Rules: The Python Language Reference, sections 2 (lexical analysis) and 7.11 (the import statement); PEP
// 263 (source encodings), PEP 701 (f-strings that nest). Both f-string grammars, before and since
// Python 3.12, are read.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace re::project {

/// One `import MODULE`, or one `from MODULE import NAMES`.
struct Import {
  std::string module;              ///< "a.b"; empty in `from . import x`
  std::vector<std::string> names;  ///< what `from` takes, "*" included; empty for a plain import
  unsigned level = 0;              ///< leading dots
  std::size_t line = 1;            ///< where the statement begins, from 1; in a notebook within its cell
  std::size_t cell = 0;            ///< the notebook's cell, from 1; 0 in a plain file
  /// In the body or a handler of a `try` that catches ImportError (or a base of it): the program can do
  /// without.
  bool guarded = false;
  /// In the body of `if TYPE_CHECKING:`: never executed.
  bool type_checking = false;

  bool operator==(const Import&) const = default;
};

struct ImportScan {
  std::vector<Import> imports;  ///< in the order of the text
  /// importlib.import_module("a.b") and __import__("a.b") with a literal; a good guess, not a certainty.
  std::vector<Import> dynamic;
  /// Why nothing was read (an encoding that Python refuses too, a notebook that is no JSON); else empty.
  std::string problem;
};

/// Scans a module's bytes as they are in the file. Any bytes are accepted, in linear time; of text that
/// Python itself would refuse, the result is some list of imports.
ImportScan scan_imports(std::string_view source);

/// Scans the code cells of a Jupyter notebook (nbformat 3 or 4), leaving out magics (%), shell escapes (!),
/// help (?) and cells in other languages (%%bash). Any bytes are accepted.
ImportScan scan_notebook(std::string_view json);

}  // namespace re::project
