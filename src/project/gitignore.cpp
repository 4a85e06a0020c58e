#include "project/gitignore.hpp"

#include <algorithm>
#include <optional>

namespace re::project {

namespace {

// The POSIX classes that wildmatch.c knows, in the C locale.
struct NamedClass {
  std::string_view name;
  bool (*contains)(int byte);
};

bool is_upper(int c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(int c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(int c) {
  return c >= '0' && c <= '9';
}
bool is_alpha(int c) {
  return is_upper(c) || is_lower(c);
}
bool is_alnum(int c) {
  return is_alpha(c) || is_digit(c);
}
bool is_graph(int c) {
  return c > 0x20 && c < 0x7f;
}

constexpr std::array<NamedClass, 12> k_classes = {{
    {"alnum", is_alnum},
    {"alpha", is_alpha},
    {"blank", [](int c) { return c == ' ' || c == '\t'; }},
    {"cntrl", [](int c) { return c < 0x20 || c == 0x7f; }},
    {"digit", is_digit},
    {"graph", is_graph},
    {"lower", is_lower},
    {"print", [](int c) { return c >= 0x20 && c < 0x7f; }},
    {"punct", [](int c) { return is_graph(c) && !is_alnum(c); }},
    {"space", [](int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }},
    {"upper", is_upper},
    {"xdigit", [](int c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }},
}};

bool add_class(std::string_view name, std::bitset<256>& set) {
  const auto found =
      std::find_if(k_classes.begin(), k_classes.end(), [&](const auto& c) { return c.name == name; });
  if (found == k_classes.end()) return false;
  for (int byte = 0; byte < 128; ++byte) {
    if (found->contains(byte)) set.set(static_cast<std::size_t>(byte));
  }
  return true;
}

// Reads the inside of a bracket expression; `at` is after '[' and ends after ']'.
class SetReader {
 public:
  SetReader(std::string_view pattern, std::size_t at) : m_pattern(pattern), m_at(at) {}

  std::optional<std::bitset<256>> read() {
    const bool negated = m_at < m_pattern.size() && (m_pattern[m_at] == '!' || m_pattern[m_at] == '^');
    if (negated) ++m_at;
    for (bool first = true; m_at < m_pattern.size(); first = false) {
      if (m_pattern[m_at] == ']' && !first) {
        ++m_at;
        if (negated) m_set.flip();
        m_set.reset('/');
        return m_set;
      }
      if (!read_item()) return std::nullopt;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::size_t at() const { return m_at; }

 private:
  bool read_item() {
    const char byte = m_pattern[m_at];
    if (byte == '-' && m_previous && m_at + 1 < m_pattern.size() && m_pattern[m_at + 1] != ']')
      return read_range();
    if (byte == '[' && m_at + 1 < m_pattern.size() && m_pattern[m_at + 1] == ':') {
      const auto end = m_pattern.find(']', m_at + 2);
      if (end == std::string_view::npos) return false;
      if (end >= m_at + 3 && m_pattern[end - 1] == ':') {
        if (!add_class(m_pattern.substr(m_at + 2, end - m_at - 3), m_set)) return false;
        m_at = end + 1;
        m_previous.reset();
        return true;
      }
    }
    return read_byte([&](unsigned char literal) {
      m_set.set(literal);
      m_previous = literal;
    });
  }

  bool read_range() {
    ++m_at;
    return read_byte([&](unsigned char last) {
      for (unsigned byte = *m_previous; byte <= last; ++byte) m_set.set(byte);
      m_previous.reset();
    });
  }

  template <class Use>
  bool read_byte(const Use& use) {
    if (m_pattern[m_at] == '\\') ++m_at;
    if (m_at >= m_pattern.size()) return false;
    use(static_cast<unsigned char>(m_pattern[m_at++]));
    return true;
  }

  std::string_view m_pattern;
  std::size_t m_at;
  std::bitset<256> m_set;
  std::optional<unsigned char> m_previous;
};

}  // namespace

std::size_t Glob::add_set(std::string_view pattern, std::size_t at) {
  SetReader reader(pattern, at + 1);
  const auto set = reader.read();
  if (!set) {
    m_steps.push_back({Op::never});
    return pattern.size();
  }
  m_steps.push_back({Op::set, 0, m_sets.size()});
  m_sets.push_back(*set);
  return reader.at();
}

std::size_t Glob::add_stars(std::string_view pattern, std::size_t at) {
  const std::size_t end = std::min(pattern.find_first_not_of('*', at), pattern.size());
  const auto rest = pattern.substr(end);
  // git compares the part before the first wildcard by itself, so that "a**" begins like "**" (match_pathname
  // in dir.c).
  const bool first = pattern.find_first_of("*?[\\") == at;
  const bool alone =
      (first || pattern[at - 1] == '/') && (rest.empty() || rest[0] == '/' || rest.starts_with("\\/"));
  const bool crosses = end - at >= 2 && alone;
  m_steps.push_back({crosses ? Op::star_star : Op::star, 0, 0, crosses && rest.starts_with('/')});
  return end;
}

Glob::Glob(std::string_view pattern) {
  for (std::size_t at = 0; at < pattern.size();) {
    switch (pattern[at]) {
      case '*':
        at = add_stars(pattern, at);
        break;
      case '[':
        at = add_set(pattern, at);
        break;
      case '?':
        m_steps.push_back({Op::any});
        ++at;
        break;
      case '\\':
        if (++at >= pattern.size()) {
          m_steps.push_back({Op::never});
          break;
        }
        [[fallthrough]];
      default:
        m_steps.push_back({Op::byte, pattern[at++]});
    }
  }
  find_ends();
}

void Glob::find_ends() {
  m_head = m_steps.size();
  for (std::size_t i = 0; i < m_steps.size(); ++i) {
    if (m_steps[i].op != Op::star && m_steps[i].op != Op::star_star) continue;
    if (m_stars++ == 0) m_head = i;
    m_tail = m_steps.size() - i - (m_steps[i].skippable ? 2 : 1);
  }
}

// Whether the steps from `step` on take these bytes, one each.
bool Glob::fits(std::size_t step, std::string_view text) const {
  return std::all_of(text.begin(), text.end(), [&](char byte) { return accepts(m_steps[step++], byte); });
}

bool Glob::accepts(const Step& step, char byte) const {
  switch (step.op) {
    case Op::byte:
      return step.byte == byte;
    case Op::set:
      return m_sets[step.set].test(static_cast<unsigned char>(byte));
    case Op::any:
    case Op::star:
      return byte != '/';
    case Op::star_star:
      return true;
    case Op::never:
      return false;
  }
  return false;
}

// State i means: the steps before i are done. Stars may stand for nothing.
void Glob::close(States& states) const {
  for (std::size_t i = 0; i < m_steps.size(); ++i) {
    if (states[i] == 0) continue;
    const Step& step = m_steps[i];
    if (step.op == Op::star || step.op == Op::star_star) states[i + 1] = 1;
    // "**/" as a whole; only where it was just entered, which a run through "**" is not: value 1 against 2.
    if (step.skippable && states[i] == 1) states[i + 2] = 1;
  }
}

Glob::States Glob::run(std::string_view text) const {
  States states(m_steps.size() + 1);
  States next(m_steps.size() + 1);
  states[0] = 1;
  close(states);
  for (const char byte : text) {
    std::fill(next.begin(), next.end(), 0);
    for (std::size_t i = 0; i < m_steps.size(); ++i) {
      if (states[i] == 0 || !accepts(m_steps[i], byte)) continue;
      const bool stays = m_steps[i].op == Op::star || m_steps[i].op == Op::star_star;
      if (!stays) {
        next[i + 1] = 1;
      } else if (next[i] == 0) {
        next[i] = 2;
      }
    }
    close(next);
    states.swap(next);
  }
  return states;
}

// Both ends decide nearly always: few patterns hold more than one star.
bool Glob::matches(std::string_view path) const {
  if (m_stars == 0) return path.size() == m_head && fits(0, path);
  if (path.size() < m_head || path.size() < m_tail || !fits(0, path.substr(0, m_head)) ||
      !fits(m_steps.size() - m_tail, path.substr(path.size() - m_tail))) {
    return false;
  }
  const Step& star = m_steps[m_head];
  if (m_stars > 1 || star.skippable) return run(path).back() != 0;
  if (path.size() < m_head + m_tail) return false;
  const auto middle = path.substr(m_head, path.size() - m_head - m_tail);
  return star.op == Op::star_star || middle.find('/') == std::string_view::npos;
}

bool Glob::may_match_below(std::string_view directory) const {
  const States states = run(std::string(directory) + "/");
  return std::any_of(states.begin(), std::prev(states.end()), [](char state) { return state != 0; });
}

namespace {

// Trailing blanks go, unless a backslash protects them (dir.c, trim_trailing_spaces).
std::string_view trim_pattern(std::string_view line) {
  std::size_t keep = 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    if (line[at] == ' ') continue;
    if (line[at] == '\\') ++at;
    keep = std::min(at + 1, line.size());
  }
  return line.substr(0, keep);
}

}  // namespace

IgnoreRules::IgnoreRules(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.starts_with('#')) add(trim_pattern(line));
  }
}

void IgnoreRules::add(std::string_view pattern) {
  const bool negated = pattern.starts_with('!');
  if (negated) pattern.remove_prefix(1);
  const bool directories_only = pattern.ends_with('/');
  if (directories_only) pattern.remove_suffix(1);
  if (pattern.empty()) return;
  const bool anchored = pattern.find('/') != std::string_view::npos;
  if (pattern.starts_with('/')) pattern.remove_prefix(1);
  m_rules.push_back({Glob(pattern), negated, directories_only, anchored});
}

Verdict IgnoreRules::last_match(std::string_view path, PathKind kind, Which which) const {
  const auto name = path.substr(path.rfind('/') + 1);
  for (auto rule = m_rules.rbegin(); rule != m_rules.rend(); ++rule) {
    if (rule->directories_only && kind != PathKind::directory) continue;
    if (which == Which::anchored && !rule->anchored) continue;
    if (rule->glob.matches(rule->anchored ? path : name))
      return rule->negated ? Verdict::kept : Verdict::ignored;
  }
  return Verdict::none;
}

Verdict IgnoreRules::match(std::string_view path, PathKind kind) const {
  return last_match(path, kind, Which::all);
}

Verdict IgnoreRules::match_anchored(std::string_view path, PathKind kind) const {
  return last_match(path, kind, Which::anchored);
}

bool IgnoreRules::may_match_below(std::string_view directory) const {
  return std::any_of(m_rules.begin(), m_rules.end(), [&](const Rule& rule) {
    return rule.anchored && !rule.negated && rule.glob.may_match_below(directory);
  });
}

}  // namespace re::project
