#include "re/project/imports.hpp"

#include <algorithm>
#include <optional>

#include "project/byte_search.hpp"
#include "project/import_context.hpp"
#include "project/python_lexer.hpp"
#include "project/source_encoding.hpp"

namespace re::project {

namespace {

// `import` is a keyword that stands nowhere but in import statements, and all that is of interest here holds
// its six letters. So the scanner searches for them, drops what can be no statement by what stands before it
// on its line, and only then asks the lexer whether the place is code. Text after the last such place is
// never read by the lexer.
class ImportScanner {
 public:
  explicit ImportScanner(std::string_view text) : m_text(text), m_lexer(text) {}
  void scan();
  void collect(ImportScan& scan);

 private:
  void consider(std::size_t at);
  void consider_call(std::size_t at, std::size_t after);
  [[nodiscard]] std::size_t skip_blanks(std::size_t at) const;
  [[nodiscard]] std::size_t skip_layout(std::size_t at) const;
  [[nodiscard]] std::size_t skip_blanks_back(std::size_t at) const;
  [[nodiscard]] bool begins_statement(std::size_t at) const;
  [[nodiscard]] std::optional<std::size_t> find_from(std::size_t at) const;
  std::string_view take_word(std::size_t& at) const;
  std::string take_module(std::size_t& at) const;
  std::size_t add_plain(std::size_t begin, std::size_t at);
  std::size_t add_from(std::size_t begin, std::size_t at);
  void take_names(Import& import, std::size_t& at) const;
  std::size_t line_of(std::size_t at);
  void add(Import import, std::size_t begin, bool dynamic);

  std::string_view m_text;
  PythonLexer m_lexer;
  std::vector<FoundImport> m_found;
  std::size_t m_line = 1;
  std::size_t m_counted = 0;  // newlines before this are in m_line
  std::size_t m_done = 0;     // the last statement taken ends here
};

constexpr std::string_view k_import = "import";
constexpr std::string_view k_from = "from";
constexpr std::size_t k_usual_imports = 16;  // of a file; more make the list grow

std::size_t ImportScanner::skip_blanks(std::size_t at) const {
  for (; at < m_text.size(); ++at) {
    if (is_blank(m_text[at])) continue;
    if (m_text[at] != '\\' || at + 1 >= m_text.size() || m_text[at + 1] != '\n') break;
    ++at;
  }
  return std::min(at, m_text.size());
}

// Within parentheses newlines and comments are blanks too.
std::size_t ImportScanner::skip_layout(std::size_t at) const {
  for (;;) {
    at = skip_blanks(at);
    if (at >= m_text.size()) return at;
    if (m_text[at] == '#') {
      at = m_lexer.skip_comment(at);
    } else if (m_text[at] == '\n') {
      ++at;
    } else {
      return at;
    }
  }
}

std::size_t ImportScanner::skip_blanks_back(std::size_t at) const {
  while (at > m_done) {
    if (is_blank(m_text[at - 1])) {
      --at;
    } else if (m_text[at - 1] == '\n' && at >= 2 && m_text[at - 2] == '\\') {
      at -= 2;
    } else {
      break;
    }
  }
  return at;
}

// Whether what stands before on the line lets a statement begin here.
bool ImportScanner::begins_statement(std::size_t at) const {
  at = skip_blanks_back(at);
  return at == 0 || at == m_done || m_text[at - 1] == '\n' || m_text[at - 1] == ';' || m_text[at - 1] == ':';
}

// The `from` before an `import`: only dots, names and blanks stand between.
std::optional<std::size_t> ImportScanner::find_from(std::size_t at) const {
  for (;;) {
    at = skip_blanks_back(at);
    const std::size_t end = at;
    while (at > m_done && is_identifier_byte(m_text[at - 1])) --at;
    const auto word = m_text.substr(at, end - at);
    if (word == k_from) return at;
    if (word == k_import) return std::nullopt;
    while (at > m_done && m_text[at - 1] == '.') --at;
    if (at == end) return std::nullopt;
  }
}

std::string_view ImportScanner::take_word(std::size_t& at) const {
  const std::size_t begin = at;
  while (at < m_text.size() && is_identifier_byte(m_text[at])) ++at;
  return m_text.substr(begin, at - begin);
}

std::string ImportScanner::take_module(std::size_t& at) const {
  std::string module(take_word(at));
  for (;;) {
    const std::size_t dot = skip_blanks(at);
    if (module.empty() || dot >= m_text.size() || m_text[dot] != '.') return module;
    at = skip_blanks(dot + 1);
    module += '.';
    module += take_word(at);
  }
}

std::size_t ImportScanner::line_of(std::size_t at) {
  if (at > m_counted) {
    m_line += count_newlines(m_text, m_counted, at);
    m_counted = at;
  }
  return m_line;
}

void ImportScanner::add(Import import, std::size_t begin, bool dynamic) {
  import.line = line_of(begin);
  if (m_found.empty()) m_found.reserve(k_usual_imports);
  m_found.push_back({std::move(import), begin, dynamic});
}

std::size_t ImportScanner::add_plain(std::size_t begin, std::size_t at) {
  for (;;) {
    at = skip_blanks(at);
    Import import;
    import.module = take_module(at);
    if (import.module.empty()) return at;
    add(std::move(import), begin, false);
    at = skip_blanks(at);
    std::size_t next = at;
    if (take_word(next) == "as") {
      at = skip_blanks(next);
      take_word(at);
      at = skip_blanks(at);
    }
    if (at >= m_text.size() || m_text[at] != ',') return at;
    ++at;
  }
}

void ImportScanner::take_names(Import& import, std::size_t& at) const {
  at = skip_blanks(at);
  if (at < m_text.size() && m_text[at] == '*') {
    import.names.emplace_back("*");
    ++at;
    return;
  }
  const bool open = at < m_text.size() && m_text[at] == '(';
  if (open) ++at;
  const auto skip = [&](std::size_t from) { return open ? skip_layout(from) : skip_blanks(from); };
  for (;;) {
    at = skip(at);
    const auto name = take_word(at);
    if (name.empty()) return;
    import.names.emplace_back(name);
    at = skip(at);
    std::size_t next = at;
    if (take_word(next) == "as") {
      at = skip(next);
      take_word(at);
      at = skip(at);
    }
    if (at >= m_text.size() || m_text[at] != ',') return;
    ++at;
  }
}

std::size_t ImportScanner::add_from(std::size_t begin, std::size_t at) {
  std::size_t module_at = skip_blanks(begin + k_from.size());
  Import import;
  while (m_text[module_at] == '.') {
    ++import.level;
    module_at = skip_blanks(module_at + 1);
  }
  if (module_at < at - k_import.size()) import.module = take_module(module_at);
  take_names(import, at);
  if (import.module.empty() && import.level == 0) return at;
  add(std::move(import), begin, false);
  return at;
}

// import_module("a.b") or __import__("a.b"); `after` is where the parenthesis should be.
void ImportScanner::consider_call(std::size_t at, std::size_t after) {
  std::size_t next = skip_blanks(after);
  if (next >= m_text.size() || m_text[next] != '(') return;
  next = skip_layout(next + 1);
  if (next >= m_text.size() || (m_text[next] != '"' && m_text[next] != '\'')) return;
  const char quote = m_text[next++];
  Import import;
  for (; next < m_text.size() && m_text[next] == '.'; ++next) ++import.level;
  import.module = take_module(next);
  if (import.module.empty() || next >= m_text.size() || m_text[next] != quote) return;
  next = skip_layout(next + 1);
  if (next >= m_text.size() || (m_text[next] != ')' && m_text[next] != ',')) return;
  if (m_lexer.is_code(at)) add(std::move(import), at, true);
}

void ImportScanner::consider(std::size_t at) {
  const std::size_t end = at + k_import.size();
  const bool joined_before = at > 0 && is_identifier_byte(m_text[at - 1]);
  const bool joined_after = end < m_text.size() && is_identifier_byte(m_text[end]);
  if (joined_before || joined_after) {
    const auto rest = m_text.substr(end);
    if (!joined_before && rest.starts_with("_module"))
      consider_call(at, end + std::string_view("_module").size());
    if (rest.starts_with("__") && at >= 2 && m_text.substr(at - 2, 2) == "__") consider_call(at - 2, end + 2);
    return;
  }
  if (begins_statement(at)) {
    if (m_lexer.is_code(at)) m_done = add_plain(at, end);
    return;
  }
  const auto from = find_from(at);
  if (from && m_lexer.is_code(at)) m_done = add_from(*from, end);
}

void ImportScanner::scan() {
  for (std::size_t at = find_import(m_text, 0); at < m_text.size();) {
    consider(at);
    at = find_import(m_text, std::max(at + k_import.size(), m_done));
  }
  if (!m_found.empty()) resolve_contexts(m_text, m_lexer.long_strings(), m_found);
}

void ImportScanner::collect(ImportScan& scan) {
  scan.imports.reserve(m_found.size());
  for (FoundImport& found : m_found) {
    (found.dynamic ? scan.dynamic : scan.imports).push_back(std::move(found.import));
  }
}

}  // namespace

ImportScan scan_imports(std::string_view source) {
  ImportScan result;
  SourceText decoded;
  decode_source(source, decoded);
  result.problem = decoded.problem;
  ImportScanner scanner(decoded.text);
  scanner.scan();
  scanner.collect(result);
  return result;
}

}  // namespace re::project
