// A few lines that are repainted in place (a table that is watched).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "re/ui/console.hpp"

namespace re::ui {

/// Paints over its last picture where standard output is a terminal, and appends it where it is none. Between
/// two paints nothing else may be written to the terminal.
class LiveView {
 public:
  /// \param console outlives this
  explicit LiveView(Console& console) : m_console(console) {}

  /// \param text lines that each end in '\n'; on a terminal they are cut to its width, and to the first
  /// `rows` - 1,
  ///             since what has scrolled away cannot be painted over
  void paint(std::string_view text, std::size_t rows);

 private:
  Console& m_console;
  std::size_t m_painted = 0;  // lines of the last picture
};

}  // namespace re::ui
