#include "cli/mdoc_text.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "cli/help.hpp"
#include "re/base/strings.hpp"

namespace re::cli {

namespace {

constexpr std::size_t k_section_indent = 5;
constexpr std::size_t k_subsection_indent = 3;
constexpr std::size_t k_item_indent = 6;
constexpr std::string_view k_punctuation = ". , ; : ) ] ? !";
constexpr std::string_view k_enclosing = "Ql Op Pq Bq";

// mandoc_char(7), as far as manual.cpp and the pages use it.
std::string unescape(std::string_view text) {
  std::string plain = replace_all(text, "\\&", "");
  plain = replace_all(plain, "\\(ti", "~");
  plain = replace_all(plain, "\\-", "-");
  return replace_all(plain, "\\e", "\\");
}

// The words of a macro line: cut at blanks, but not within quotes.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (std::size_t at = line.find_first_not_of(' '); at < line.size(); at = line.find_first_not_of(' ', at)) {
    const bool is_quoted = line[at] == '"';
    if (is_quoted) ++at;
    const auto end = std::min(line.find(is_quoted ? '"' : ' ', at), line.size());
    words.emplace_back(line.substr(at, end - at));
    at = is_quoted ? end + 1 : end;
  }
  return words;
}

bool is_one_of(std::string_view word, std::string_view list) {
  const auto words = split_words(list);
  return std::find(words.begin(), words.end(), word) != words.end();
}

// A line of macros as text.
class Inline {
 public:
  explicit Inline(std::string_view name) : m_name(name) {}

  std::string render(const std::vector<std::string>& words) {
    const std::size_t end = end_of_arguments(words);
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (i == end) close_all();
      if (!take_macro(words, i)) put(words[i]);
    }
    close_all();
    return std::move(m_text);
  }

 private:
  // Punctuation at the end of a line stands outside of its brackets, unless it is all that is in them.
  static std::size_t end_of_arguments(const std::vector<std::string>& words) {
    std::size_t end = words.size();
    while (end > 1 && is_one_of(words[end - 1], k_punctuation) && !is_one_of(words[end - 2], k_enclosing))
      --end;
    return end;
  }

  bool take_macro(const std::vector<std::string>& words, std::size_t& i) {
    const std::string& word = words[i];
    const bool is_last = i + 1 == words.size();
    if (word == "Ns") {
      m_glue = true;
    } else if (word == "Op" || word == "Bq") {
      open("[", "]");
    } else if (word == "Pq") {
      open("(", ")");
    } else if (word == "Ql") {
      open("'", "'");
    } else if (word == "Fl") {
      m_dash = true;
      if (is_last) put("");
    } else if (word == "Nm" && (is_last || is_one_of(words[i + 1], "Cm Fl Ns . ,"))) {
      put(m_name);
    } else if (word == "Xr" && i + 2 < words.size()) {
      put(words[i + 1] + "(" + words[i + 2] + ")");
      i += 2;
    } else {
      return is_one_of(word, "Nm Ar Cm Em Pa Ev Li Ic No Xo Xc Sy");
    }
    m_dash = m_dash && word == "Fl";
    return true;
  }

  void put(std::string_view word) {
    const bool is_end = is_one_of(word, k_punctuation);
    if (!m_text.empty() && !m_glue && !is_end) m_text += ' ';
    m_glue = is_one_of(word, "( [");
    if (m_dash && !is_end) m_text += '-';
    m_dash = false;
    m_text += unescape(word);
  }

  void open(std::string_view bracket, std::string_view closer) {
    if (!m_text.empty() && !m_glue) m_text += ' ';
    m_text += bracket;
    m_glue = true;
    m_closers.emplace_back(closer);
  }
  void close_all() {
    for (; !m_closers.empty(); m_closers.pop_back()) m_text += m_closers.back();
  }

  std::string m_name;
  std::string m_text;
  std::vector<std::string> m_closers;
  bool m_glue = false;
  bool m_dash = false;
};

class Page {
 public:
  std::string render(std::string_view page) {
    for (const auto line : split_lines(page)) take(line);
    flush();
    return std::move(m_text);
  }

 private:
  struct List {
    bool is_counted = false;
    int count = 0;
    std::size_t indent = 0;  // of its items
  };

  void take(std::string_view line) {
    if (m_is_literal && line != ".Ed") {
      m_text.append(m_indent + k_item_indent, ' ').append(unescape(line)).append("\n");
    } else if (line.starts_with(".\\\"") || line.empty()) {
      return;
    } else if (!line.starts_with('.')) {
      add(unescape(line));
    } else {
      auto words = words_of(line.substr(1));
      if (words.empty()) return;
      const std::string macro = words.front();
      if (!take_block(macro, words)) take_inline(macro, words);
    }
  }

  bool take_block(const std::string& macro, std::vector<std::string>& words) {
    const std::vector<std::string> rest(words.begin() + 1, words.end());
    if (macro == "Dt") {
      m_text += rest.size() == 2 ? rest[0] + "(" + rest[1] + ")\n" : "";
    } else if (macro == "Sh" || macro == "Ss") {
      heading(macro == "Sh" ? 0 : k_subsection_indent, join(rest, " "));
    } else if (macro == "Pp") {
      blank();
    } else if (macro == "Bl") {
      begin_list(rest);
    } else if (macro == "El") {
      end_list();
    } else if (macro == "It") {
      begin_item(rest);
    } else if (macro == "Bd" || macro == "Ed") {
      flush();
      m_is_literal = macro == "Bd";
    } else if (macro == "Dl") {
      flush();
      m_text.append(m_indent + k_item_indent, ' ').append(unescape(join(rest, " "))).append("\n");
    } else {
      return is_one_of(macro, "Dd Os");
    }
    return true;
  }

  void take_inline(const std::string& macro, const std::vector<std::string>& words) {
    if (macro == "Nm" && m_name.empty() && words.size() > 1) m_name = words[1];
    if (macro == "Nm" && m_section == "SYNOPSIS") flush();
    if (macro == "Nd") return add("- " + unescape(join(std::span(words).subspan(1), " ")));
    if (macro == "Xc") {
      m_is_head = false;
      return put_head();
    }
    add(Inline(m_name).render(words));
  }

  void heading(std::size_t indent, const std::string& text) {
    flush();
    m_section = text;
    m_indent = k_section_indent;
    m_text += "\n" + std::string(indent, ' ') + unescape(text) + "\n";
  }

  void begin_list(const std::vector<std::string>& options) {
    flush();
    List list;
    list.is_counted = std::find(options.begin(), options.end(), "-enum") != options.end();
    list.indent = m_indent;
    m_lists.push_back(list);
  }

  void end_list() {
    flush();
    if (m_lists.empty()) return;
    m_indent = m_lists.back().indent;
    m_lists.pop_back();
  }

  void begin_item(const std::vector<std::string>& words) {
    flush();
    if (m_lists.empty()) return;
    auto& list = m_lists.back();
    m_indent = list.indent;
    if (list.is_counted) {
      m_paragraph = std::to_string(++list.count) + ".";
      return;
    }
    m_is_head = !words.empty() && words.front() == "Xo";
    add(Inline(m_name).render(words));
    if (!m_is_head) put_head();
  }

  void put_head() {
    flush();
    if (!m_lists.empty()) m_indent = m_lists.back().indent + k_item_indent;
  }

  void add(const std::string& text) {
    const bool is_end = is_one_of(text, k_punctuation);
    if (!m_paragraph.empty() && !text.empty() && !is_end) m_paragraph += ' ';
    m_paragraph += text;
  }

  void flush() {
    if (!m_paragraph.empty()) m_text += wrap(m_paragraph, m_indent);
    m_paragraph.clear();
  }

  void blank() {
    flush();
    m_text += "\n";
  }

  std::string m_text;
  std::string m_paragraph;
  std::string m_name;
  std::string m_section;
  std::vector<List> m_lists;
  std::size_t m_indent = 0;
  bool m_is_literal = false;
  bool m_is_head = false;  // between Xo and Xc
};

}  // namespace

std::string mdoc_to_text(std::string_view page) {
  return Page().render(page);
}

}  // namespace re::cli
