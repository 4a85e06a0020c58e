#include "cli/escape.hpp"

namespace re::cli {

namespace {

constexpr char k_escape = '~';

}  // namespace

EscapeFilter::Typed EscapeFilter::take(std::string_view keys) {
  Typed typed;
  for (const char key : keys) {
    if (m_at == At::line_start && key == k_escape) {
      m_at = At::escape;
      continue;
    }
    if (m_at == At::escape && key == '.') {
      typed.wish = Wish::leave;
      return typed;
    }
    if (m_at == At::escape && key == '?') {
      typed.wish = Wish::help;
      m_at = At::line_start;
      continue;
    }
    if (m_at == At::escape && key != k_escape) typed.text += k_escape;
    typed.text += key;
    m_at = key == '\r' || key == '\n' ? At::line_start : At::elsewhere;
  }
  return typed;
}

}  // namespace re::cli
