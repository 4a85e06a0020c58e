#include "project/import_context.hpp"

#include <algorithm>
#include <array>

namespace re::project {

namespace {

constexpr std::size_t k_tab_width = 8;  // Language Reference, 2.1.8

struct Statement {
  std::size_t indent = 0;
  std::size_t begin = 0;  // of its first token
  std::size_t end = 0;    // after the newline of its logical line
};

std::string_view word_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_identifier_byte(text[end])) ++end;
  return text.substr(at, end - at);
}

bool is_any(std::string_view word, std::span<const std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The blocks that matter around the current statement, and the outcome of each `try` seen.
class Blocks {
 public:
  Blocks(std::string_view text, PythonLexer& lexer) : m_text(text), m_lexer(lexer) {}

  void enter(const Statement& statement);
  void apply(FoundImport& found, std::size_t index);
  void resolve(std::vector<FoundImport>& imports) const;
  [[nodiscard]] bool is_clause(const Statement& statement) const;

 private:
  enum class Kind { try_part, plain_part, if_part, type_checking, function };
  struct Block {
    std::size_t indent;
    Kind kind;
    std::size_t try_index;  // k_none for an `if` or a function
  };
  struct Use {
    std::size_t import_index;
    std::size_t try_index;
  };
  static constexpr std::size_t k_none = std::string_view::npos;

  [[nodiscard]] std::string_view header(const Statement& statement, std::string_view keyword);
  [[nodiscard]] Kind if_kind(const Statement& statement, std::string_view keyword);
  void open(const Statement& statement, std::string_view word);
  void follow(Block& block, const Statement& statement, std::string_view word);

  std::string_view m_text;
  PythonLexer& m_lexer;
  std::vector<Block> m_stack;
  std::vector<char> m_tolerant;  // per `try`: it catches ImportError
  std::vector<Use> m_uses;
};

constexpr std::array<std::string_view, 4> k_clauses = {"except", "finally", "else", "elif"};

bool Blocks::is_clause(const Statement& statement) const {
  return is_any(word_at(m_text, statement.begin), k_clauses);
}

// What stands between the keyword and the colon that ends the header. A lambda brings a colon of its own, but
// no test for TYPE_CHECKING and no list of exceptions holds one.
std::string_view Blocks::header(const Statement& statement, std::string_view keyword) {
  const std::size_t begin = statement.begin + keyword.size();
  std::size_t brackets = 0;
  std::size_t at = begin;
  while (at < statement.end && (m_text[at] != ':' || brackets > 0)) {
    switch (m_text[at]) {
      case '#':
        at = m_lexer.skip_comment(at);
        continue;
      case '\'':
      case '"':
        at = m_lexer.skip_string(at);
        continue;
      case '(':
      case '[':
      case '{':
        ++brackets;
        break;
      case ')':
      case ']':
      case '}':
        brackets -= brackets > 0 ? 1U : 0U;
        break;
      default:
        break;
    }
    ++at;
  }
  return m_text.substr(begin, std::min(at, statement.end) - begin);
}

Blocks::Kind Blocks::if_kind(const Statement& statement, std::string_view keyword) {
  std::string_view test = header(statement, keyword);
  while (!test.empty() && (is_blank(test.front()) || test.front() == '(')) test.remove_prefix(1);
  while (!test.empty() && (is_blank(test.back()) || test.back() == ')')) test.remove_suffix(1);
  static constexpr std::string_view k_name = "TYPE_CHECKING";
  if (!test.ends_with(k_name)) return Kind::if_part;
  test.remove_suffix(k_name.size());
  const bool dotted =
      std::all_of(test.begin(), test.end(), [](char c) { return is_identifier_byte(c) || c == '.'; });
  return test.empty() || (dotted && test.back() == '.') ? Kind::type_checking : Kind::if_part;
}

bool catches_import_errors(std::string_view exceptions) {
  static constexpr std::array<std::string_view, 4> k_bases = {"ImportError", "ModuleNotFoundError",
                                                              "Exception", "BaseException"};
  bool bare = true;
  for (std::size_t at = 0; at < exceptions.size();) {
    if (exceptions[at] == '#') {
      at = exceptions.find('\n', at);
      continue;
    }
    const auto word = word_at(exceptions, at);
    if (word == "as") break;
    if (is_any(word, k_bases)) return true;
    bare = bare && word.empty();
    at += std::max<std::size_t>(word.size(), 1);
  }
  return bare;
}

void Blocks::open(const Statement& statement, std::string_view word) {
  if (word == "async") {
    std::size_t next = statement.begin + word.size();
    while (next < statement.end && is_blank(m_text[next])) ++next;
    word = word_at(m_text, next);
  }
  if (word == "try") {
    m_stack.push_back({statement.indent, Kind::try_part, m_tolerant.size()});
    m_tolerant.push_back(0);
  } else if (word == "if") {
    m_stack.push_back({statement.indent, if_kind(statement, word), k_none});
  } else if (word == "def") {
    m_stack.push_back({statement.indent, Kind::function, k_none});
  }
}

// A clause of the statement that the block belongs to.
void Blocks::follow(Block& block, const Statement& statement, std::string_view word) {
  if (word == "except") {
    block.kind = Kind::try_part;
    if (catches_import_errors(header(statement, word))) m_tolerant[block.try_index] = 1;
  } else if (block.try_index != k_none) {
    block.kind = Kind::plain_part;
  } else {
    block.kind = word == "elif" ? if_kind(statement, word) : Kind::if_part;
  }
}

void Blocks::enter(const Statement& statement) {
  const auto word = word_at(m_text, statement.begin);
  const bool clause = is_any(word, k_clauses);
  while (!m_stack.empty() && m_stack.back().indent >= statement.indent) {
    Block& top = m_stack.back();
    const bool of_try = top.try_index != k_none;
    const bool fits = word == "else" || (of_try ? word == "except" || word == "finally" : word == "elif");
    if (clause && fits && top.indent == statement.indent && top.kind != Kind::function) {
      follow(top, statement, word);
      return;
    }
    m_stack.pop_back();
  }
  open(statement, word);
}

void Blocks::apply(FoundImport& found, std::size_t index) {
  bool outside_function = true;
  for (auto block = m_stack.rbegin(); block != m_stack.rend(); ++block) {
    if (block->kind == Kind::function) outside_function = false;
    if (block->kind == Kind::type_checking) found.import.type_checking = true;
    if (block->kind == Kind::try_part && outside_function) m_uses.push_back({index, block->try_index});
  }
}

void Blocks::resolve(std::vector<FoundImport>& imports) const {
  for (const Use& use : m_uses) {
    if (m_tolerant[use.try_index] != 0) imports[use.import_index].import.guarded = true;
  }
}

// The next statement at or after `at`, or one that begins at the end of the text. A backslash before it does
// not change its indentation.
Statement next_statement(std::string_view text, PythonLexer& lexer, std::size_t at) {
  Statement statement;
  for (; at < text.size(); ++at) {
    if (text[at] == '\n' || text[at] == '\f') {
      statement.indent = 0;
    } else if (text[at] == '\t') {
      statement.indent = (statement.indent / k_tab_width + 1) * k_tab_width;
    } else if (text[at] == ' ') {
      ++statement.indent;
    } else if (text[at] == '#') {
      at = lexer.skip_comment(at) - 1;
    } else if (text[at] == '\\' && at + 1 < text.size() && text[at + 1] == '\n') {
      while (++at + 1 < text.size() && is_blank(text[at + 1])) {
      }
    } else {
      break;
    }
  }
  statement.begin = at;
  statement.end = lexer.skip_logical_line(at);
  return statement;
}

// Finds top-level statements to start from, going backwards. These words begin a statement wherever they
// stand first on a line outside strings: none of them can occur in an expression.
class Anchors {
 public:
  Anchors(std::string_view text, std::span<const Span> long_strings)
      : m_text(text), m_long_strings(long_strings) {}

  /// The last place at or before `at`, and not before the one found last, that surely begins a top-level
  /// statement; 0 at first.
  std::size_t before(std::size_t at);
  /// Whether a word that can open a block of interest stands between the anchor and the place asked for last.
  [[nodiscard]] bool is_interesting() const { return m_interesting; }

 private:
  [[nodiscard]] bool is_anchor(std::size_t line) const;
  [[nodiscard]] bool is_in_string(std::size_t at) const;
  [[nodiscard]] bool has_keyword(std::size_t from, std::size_t to) const;

  std::string_view m_text;
  std::span<const Span> m_long_strings;
  std::size_t m_anchor = 0;
  std::size_t m_asked = 0;
  bool m_interesting = false;
};

bool Anchors::is_in_string(std::size_t at) const {
  const auto after = std::partition_point(m_long_strings.begin(), m_long_strings.end(),
                                          [&](const Span& span) { return span.begin < at; });
  return after != m_long_strings.begin() && at < std::prev(after)->end;
}

bool Anchors::is_anchor(std::size_t line) const {
  static constexpr std::array<std::string_view, 5> k_words = {"def", "class", "try", "with", "while"};
  const char first = m_text[line];
  if (first != 'd' && first != 'c' && first != 't' && first != 'w') return false;
  if (!is_any(word_at(m_text, line), k_words)) return false;
  if (line >= 2 && m_text[line - 2] == '\\') return false;
  return !is_in_string(line);
}

bool Anchors::has_keyword(std::size_t from, std::size_t to) const {
  const auto part = m_text.substr(from, to - from);
  return part.find("TYPE_CHECKING") != std::string_view::npos || part.find("try") != std::string_view::npos;
}

std::size_t Anchors::before(std::size_t at) {
  for (std::size_t line = at + 1; line > m_asked;) {
    const auto newline = line > 1 ? m_text.rfind('\n', line - 2) : std::string_view::npos;
    line = newline == std::string_view::npos ? 0 : newline + 1;
    if (line < m_asked || !is_anchor(line)) {
      if (line == 0) break;
      continue;
    }
    m_anchor = line;
    m_interesting = false;
    m_asked = line;
    break;
  }
  m_interesting = m_interesting || has_keyword(m_asked, at);
  m_asked = at;
  return m_anchor;
}

}  // namespace

void resolve_contexts(std::string_view text, std::span<const Span> long_strings,
                      std::vector<FoundImport>& imports) {
  Anchors anchors(text, long_strings);
  PythonLexer lexer(text);
  std::size_t read = 0;  // a top-level statement begins here
  for (std::size_t next = 0; next < imports.size();) {
    const std::size_t at = imports[next].at;
    if (at == 0 || text[at - 1] == '\n') {
      const bool continued = at >= 2 && text[at - 2] == '\\';
      if (!continued) {
        ++next;
        continue;
      }
    }
    const std::size_t anchor = std::max(read, anchors.before(at));
    if (!anchors.is_interesting()) {
      ++next;
      continue;
    }
    Blocks blocks(text, lexer);
    Statement statement = next_statement(text, lexer, anchor);
    while (statement.begin < text.size()) {
      if (statement.indent == 0 && statement.begin > at && !blocks.is_clause(statement)) break;
      blocks.enter(statement);
      for (; next < imports.size() && imports[next].at < statement.end; ++next)
        blocks.apply(imports[next], next);
      statement = next_statement(text, lexer, statement.end);
    }
    blocks.resolve(imports);
    read = statement.begin;
    if (next < imports.size() && imports[next].at <= at) ++next;
  }
}

}  // namespace re::project
