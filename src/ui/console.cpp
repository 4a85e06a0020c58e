#include "re/ui/console.hpp"

#include <algorithm>
#include <utility>

#include "re/ui/text.hpp"

namespace re::ui {

namespace {

constexpr std::string_view k_erase_line = "\r\x1b[K";
constexpr std::string_view k_erase_rest = "\x1b[K";
constexpr std::string_view k_erase_below = "\x1b[J";

// To the beginning of the first of so many lines above the cursor's.
std::string go_up(std::size_t rows) {
  return rows == 0 ? std::string() : "\r\x1b[" + std::to_string(rows) + "A";
}

}  // namespace

Console::Console(Stream out, Stream error) : m_out(std::move(out)), m_error(std::move(error)) {}

Console::~Console() {
  try {
    clear_status();
  } catch (...) {  // the terminal is gone, and the line with it
  }
}

void Console::put(const Stream& stream, std::string_view text) {
  if (text.empty()) return;
  clear_status();
  if (stream.sink == Sink::terminal) m_in_line = text.back() != '\n';
  stream.write(text);
}

void Console::out(std::string_view text) {
  put(m_out, text);
}
void Console::err(std::string_view text) {
  put(m_error, text);
}

void Console::show_status(std::string_view text) {
  if (m_error.sink != Sink::terminal || m_in_line || m_block_rows > 0) return;
  m_has_status = true;
  m_error.write("\r" + fit(text, status_columns()) + std::string(k_erase_rest));
}

// One write, so that no half-painted block is seen.
void Console::show_block(std::string_view lines) {
  if (m_out.sink != Sink::terminal || m_in_line) return;
  if (m_has_status) clear_status();
  std::string text = go_up(m_block_rows);
  std::size_t rows = 0;
  for (std::size_t at = 0; at < lines.size(); ++rows) {
    const auto end = std::min(lines.find('\n', at), lines.size());
    text.append(lines.substr(at, end - at)).append(k_erase_rest).append("\n");
    at = end + 1;
  }
  if (rows < m_block_rows) text.append(k_erase_below);
  m_block_rows = rows;
  m_out.write(text);
}

void Console::clear_status() {
  if (m_block_rows > 0) m_out.write(go_up(std::exchange(m_block_rows, 0)).append(k_erase_below));
  if (!std::exchange(m_has_status, false)) return;
  m_error.write(k_erase_line);
}

std::size_t Console::columns() const {
  return m_out.sink == Sink::terminal ? m_out.columns() : m_error.columns();
}

// The last cell stays free: some terminals go to the next line as soon as it is written.
std::size_t Console::status_columns() const {
  return std::max<std::size_t>(m_error.columns(), 2) - 1;
}

}  // namespace re::ui
