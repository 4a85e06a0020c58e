#include "config/ini.hpp"

#include <ini.h>

#include <algorithm>
#include <cstring>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"

namespace re::config {

namespace {

// inih cuts section and key names at its buffers of 50 bytes without a word.
constexpr std::size_t k_longest_name = 48;
constexpr std::string_view k_byte_order_mark = "\xef\xbb\xbf";
constexpr std::string_view k_blanks = " \t\v\f\r";

// Hands the text to inih line by line. inih decides what is a section, a comment or a key; a value does not
// go through it: it would be cut at 200 bytes and at " ;", and a password would stay on its stack. In its
// place stands the number of the line, by which the handler finds the value again.
class Reader {
 public:
  Reader(std::string_view text, std::string_view file) : m_file(file) {
    if (text.starts_with(k_byte_order_mark)) text.remove_prefix(k_byte_order_mark.size());
    m_text = text;
  }

  IniDocument read() {
    const int bad_line = ::ini_parse_stream(&next_line, this, &take_entry, this);
    if (m_error) throw Error(*m_error);
    if (bad_line > 0)
      fail(static_cast<std::size_t>(bad_line), "is neither a [section], a \"key = value\" nor a comment");
    if (bad_line < 0 || m_document.entries.size() != m_values.size()) fail(m_line, "cannot be read");
    if (!m_text.empty() && m_text.back() != '\n') m_document.unterminated_line = m_line;
    return std::move(m_document);
  }

 private:
  struct Located {
    std::string_view value;
    std::size_t line;
  };

  [[noreturn]] void fail(std::size_t line, const std::string& what, const std::string& hint = {}) const {
    throw Error(ErrorKind::config, std::string(m_file) + ":" + std::to_string(line) + ": " + what, hint);
  }

  // fgets for inih: C code, which no exception may cross.
  static char* next_line(char* buffer, int size, void* self) {
    return static_cast<Reader*>(self)->guarded([&](Reader& reader) { return reader.feed(buffer, size); });
  }
  static int take_entry(void* self, const char* section, const char* name, const char* value) {
    const auto* taken = static_cast<Reader*>(self)->guarded([&](Reader& reader) {
      reader.take(section, name, value);
      return &reader;
    });
    return taken != nullptr ? 1 : 0;
  }

  template <class Action>
  auto guarded(const Action& action) -> decltype(action(*this)) {
    if (m_error) return nullptr;
    try {
      return action(*this);
    } catch (const Error& error) {
      m_error = error;
      return nullptr;
    }
  }

  char* feed(char* buffer, int size) {
    if (m_at >= m_text.size()) return nullptr;
    std::string_view line = m_text.substr(m_at, m_text.find('\n', m_at) - m_at);
    m_at += line.size() + 1;
    ++m_line;
    const std::string shown = simplify(line) + "\n";
    if (shown.size() >= static_cast<std::size_t>(size)) fail(m_line, "is too long");
    std::memcpy(buffer, shown.c_str(), shown.size() + 1);
    return buffer;
  }

  std::string simplify(std::string_view line) {
    if (line.find('\0') != std::string_view::npos) fail(m_line, "holds a NUL byte", "is it a text file?");
    const auto start = line.find_first_not_of(k_blanks);
    if (start == std::string_view::npos || line[start] == '#' || line[start] == ';') return {};
    refuse_continuation(start);
    line = line.substr(start, line.find_last_not_of(k_blanks) - start + 1);
    if (line.front() == '[') return header(line);
    const auto separator = line.find_first_of("=:");
    if (separator == std::string_view::npos) return "?";
    const std::string_view key = trim(line.substr(0, separator));
    if (key.empty()) fail(m_line, "has no key before its '" + std::string(1, line[separator]) + "'");
    if (key.size() > k_longest_name)
      fail(m_line, "has a key of " + std::to_string(key.size()) + " characters");
    m_key_indent = start;
    m_values.push_back({trim(line.substr(separator + 1)), m_line});
    return std::string(key) + "=" + std::to_string(m_values.size() - 1);
  }

  // configparser joins a line that is indented deeper than its key to the key's value.
  void refuse_continuation(std::size_t indent) const {
    if (!m_key_indent || indent <= *m_key_indent) return;
    fail(m_line, "continues the value above it, which is not supported",
         "write one line for each value, with equal indentation");
  }

  std::string header(std::string_view line) {
    const auto end = line.find(']');
    if (end == std::string_view::npos) fail(m_line, "begins a section but has no ']'");
    const std::string_view rest = trim(line.substr(end + 1));
    if (!rest.empty() && rest.front() != ';' && rest.front() != '#') fail(m_line, "has text after its ']'");
    const std::string_view name = trim(line.substr(1, end - 1));
    if (name.empty()) fail(m_line, "has a section without a name");
    if (name.size() > k_longest_name)
      fail(m_line, "has a section name of " + std::to_string(name.size()) + " characters");
    m_key_indent.reset();
    m_document.sections.push_back({std::string(name), m_line});
    return "[" + std::string(name) + "]";
  }

  void take(std::string_view section, std::string_view name, std::string_view value) {
    const auto place = parse_number<std::size_t>(value);
    if (!place || *place >= m_values.size() || *place != m_document.entries.size())
      fail(m_line, "cannot be read");
    const Located& found = m_values[*place];
    if (m_document.sections.empty()) fail(found.line, "stands before the first [section]");
    if (m_document.sections.back().name != section) fail(found.line, "cannot be read");
    m_document.entries.push_back({m_document.sections.size() - 1, to_lower(name), found.value, found.line});
  }

  std::string_view m_text;
  std::string_view m_file;
  std::size_t m_at = 0;
  std::size_t m_line = 0;
  std::optional<std::size_t> m_key_indent;
  std::vector<Located> m_values;
  IniDocument m_document;
  std::optional<Error> m_error;
};

}  // namespace

IniDocument parse_ini(std::string_view text, std::string_view file) {
  return Reader(text, file).read();
}

}  // namespace re::config
