#include "project/import_context.hpp"

#include <string.h>

#include <algorithm>
#include <array>
#include <optional>

#include "project/byte_search.hpp"

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
  /// Whether the place is in some part of a `try`, or where types alone are checked.
  [[nodiscard]] bool has_any_of_interest() const;

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

bool Blocks::has_any_of_interest() const {
  return std::any_of(m_stack.begin(), m_stack.end(), [](const Block& block) {
    return block.try_index != k_none || block.kind == Kind::type_checking;
  });
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
  } else if (word == "if" || word == "elif") {  // a reading may begin after the `if`
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
      ++at;
      while (at + 1 < text.size() && is_blank(text[at + 1])) ++at;
    } else {
      break;
    }
  }
  statement.begin = at;
  statement.end = lexer.skip_logical_line(at);
  return statement;
}

// How far `text[begin]` is indented, `begin` being moved from the line's start to its first token.
std::size_t take_indent(std::string_view text, std::size_t& begin) {
  const std::size_t line = begin;
  begin = skip_spaces(text, begin);
  std::size_t indent = begin - line;
  for (; begin < text.size() && is_blank(text[begin]); ++begin) {
    if (text[begin] == '\t') {
      indent = (indent / k_tab_width + 1) * k_tab_width;
    } else {
      indent = text[begin] == '\f' ? 0 : indent + 1;
    }
  }
  return indent;
}

// Says, going backwards line by line, whether an import can stand in a block of interest at all, and where a
// reading forwards must then begin. Certain are only lines that begin, outside strings, with a word that no
// expression holds: they are statements, and what is indented as far or further before them has ended.
class Enclosure {
 public:
  Enclosure(std::string_view text, std::span<const Span> long_strings)
      : m_text(text), m_long_strings(long_strings) {}

  /// The line from which the blocks around the place must be read; nothing when none of interest encloses it.
  /// Places must be asked for in ascending order.
  std::optional<std::size_t> reading_start(std::size_t at);
  /// A statement begins here, within nothing of interest: what encloses a later place begins later too.
  void settle(std::size_t begin);

 private:
  enum class Meaning { none, statement, try_or_elif, if_or_ternary };

  [[nodiscard]] std::size_t line_before(std::size_t line) const;
  [[nodiscard]] bool may_test_type_checking(std::string_view word, std::size_t begin) const;
  [[nodiscard]] Meaning meaning(std::size_t begin) const;
  [[nodiscard]] bool is_in_string(std::size_t at) const;
  [[nodiscard]] bool is_continued(std::size_t line) const { return line >= 2 && m_text[line - 2] == '\\'; }
  [[nodiscard]] std::optional<std::size_t> walk_back(std::size_t line, std::size_t level) const;
  [[nodiscard]] std::size_t top_level_before(std::size_t line) const;

  std::string_view m_text;
  std::span<const Span> m_long_strings;
  std::size_t m_settled = 0;
};

bool Enclosure::is_in_string(std::size_t at) const {
  const auto after = std::partition_point(m_long_strings.begin(), m_long_strings.end(),
                                          [&](const Span& span) { return span.begin < at; });
  return after != m_long_strings.begin() && at < std::prev(after)->end;
}

std::size_t Enclosure::line_before(std::size_t line) const {
  if (line < 2) return 0;
  const void* newline = ::memrchr(m_text.data(), '\n', line - 1);
  return newline == nullptr ? 0
                            : static_cast<std::size_t>(static_cast<const char*>(newline) - m_text.data()) + 1;
}

// The test of an `if` or `elif` is TYPE_CHECKING, or goes on where this line does not show it.
bool Enclosure::may_test_type_checking(std::string_view word, std::size_t begin) const {
  auto test = m_text.substr(begin + word.size(), find_any<'\n'>(m_text, begin) - begin - word.size());
  while (!test.empty() && is_blank(test.front())) test.remove_prefix(1);
  return test.starts_with('(') || test.ends_with('\\') ||
         test.find("TYPE_CHECKING") != std::string_view::npos;
}

// What a line says by its first word, which is at `begin`.
Enclosure::Meaning Enclosure::meaning(std::size_t begin) const {
  static constexpr std::array<std::string_view, 7> k_statements = {"def",   "class",  "with", "while",
                                                                   "raise", "return", "pass"};
  static constexpr std::string_view k_initials = "tiedcwrp";
  if (begin >= m_text.size() || k_initials.find(m_text[begin]) == std::string_view::npos)
    return Meaning::none;
  const auto word = word_at(m_text, begin);
  if (word == "try") return Meaning::try_or_elif;
  if (word == "elif") return may_test_type_checking(word, begin) ? Meaning::try_or_elif : Meaning::statement;
  if (word == "if") return may_test_type_checking(word, begin) ? Meaning::if_or_ternary : Meaning::none;
  return is_any(word, k_statements) ? Meaning::statement : Meaning::none;
}

// From the line to the outermost line that may begin something of interest, by being indented by less than
// `level` and by less than all between.
std::optional<std::size_t> Enclosure::walk_back(std::size_t line, std::size_t level) const {
  std::optional<std::size_t> start;
  bool unsure = false;  // a reading must begin at a statement before this line
  while (line > m_settled && level > 0) {
    line = line_before(line);
    std::size_t begin = line;
    const std::size_t indent = take_indent(m_text, begin);
    if (indent >= level) continue;
    const Meaning found = meaning(begin);
    if (found == Meaning::none || is_in_string(line)) continue;
    if (found == Meaning::if_or_ternary || is_continued(line)) {
      unsure = true;
      continue;
    }
    level = indent;
    if (unsure || found == Meaning::try_or_elif) start = line;
    unsure = false;
  }
  return unsure ? m_settled : start;
}

std::optional<std::size_t> Enclosure::reading_start(std::size_t at) {
  const std::size_t line = line_before(at + 1);
  std::size_t begin = line;
  const std::size_t level = take_indent(m_text, begin);
  if (begin != at || is_continued(line)) return top_level_before(line + 1);
  const auto start = walk_back(line, level);
  if (!start) m_settled = line;
  return start;
}

void Enclosure::settle(std::size_t begin) {
  const std::size_t line = line_before(begin + 1);
  if (line > m_settled && !is_continued(line)) m_settled = line;
}

// The last line before the place that surely begins a top-level statement.
std::size_t Enclosure::top_level_before(std::size_t line) const {
  static constexpr std::array<std::string_view, 5> k_words = {"def", "class", "try", "with", "while"};
  static constexpr std::string_view k_initials = "dctw";
  for (line = line_before(line); line > m_settled; line = line_before(line)) {
    if (k_initials.find(m_text[line]) != std::string_view::npos && is_any(word_at(m_text, line), k_words) &&
        !is_continued(line) && !is_in_string(line)) {
      return line;
    }
  }
  return m_settled;
}

}  // namespace

void resolve_contexts(std::string_view text, std::span<const Span> long_strings,
                      std::vector<FoundImport>& imports) {
  Enclosure enclosure(text, long_strings);
  PythonLexer lexer(text);
  for (std::size_t next = 0; next < imports.size();) {
    const std::size_t at = imports[next].at;
    const auto start = enclosure.reading_start(at);
    if (!start) {
      ++next;
      continue;
    }
    Blocks blocks(text, lexer);
    const std::size_t first = next;
    Statement statement = next_statement(text, lexer, *start);
    for (; statement.begin < text.size(); statement = next_statement(text, lexer, statement.end)) {
      blocks.enter(statement);
      if (statement.begin > at && !blocks.has_any_of_interest()) break;
      for (; next < imports.size() && imports[next].at < statement.end; ++next)
        blocks.apply(imports[next], next);
    }
    blocks.resolve(imports);
    enclosure.settle(statement.begin);
    if (next == first) ++next;  // where no string is well-formed, what was found may stand in no statement
  }
}

}  // namespace re::project
