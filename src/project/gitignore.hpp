// Patterns of gitignore(5). The rules of a file and their order are those of git's dir.c, the globs those of
// its wildmatch.c with WM_PATHNAME; matching takes time proportional to pattern times path, whatever the
// pattern.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace re::project {

enum class PathKind { file, directory };

/// One glob. '*' and '?' stop at '/'; "**" between slashes does not.
class Glob {
 public:
  explicit Glob(std::string_view pattern);
  [[nodiscard]] bool matches(std::string_view path) const;
  /// Whether some path below the directory could match.
  [[nodiscard]] bool may_match_below(std::string_view directory) const;

 private:
  enum class Op : unsigned char { byte, any, set, star, star_star, never };
  struct Step {
    Op op = Op::byte;
    char byte = 0;
    std::size_t set = 0;     // index into m_sets
    bool skippable = false;  // with the step after it: "**" and its '/' may stand for nothing
  };
  using States = std::vector<char>;
  void find_ends();
  [[nodiscard]] bool fits(std::size_t step, std::string_view text) const;
  std::size_t add_set(std::string_view pattern, std::size_t at);
  std::size_t add_stars(std::string_view pattern, std::size_t at);
  void close(States& states) const;
  [[nodiscard]] States run(std::string_view text) const;
  [[nodiscard]] bool accepts(const Step& step, char byte) const;

  std::vector<Step> m_steps;
  std::vector<std::bitset<256>> m_sets;
  std::size_t m_stars = 0;
  std::size_t m_head = 0;  // so many steps before the first star take one byte each
  std::size_t m_tail = 0;  // and so many behind the last, and behind a '/' that may stand for nothing with it
};

enum class Verdict { none, ignored, kept };

/// The patterns of one file, relative to one directory.
class IgnoreRules {
 public:
  IgnoreRules() = default;
  explicit IgnoreRules(std::string_view text);

  /// What the last pattern that matches says. It does not look at the path's parents.
  /// \param path relative to the directory of the rules
  [[nodiscard]] Verdict match(std::string_view path, PathKind kind) const;
  /// The same, of the patterns that are bound to a place (with a slash within) only.
  [[nodiscard]] Verdict match_anchored(std::string_view path, PathKind kind) const;
  /// Whether such a pattern could match something below the directory.
  [[nodiscard]] bool may_match_below(std::string_view directory) const;
  [[nodiscard]] bool is_empty() const { return m_rules.empty(); }

 private:
  enum class Which { all, anchored };
  struct Rule {
    Glob glob;
    bool negated;
    bool directories_only;
    bool anchored;
  };
  void add(std::string_view pattern);
  [[nodiscard]] Verdict last_match(std::string_view path, PathKind kind, Which which) const;

  std::vector<Rule> m_rules;
};

}  // namespace re::project
