// Remote text for the user's terminal. A job's log may hold any bytes; on a terminal some of them are
// commands (set the title, answer on the keyboard's line, write the clipboard, reorder what is read). Only
// these survive:
//   - printable UTF-8 without bidirectional and other invisible format controls;
//   - '\n', '\t', and '\r' and '\b', with which progress bars repaint their own line (they cannot leave it);
//   - SGR, the colours (ECMA-48 section 8.3.117: ESC [ digits ; : … m).
// Everything else is shown: "\x1b]0;title\x07", "\u009b", "\xff". A pipe gets the bytes as they are: do not
// use it there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace re::ui {

/// What becomes of colours: kept on a terminal with colour, removed on one without (NO_COLOR).
enum class Sgr { keep, drop };

/// Works over any division of the text into chunks; holds back at most one unfinished sequence of 64 bytes.
class Sanitiser {
 public:
  explicit Sanitiser(Sgr sgr = Sgr::keep) : m_sgr(sgr) {}

  /// The harmless form of what can be decided already.
  std::string feed(std::string_view chunk);
  /// The rest, and a reset if a colour is still on. The sanitiser is then as new.
  std::string finish();

 private:
  enum class End { open, final };
  std::string convert(std::string_view text, End end);

  Sgr m_sgr;
  std::string m_held;
  bool m_is_styled = false;
};

}  // namespace re::ui
