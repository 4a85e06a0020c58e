#include "remote/marks.hpp"

#include <algorithm>

#include "re/base/strings.hpp"

namespace re::remote {

namespace {

// How many bytes at the end of `text` may be the beginning of `mark`.
std::size_t partial_match(std::string_view text, std::string_view mark) {
  for (std::size_t size = std::min(text.size(), mark.size() - 1); size > 0; --size) {
    if (text.ends_with(mark.substr(0, size))) return size;
  }
  return 0;
}

}  // namespace

MarkScanner::MarkScanner(std::string_view nonce)
    : m_begin("\036RE1 " + std::string(nonce) + " BEGIN\n"),
      m_end("\036RE1 " + std::string(nonce) + " END ") {}

std::string MarkScanner::feed(std::string_view data) {
  if (m_outcome) return {};
  m_held += data;
  if (!m_has_begun) skip_noise();
  return m_has_begun && !m_outcome ? take_payload() : std::string();
}

std::string MarkScanner::flush() {
  return m_has_begun && !m_outcome ? std::exchange(m_held, {}) : std::string();
}

void MarkScanner::skip_noise() {
  const auto at = m_held.find(m_begin);
  m_has_begun = at != std::string::npos;
  const std::size_t drop = m_has_begun ? at : m_held.size() - partial_match(m_held, m_begin);
  m_noise += drop;
  m_held.erase(0, m_has_begun ? drop + m_begin.size() : drop);
}

std::string MarkScanner::take_payload() {
  const auto at = m_held.find(m_end);
  const std::size_t size = at != std::string::npos ? at : m_held.size() - partial_match(m_held, m_end);
  std::string payload = m_held.substr(0, size);
  m_held.erase(0, size);
  if (at != std::string::npos) take_end(m_held.find('\n', m_end.size()));
  return payload;
}

void MarkScanner::take_end(std::size_t at) {
  constexpr std::size_t k_longest = std::size_t{1} << 16U;           // as far as it is read
  if (at == std::string::npos && m_held.size() < k_longest) return;  // the rest of the line is yet to come
  const auto size = std::min(at, m_held.size()) - m_end.size();
  const std::string_view line = std::string_view(m_held).substr(m_end.size(), size);
  const auto blank = line.find(' ');
  Outcome outcome;
  outcome.code = parse_number<int>(line.substr(0, blank)).value_or(-1);
  if (blank != std::string_view::npos) outcome.trailer = line.substr(blank + 1);
  m_outcome = std::move(outcome);
}

}  // namespace re::remote
