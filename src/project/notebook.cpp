#include <array>
#include <nlohmann/json.hpp>

#include "project/byte_search.hpp"
#include "project/python_lexer.hpp"
#include "re/base/strings.hpp"
#include "re/project/imports.hpp"

namespace re::project {

namespace {

using nlohmann::json;

// Cell magics whose cell is Python all the same (IPython's "Built-in magic commands").
constexpr std::array<std::string_view, 5> k_python_cells = {"%%time", "%%timeit", "%%capture", "%%prun",
                                                            "%%python3"};

// In nbformat 4 a list of lines or one string.
std::string joined_source(const json& source) {
  if (source.is_string()) return source.get<std::string>();
  std::string text;
  if (!source.is_array()) return text;
  for (const json& line : source) {
    if (line.is_string()) text += line.get_ref<const std::string&>();
  }
  return text;
}

// `name = !command` and `name = %magic`.
bool assigns_magic(std::string_view line) {
  const auto equals = line.find('=');
  if (equals == std::string_view::npos) return false;
  const auto name = trim(line.substr(0, equals));
  const auto value = trim(line.substr(equals + 1));
  return !name.empty() && name.find_first_of("([{'\"#") == std::string_view::npos &&
         (value.starts_with('!') || value.starts_with('%'));
}

bool is_magic(std::string_view line) {
  const auto text = trim(line);
  if (text.empty()) return false;
  const char first = text.front();
  return first == '%' || first == '!' || first == '?' || text.back() == '?' || assigns_magic(text);
}

// Blanks what is IPython and not Python. Only whole logical lines are looked at, so that a string may hold a
// '%'.
std::string without_magics(std::string text) {
  PythonLexer lexer(text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t line_end = find_any<'\n'>(text, at);
    if (is_magic(std::string_view(text).substr(at, line_end - at))) {
      std::fill(text.begin() + static_cast<std::ptrdiff_t>(at),
                text.begin() + static_cast<std::ptrdiff_t>(line_end), ' ');
      at = line_end + 1;
    } else {
      at = lexer.skip_logical_line(at);
    }
  }
  return text;
}

// The Python of a code cell; empty when the cell is in another language.
std::string python_of(const json& cell) {
  const auto type = cell.find("cell_type");
  if (type == cell.end() || *type != "code") return {};
  const auto source = cell.contains("source") ? cell.find("source") : cell.find("input");  // nbformat 3
  if (source == cell.end()) return {};
  std::string text = joined_source(*source);
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text.compare(first, 2, "%%") == 0) {
    const auto end = text.find_first_of(" \t\r\n", first);
    const auto magic = std::string_view(text).substr(first, end - first);
    if (std::find(k_python_cells.begin(), k_python_cells.end(), magic) == k_python_cells.end()) return {};
  }
  return without_magics(std::move(text));
}

void scan_cells(const json& cells, std::size_t& number, ImportScan& result) {
  if (!cells.is_array()) return;
  for (const json& cell : cells) {
    ++number;
    if (!cell.is_object()) continue;
    ImportScan scan = scan_imports(python_of(cell));
    for (auto* found : {&scan.imports, &scan.dynamic}) {
      for (Import& import : *found) import.cell = number;
    }
    std::move(scan.imports.begin(), scan.imports.end(), std::back_inserter(result.imports));
    std::move(scan.dynamic.begin(), scan.dynamic.end(), std::back_inserter(result.dynamic));
  }
}

}  // namespace

ImportScan scan_notebook(std::string_view text) {
  ImportScan result;
  const json notebook = json::parse(text, nullptr, false);
  if (!notebook.is_object()) {
    result.problem = "not a notebook: no JSON object";
    return result;
  }
  std::size_t number = 0;
  if (notebook.contains("cells")) scan_cells(notebook["cells"], number, result);
  if (const auto sheets = notebook.find("worksheets"); sheets != notebook.end() && sheets->is_array()) {
    for (const json& sheet : *sheets) {
      if (sheet.is_object() && sheet.contains("cells")) scan_cells(sheet["cells"], number, result);
    }
  }
  return result;
}

}  // namespace re::project
