#include "re/project/imports.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "re/base/strings.hpp"
#include "re/sys/file.hpp"

namespace {

using re::project::Import;
using re::project::scan_imports;
using re::project::scan_notebook;

// "line:module(names)" with dots for the level, "?" for guarded, "T" for type checking.
std::string shown(const std::vector<Import>& imports) {
  std::vector<std::string> parts;
  for (const Import& import : imports) {
    std::string text = std::to_string(import.line) + ":" + std::string(import.level, '.') + import.module;
    if (!import.names.empty()) text += "(" + re::join(import.names, ",") + ")";
    parts.push_back(text + (import.guarded ? "?" : "") + (import.type_checking ? "T" : ""));
  }
  return re::join(parts, " ");
}
std::string scan(std::string_view source) {
  return shown(scan_imports(source).imports);
}

TEST(Imports, every_spelling_of_the_statement_is_read) {
  EXPECT_EQ(
      scan("import a.b as c, d\nfrom . import x\nfrom .a.b import (x as y, # c\n  z,)\nfrom ...q import *"),
      "1:a.b 1:d 2:.(x) 3:.a.b(x,z) 5:...q(*)");
  EXPECT_EQ(scan("from.a import b\nfrom . a . b import c\nimport a . b"), "1:.a(b) 2:.a.b(c) 3:a.b");
  EXPECT_EQ(scan("from \\\n a \\\n import \\\n b\nimport c"), "1:a(b) 5:c");
}

TEST(Imports, one_line_compound_statements_and_semicolons_hold_imports) {
  EXPECT_EQ(scan("x=1;import a;from b import c\nif x: import d\nclass A: import e\ntry: import f\nexcept "
                 "ImportError: import g"),
            "1:a 1:b(c) 2:d 3:e 4:f? 5:g?");
}

TEST(Imports, strings_and_comments_hold_none) {
  EXPECT_EQ(scan("'''\nimport a\n'''\n\"\\\nimport b\\\n\"\n# import c\nr'\\\\'; x='''import d'''\nimport e"),
            "9:e");
  EXPECT_EQ(scan("x = rb'''\nimport a''' \"\"\"'''\nimport b\"\"\"\nimport c"), "4:c");
  EXPECT_EQ(scan("x = '\\\\'\nimport a\ny = 'it''s'\nimport b"), "2:a 4:b");
}

TEST(Imports, formatted_strings_nest_as_since_python_3_12) {
  EXPECT_EQ(scan("x = f'{d['a']}'\nimport a\ny = f\"{f\"{f\"{1}\"}\"}\"\nimport b"), "2:a 4:b");
  EXPECT_EQ(scan("x = f'''{\nx['''\nimport no\n''']\n}'''\nimport a"), "6:a");
  EXPECT_EQ(scan("x = f'{{' f'{x!r:>{w}}' f'\\N{DASH}' rf'\\{x}'\nimport a"), "2:a");
  EXPECT_EQ(scan("if x:y=1 if\"f\"else'r'\nimport a"), "2:a");
}

TEST(Imports, words_that_only_look_like_the_keyword_are_left) {
  EXPECT_EQ(
      scan("importx = 1\nreimport = 2\nx.important\nfrom_ = 3\nyield_from = 4\ndef f():\n  yield from g\n"),
      "");
}

TEST(Imports, line_ends_form_feeds_and_a_mark_are_what_they_are_to_python) {
  EXPECT_EQ(scan("\xef\xbb\xbfimport a\r\nimport b\rimport c\n\fimport d"), "1:a 2:b 3:c 4:d");
}

TEST(Imports, the_guard_is_the_try_that_catches_the_error) {
  EXPECT_EQ(scan("try:\n  import a\nexcept (OSError,  # with: a colon\n        ImportError):\n  import "
                 "b\nelse:\n  import c\n"
                 "finally:\n  import d\nimport e"),
            "2:a? 5:b? 7:c 9:d 10:e");
  EXPECT_EQ(scan("try:\n  import a\nexcept OSError:\n  pass\n"), "2:a");
  EXPECT_EQ(scan("try:\n  def f():\n    import a\nexcept: pass\n"), "3:a");
  EXPECT_EQ(scan("def f():\n try:\n  x = (\n1)\n  import a\n except Exception as e: pass\n"), "5:a?");
}

TEST(Imports, type_checking_is_seen_in_its_own_branch_only) {
  EXPECT_EQ(scan("if TYPE_CHECKING:\n  import a\nelse:\n  import b\nif typing.TYPE_CHECKING:\n  import c\n"
                 "if (TYPE_CHECKING):\n  import d\nif not TYPE_CHECKING:\n  import e\n"),
            "2:aT 4:b 6:cT 8:dT 10:e");
}

TEST(Imports, blocks_are_told_apart_where_reading_begins_between_them) {
  EXPECT_EQ(
      scan("class A:\n  def f():\n    try:\n      import a\n    except ImportError: pass\n    import b\n"
           "    try:\n      import c\n    finally: pass\n  import d\n"),
      "4:a? 6:b 8:c 10:d");
  EXPECT_EQ(scan("def f():\n\ttry:\n\t\timport a\n\texcept: pass\n\timport b\n"), "3:a? 5:b");
  EXPECT_EQ(scan("if x:\n  import a\nelif TYPE_CHECKING:\n      import b\nelse:\n  import c\n"),
            "2:a 4:bT 6:c");
  EXPECT_EQ(scan("def f():\n  if (a):\n    import b\n  if (TYPE_CHECKING):\n    import c\n  import d\n"),
            "3:b 5:cT 6:d");
  EXPECT_EQ(scan("try:\n  x = [\n1]; import a\nexcept ImportError:\n  return 1\n  import b\n"), "3:a? 6:b?");
  EXPECT_EQ(scan("try:\n  s = '''\ndef f():\n'''\n  import a\nexcept ImportError: pass\n"), "5:a?");
}

TEST(Imports, dynamic_imports_with_a_literal_are_listed_apart) {
  const auto found = scan_imports(
      "m = importlib.import_module('a.b')\n__import__(\"c\")\nimport_module(name)\n# import_module('d')\n"
      "x = '__import__(\"e\")'\nimport_module('.f', package=p)\nimport_module('g' + h)\n");
  EXPECT_EQ(shown(found.dynamic), "1:a.b 2:c 6:.f");
  EXPECT_TRUE(found.imports.empty());
}

TEST(Imports, the_declared_encoding_is_decoded_or_refused) {
  // In Shift JIS the second byte of this character is a backslash: read as ASCII it would escape the quote.
  EXPECT_EQ(scan("# -*- coding: shift_jis -*-\nx = '\x95\x5c'\nimport a\n"), "3:a");
  EXPECT_EQ(scan("#!/bin/python\n# vim: set fileencoding=latin-1 :\nx = '\xe9'\nimport a\n"), "4:a");
  EXPECT_NE(scan_imports("# coding: utf-16\nimport a\n").problem, "");
  EXPECT_NE(scan_imports("# coding: no-such-thing\nx = '\xe9'\nimport a\n").problem, "");
  EXPECT_NE(scan_imports("\xef\xbb\xbf# coding: latin-1\nimport a\n").problem, "");
}

TEST(Imports, one_in_no_statement_is_passed_over) {
  EXPECT_EQ(scan_imports("\\'''b\n#'''__import__('x')").dynamic.size(), 1U);
  EXPECT_EQ(scan_imports("\\'''b\r#'''__import__('x')").problem, "");
}

TEST(Imports, any_bytes_are_taken_in_linear_time) {
  const unsigned seed = std::random_device{}();
  std::cout << "seed " << seed << "\n" << std::flush;  // of one that hangs, too
  std::mt19937 engine(seed);
  static const std::vector<std::string> k_pieces = {"import",
                                                    " ",
                                                    "\n",
                                                    "'",
                                                    "\"",
                                                    "'''",
                                                    "\"\"\"",
                                                    "f'",
                                                    "f\"\"\"",
                                                    "{",
                                                    "}",
                                                    "(",
                                                    ")",
                                                    "\\",
                                                    "#",
                                                    "from",
                                                    ".",
                                                    ",",
                                                    "try:",
                                                    "except ImportError:",
                                                    "if TYPE_CHECKING:",
                                                    "else:",
                                                    "def f():",
                                                    "a",
                                                    "\t",
                                                    "\f",
                                                    "\r",
                                                    std::string(1, '\0'),
                                                    "\xff",
                                                    ";",
                                                    ":",
                                                    "*",
                                                    "as",
                                                    "__import__('x')",
                                                    "import_module(",
                                                    "# coding: latin-1",
                                                    "[",
                                                    "]",
                                                    "rb'",
                                                    "\\N{",
                                                    "lambda",
                                                    "class A:"};
  for (int round = 0; round < 20000; ++round) {
    std::string source;
    for (std::size_t count = engine() % 60; count > 0; --count)
      source += k_pieces[engine() % k_pieces.size()];
    scan_imports(source);
    scan_notebook(R"({"cells":[{"cell_type":"code","source":")" + source + "\"}]}");
  }
  for (const auto& piece : k_pieces) {
    std::string source;
    while (source.size() < 300'000) source += piece;
    scan_imports(source);
    scan_imports("import a\n" + source + "\nimport b\n    import c\n");
  }
  std::string nested;
  for (int i = 0; i < 50'000; ++i) nested += "f'{";
  EXPECT_EQ(scan(nested + "\nimport a"), "2:a");
  std::string indented = "class A:\n";
  for (int i = 0; i < 20'000; ++i) indented += "  try:\n    import a\n  except ImportError: pass\n";
  EXPECT_EQ(scan_imports(indented).imports.size(), 20'000U);
}

TEST(Notebook, code_cells_are_scanned_without_magics) {
  const auto found = scan_notebook(R"({"cells": [
    {"cell_type": "markdown", "source": ["import no\n"]},
    {"cell_type": "code", "source": ["%matplotlib inline\n", "!pip install 'x\n", "import a\n", "files = !ls '\n", "a?\n",
                                     "s = '''\n", "% import no\n", "'''\n", "from b import c"]},
    {"cell_type": "code", "source": "%%bash\nimport no\n"},
    {"cell_type": "code", "source": "%%time\nimport d\n"},
    {"cell_type": "code", "source": "x = '''unclosed\n"},
    {"cell_type": "code", "source": ["import e"]}, 7, {"cell_type": "code"}]})");
  EXPECT_EQ(shown(found.imports), "3:a 9:b(c) 2:d 1:e");
  EXPECT_EQ(found.imports.at(0).cell, 2U);
  EXPECT_EQ(found.imports.at(3).cell, 6U);
  EXPECT_NE(scan_notebook("{not json").problem, "");
}

}  // namespace
