// ssh's escape character, for who sits at a terminal whose other end does not answer. See ssh(1), ESCAPE
// CHARACTERS.
#pragma once

#include <string>
#include <string_view>

namespace re::cli {

/// Reads what is typed: "~." at the beginning of a line leaves, "~?" asks what there is, "~~" is one "~".
class EscapeFilter {
 public:
  enum class Wish { none, leave, help };
  struct Typed {
    std::string text;  ///< for the other end
    Wish wish = Wish::none;
  };
  /// What follows a wish to leave is dropped.
  Typed take(std::string_view keys);

 private:
  enum class At { line_start, escape, elsewhere } m_at = At::line_start;
};

}  // namespace re::cli
