#include "project/python_lexer.hpp"

#include <string.h>

#include <algorithm>

#include "project/byte_search.hpp"

namespace re::project {

namespace {

constexpr std::size_t k_broken = std::string_view::npos;
// CPython's MAXFSTRINGLEVEL (Parser/tokenizer.h) is 150; deeper text is no Python.
constexpr unsigned k_deepest_nesting = 150;

struct Prefix {
  bool raw = false;
  bool formatted = false;
};

// The letters before a quote count only as a whole word: `if"x"` and `or"x"` are keywords. No string is both
// formatted and of bytes.
Prefix prefix_before(std::string_view text, std::size_t quote) {
  Prefix prefix;
  bool formattable = true;
  std::size_t at = quote;
  for (; at > 0 && quote - at < 3 && is_identifier_byte(text[at - 1]); --at) {
    switch (text[at - 1] | 0x20) {
      case 'r':
        prefix.raw = true;
        break;
      case 'f':
      case 't':
        prefix.formatted = true;
        break;
      case 'b':
      case 'u':
        formattable = false;
        break;
      default:
        return {};
    }
  }
  prefix.formatted = prefix.formatted && formattable;
  return quote - at < 3 ? prefix : Prefix{};
}

}  // namespace

bool PythonLexer::closes(const Literal& literal, std::size_t at) const {
  if (m_text[at] != literal.quote) return false;
  return !literal.triple ||
         (at + 2 < m_text.size() && m_text[at + 1] == literal.quote && m_text[at + 2] == literal.quote);
}

std::size_t PythonLexer::skip_plain(const Literal& literal, std::size_t at) {
  const bool single = literal.quote == '\'';
  while (at < m_text.size()) {
    if (literal.triple) {
      at = single ? find_any<'\'', '\\'>(m_text, at) : find_any<'"', '\\'>(m_text, at);
    } else {
      at = single ? find_any<'\'', '\\', '\n'>(m_text, at) : find_any<'"', '\\', '\n'>(m_text, at);
    }
    if (at >= m_text.size()) break;
    if (m_text[at] == '\n') return at;
    if (m_text[at] == '\\') {
      m_crossed_line = m_crossed_line || (at + 1 < m_text.size() && m_text[at + 1] == '\n');
      at += 2;
      continue;
    }
    if (closes(literal, at)) return at + (literal.triple ? 3 : 1);
    ++at;
  }
  return m_text.size();
}

// A backslash in an f-string: \N{NAME} is no replacement field unless the string is raw, and \{ begins one.
std::size_t PythonLexer::skip_backslash(const Literal& literal, std::size_t at) const {
  if (at + 1 >= m_text.size()) return m_text.size();
  const char next = m_text[at + 1];
  if (next == '{' || next == '}') return at + 1;
  if (next != 'N' || literal.raw || at + 2 >= m_text.size() || m_text[at + 2] != '{') return at + 2;
  const auto end = find_any<'}', '\n', '"', '\''>(m_text, at + 3);
  return end < m_text.size() && m_text[end] == '}' ? end + 1 : at + 3;
}

std::size_t PythonLexer::skip_formatted(const Literal& literal, std::size_t at) {
  while (at < m_text.size()) {
    at = find_any<'\'', '"', '\\', '\n', '{'>(m_text, at);
    if (at >= m_text.size()) break;
    if (closes(literal, at)) return at + (literal.triple ? 3 : 1);
    switch (m_text[at]) {
      case '\\':
        at = skip_backslash(literal, at);
        break;
      case '\n':
        if (!literal.triple) return k_broken;
        ++at;
        break;
      case '{':
        at = at + 1 < m_text.size() && m_text[at + 1] == '{' ? at + 2
                                                             : skip_replacement_field(literal, at + 1);
        break;
      default:
        ++at;
    }
  }
  return k_broken;
}

// From after '{' to after '}'; k_broken when it is not closed.
std::size_t PythonLexer::skip_replacement_field(const Literal& literal, std::size_t at) {
  std::size_t brackets = 0;
  for (;;) {
    at = find_any<'\'', '"', '#', '(', '[', '{', ')', ']', '}', ':'>(m_text, at);
    if (at >= m_text.size()) return k_broken;
    switch (m_text[at]) {
      case '\'':
      case '"':
        at = skip_string(at);
        if (at == k_broken) return k_broken;
        continue;
      case '#':
        at = skip_comment(at);
        continue;
      case '(':
      case '[':
      case '{':
        ++brackets;
        break;
      case ':':
        if (brackets == 0) return skip_format_spec(literal, at + 1);
        break;
      default:
        if (brackets == 0) return m_text[at] == '}' ? at + 1 : k_broken;
        --brackets;
    }
    ++at;
  }
}

std::size_t PythonLexer::skip_format_spec(const Literal& literal, std::size_t at) {
  if (++m_depth > k_deepest_nesting) at = k_broken;
  while (at < m_text.size()) {
    at = find_any<'\'', '"', '\\', '{', '}', '\n'>(m_text, at);
    if (at >= m_text.size() || closes(literal, at) || (m_text[at] == '\n' && !literal.triple)) break;
    if (m_text[at] == '}') {
      --m_depth;
      return at + 1;
    }
    if (m_text[at] == '{') {
      at = skip_replacement_field(literal, at + 1);
    } else {
      at = m_text[at] == '\\' ? skip_backslash(literal, at) : at + 1;
    }
  }
  --m_depth;
  return k_broken;
}

std::size_t PythonLexer::skip_string(std::size_t at) {
  const Prefix prefix = prefix_before(m_text, at);
  const char quote = m_text[at];
  const bool triple = at + 2 < m_text.size() && m_text[at + 1] == quote && m_text[at + 2] == quote;
  const Literal literal{quote, triple, prefix.raw};
  const std::size_t body = at + (triple ? 3 : 1);
  m_crossed_line = false;
  if (!prefix.formatted || !m_nesting) return skip_plain(literal, body);
  std::size_t end = k_broken;
  if (m_depth < k_deepest_nesting) {
    ++m_depth;
    end = skip_formatted(literal, body);
    --m_depth;
  }
  if (end != k_broken) {
    m_crossed_line = true;
  } else if (m_depth == 0) {
    // Not an f-string of the newer grammar. Reading the rest by the older one keeps the time linear.
    m_nesting = false;
    end = skip_plain(literal, body);
  }
  return end;
}

std::size_t PythonLexer::skip_comment(std::size_t at) const {
  return find_any<'\n'>(m_text, at);
}

std::size_t PythonLexer::skip_logical_line(std::size_t at) {
  std::size_t brackets = 0;
  for (;;) {
    at = find_any<'\'', '"', '#', '\n', '\\', '(', '[', '{', ')', ']', '}'>(m_text, at);
    if (at >= m_text.size()) return m_text.size();
    switch (m_text[at]) {
      case '\'':
      case '"':
        at = skip_string(at);
        continue;
      case '#':
        at = skip_comment(at);
        continue;
      case '\n':
        if (brackets == 0) return at + 1;
        break;
      case '\\':
        ++at;
        break;
      case '(':
      case '[':
      case '{':
        ++brackets;
        break;
      default:
        brackets -= brackets > 0 ? 1U : 0U;
    }
    ++at;
  }
}

// Reads the strings and comments that begin before `target`; `at` is code. The place after the last one.
std::size_t PythonLexer::skip_tokens(std::size_t at, std::size_t target) {
  for (;;) {
    const std::size_t token = find_any<'\'', '"', '#'>(m_text.substr(0, target), at);
    if (token >= target) return at;
    if (m_text[token] == '#') {
      at = skip_comment(token);
      continue;
    }
    at = skip_string(token);
    const bool triple =
        at - token >= 6 && m_text[token + 1] == m_text[token] && m_text[token + 2] == m_text[token];
    if (triple || m_crossed_line) m_long_strings.push_back({token, at});
  }
}

// The beginning of the line, or where on it the code begins that follows what was read.
std::size_t PythonLexer::code_before(std::size_t at) const {
  const void* newline = ::memrchr(m_text.data() + m_at, '\n', at - m_at);
  return newline == nullptr ? m_at
                            : static_cast<std::size_t>(static_cast<const char*>(newline) - m_text.data());
}

bool PythonLexer::is_code(std::size_t target) {
  while (m_at < target) {
    const std::size_t at = find_line_crosser(m_text, m_at, target);
    if (at >= target) break;
    m_at = std::max(skip_tokens(code_before(at), at + 2), at + 1);
  }
  if (m_at < target) m_at = std::max(skip_tokens(code_before(target), target), target);
  return m_at == target;
}

}  // namespace re::project
