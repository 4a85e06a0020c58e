#include "re/ui/live.hpp"

#include <algorithm>

#include "re/base/strings.hpp"
#include "re/ui/text.hpp"

namespace re::ui {

namespace {

// Like fit(), but colours take no cells and are never cut through; a cut line ends its colours.
std::string fit_styled(std::string_view line, std::size_t columns) {
  std::string result;
  std::size_t used = 0;
  while (!line.empty()) {
    if (line.front() == '\x1b') {
      const std::size_t size = std::min(line.size(), line.find('m')) + (line.find('m') < line.size() ? 1 : 0);
      result.append(line.substr(0, size));
      line.remove_prefix(size);
      continue;
    }
    const std::string_view plain = line.substr(0, line.find('\x1b'));
    const std::string shown = fit(plain, columns - used);
    result += shown;
    if (shown != plain) return result.append("\x1b[0m");
    used += display_width(plain);
    line.remove_prefix(plain.size());
  }
  return result;
}

}  // namespace

void LiveView::paint(std::string_view text, std::size_t rows) {
  if (m_console.out_sink() != Sink::terminal) {
    m_console.out(text);
    return;
  }
  const auto lines = split_lines(text);
  const std::size_t shown = std::min(lines.size(), std::max<std::size_t>(rows, 2) - 1);
  std::string picture = m_painted > 0 ? "\x1b[" + std::to_string(m_painted) + "A" : std::string();
  for (std::size_t i = 0; i < shown; ++i)
    picture += "\r" + fit_styled(lines[i], m_console.columns()) + "\x1b[K\n";
  picture += "\x1b[J";  // what the last picture had below
  m_console.out(picture);
  m_painted = shown;
}

}  // namespace re::ui
