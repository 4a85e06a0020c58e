#include "re/ui/sanitiser.hpp"

#include <algorithm>
#include <utility>

#include "ui/escape.hpp"
#include "ui/utf8.hpp"

namespace re::ui {

namespace {

constexpr char k_escape = '\x1b';
constexpr std::string_view k_reset = "\x1b[0m";
constexpr std::string_view k_kept_controls = "\n\t\r\b";
constexpr std::string_view k_sgr_parameters = "0123456789;:";
// Far longer than any colour ("38;2;255;255;255" four times over); what is longer is no SGR for us.
constexpr std::size_t k_longest_sgr = 64;

enum class Match { no, yes, unfinished };
struct SgrMatch {
  Match match = Match::no;
  std::size_t size = 0;
};

/// \param text begins with ESC
SgrMatch match_sgr(std::string_view text) {
  if (text.size() == 1) return {Match::unfinished};
  if (text[1] != '[') return {};
  const std::string_view body = text.substr(2, k_longest_sgr - 2);
  const auto end = body.find_first_not_of(k_sgr_parameters);
  if (end == std::string_view::npos) return {text.size() < k_longest_sgr ? Match::unfinished : Match::no};
  if (body[end] != 'm') return {};
  return {Match::yes, end + 3};
}

bool is_reset(std::string_view sequence) {
  return sequence.find_first_not_of('0', 2) == sequence.size() - 1;  // ESC [ m, ESC [ 0 m
}

}  // namespace

std::string Sanitiser::convert(std::string_view text, End end) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const SgrMatch sgr = text.front() == k_escape ? match_sgr(text) : SgrMatch();
    const Character character = first_character(text);
    const bool is_unfinished =
        sgr.match == Match::unfinished || character.state == Character::State::incomplete;
    if (is_unfinished && end == End::open) break;
    if (sgr.match == Match::yes) {
      const std::string_view sequence = text.substr(0, sgr.size);
      if (m_sgr == Sgr::keep) result.append(sequence);
      m_is_styled = m_sgr == Sgr::keep && !is_reset(sequence);
      text.remove_prefix(sgr.size);
      continue;
    }
    const bool is_kept = k_kept_controls.find(text.front()) != std::string_view::npos;
    const bool is_plain = character.state == Character::State::valid && is_harmless(character.code);
    if (is_kept || is_plain) {
      result.append(text.substr(0, character.size));
    } else {
      append_visible(result, text.substr(0, character.size), character);
    }
    text.remove_prefix(character.size);
  }
  m_held = text;
  return result;
}

std::string Sanitiser::feed(std::string_view chunk) {
  if (m_held.empty()) return convert(chunk, End::open);
  return convert(std::exchange(m_held, {}).append(chunk), End::open);
}

std::string Sanitiser::finish() {
  std::string result = convert(std::exchange(m_held, {}), End::final);
  if (m_is_styled) result.append(k_reset);
  m_is_styled = false;
  return result;
}

}  // namespace re::ui
