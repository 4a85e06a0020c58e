// The lexical part of Python that import scanning needs: where strings and comments begin and end.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace re::project {

/// By byte: whether it may be part of a name. All of UTF-8 beyond ASCII counts.
inline constexpr auto k_identifier_bytes = [] {
  std::array<bool, 256> bytes{};
  for (unsigned byte = 0; byte < bytes.size(); ++byte) {
    bytes[byte] = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                  (byte >= '0' && byte <= '9') || byte == '_' || byte >= 0x80U;
  }
  return bytes;
}();
constexpr bool is_identifier_byte(char byte) {
  return k_identifier_bytes[static_cast<unsigned char>(byte)];
}
constexpr bool is_blank(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\f';
}

/// A stretch of the text, [begin, end).
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Skips tokens of a text whose newlines are all '\n'. Never leaves the text, whatever it holds: an unclosed
/// one-line string ends with its line, an unclosed long one with the text.
class PythonLexer {
 public:
  explicit PythonLexer(std::string_view text) : m_text(text) {}

  /// `at` is an opening quote (its prefix letters stand before it); the place after the closing one.
  std::size_t skip_string(std::size_t at);
  /// `at` is a '#'; the place of the newline that ends it.
  [[nodiscard]] std::size_t skip_comment(std::size_t at) const;
  /// The end of the logical line that goes on at `at`: the place after its newline. Brackets, strings and
  /// backslashes carry it over physical lines.
  std::size_t skip_logical_line(std::size_t at);

  /// Whether `at`, which must not lie before the last place asked for, is code: not in a string or comment.
  /// Strings that may span lines are remembered in long_strings().
  bool is_code(std::size_t at);
  [[nodiscard]] const std::vector<Span>& long_strings() const { return m_long_strings; }

 private:
  struct Literal {
    char quote;
    bool triple;
    bool raw;
  };
  [[nodiscard]] bool closes(const Literal& literal, std::size_t at) const;
  std::size_t skip_plain(const Literal& literal, std::size_t at);
  std::size_t skip_formatted(const Literal& literal, std::size_t at);
  std::size_t skip_replacement_field(const Literal& literal, std::size_t at);
  std::size_t skip_format_spec(const Literal& literal, std::size_t at);
  [[nodiscard]] std::size_t skip_backslash(const Literal& literal, std::size_t at) const;

  std::size_t skip_tokens(std::size_t at, std::size_t target);
  [[nodiscard]] std::size_t code_before(std::size_t at) const;

  std::string_view m_text;
  std::size_t m_at = 0;  // is_code() has read so far; this is code
  std::vector<Span> m_long_strings;
  unsigned m_depth = 0;         // f-strings within f-strings
  bool m_nesting = true;        // f-strings are read as since Python 3.12
  bool m_crossed_line = false;  // the last one-line string went on after a backslash
};

}  // namespace re::project
