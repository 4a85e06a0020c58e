#include "re/ui/table.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

#include "re/ui/text.hpp"

namespace re::ui {

namespace {

constexpr std::size_t k_smallest = 3;  // two characters and the ellipsis

// Blanks that the style adds to the columns of one line.
std::size_t frame_width(TableStyle style, std::size_t columns) {
  return style == TableStyle::seed ? 3 * columns + 1 : 2 * (columns - 1);
}

// Where the blanks of an odd surplus go when centring is prettytable's rule, whose tables recompute.py
// printed.
std::pair<std::size_t, std::size_t> split_blanks(Align align, std::size_t blanks, std::size_t text_width) {
  if (align == Align::left) return {0, blanks};
  if (align == Align::right) return {blanks, 0};
  const std::size_t half = blanks / 2;
  if (blanks % 2 == 0) return {half, half};
  return text_width % 2 == 0 ? std::pair{half + 1, half} : std::pair{half, half + 1};
}

struct Slot {
  std::size_t width;
  Align align;
};

std::string fill(const Slot& slot, const Cell& cell, Colour colour) {
  const std::string text = fit(cell.text, slot.width);
  const std::size_t width = display_width(text);
  const auto [before, after] = split_blanks(slot.align, slot.width - width, width);
  return std::string(before, ' ') + paint(colour, cell.style, text) + std::string(after, ' ');
}

std::string seed_rule(const std::vector<Slot>& slots) {
  std::string line = "+";
  for (const auto& slot : slots) line.append(slot.width + 2, '-').append("+");
  return line + "\n";
}

std::string seed_line(const std::vector<Slot>& slots, const std::vector<Cell>& cells, Colour colour) {
  std::string line = "|";
  for (std::size_t i = 0; i < slots.size(); ++i)
    line.append(" ").append(fill(slots[i], cells[i], colour)).append(" |");
  return line + "\n";
}

std::string plain_line(const std::vector<Slot>& slots, const std::vector<Cell>& cells, Colour colour) {
  std::string line;
  for (std::size_t i = 0; i < slots.size(); ++i)
    line.append(i == 0 ? 0 : 2, ' ').append(fill(slots[i], cells[i], colour));
  line.resize(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

Table::Table(std::vector<Column> columns) : m_columns(std::move(columns)) {
  assert(!m_columns.empty());
  for (auto& column : m_columns) column.header = sanitise_line(column.header);
}

void Table::add_row(std::vector<Cell> cells) {
  assert(cells.size() == m_columns.size());
  for (auto& cell : cells) cell.text = sanitise_line(cell.text);
  m_rows.push_back(std::move(cells));
}

std::vector<std::size_t> Table::natural_widths(const TableFormat& format) const {
  std::vector<std::size_t> widths;
  widths.reserve(m_columns.size());
  for (std::size_t i = 0; i < m_columns.size(); ++i) {
    std::size_t width = display_width(m_columns[i].header);
    for (const auto& row : m_rows) width = std::max(width, display_width(row[i].text));
    if (format.width && m_columns[i].most) width = std::min(width, *m_columns[i].most);
    widths.push_back(width);
  }
  return widths;
}

std::vector<std::size_t> Table::fitted_widths(const TableFormat& format) const {
  std::vector<std::size_t> widths = natural_widths(format);
  if (!format.width) return widths;
  const std::size_t total =
      std::accumulate(widths.begin(), widths.end(), frame_width(format.style, m_columns.size()));
  std::size_t surplus = total > *format.width ? total - *format.width : 0;

  std::vector<std::size_t> order(m_columns.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Among equals the widest gives first.
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(m_columns[a].priority, widths[b]) < std::pair(m_columns[b].priority, widths[a]);
  });
  const auto shrink = [&](std::size_t column, std::size_t least) {
    const std::size_t cut = std::min(surplus, widths[column] - std::min(widths[column], least));
    widths[column] -= cut;
    surplus -= cut;
  };
  for (const std::size_t column : order) shrink(column, m_columns[column].least);
  for (const std::size_t column : order) shrink(column, k_smallest);
  return widths;
}

std::string Table::render(const TableFormat& format) const {
  const auto widths = fitted_widths(format);
  const bool is_seed = format.style == TableStyle::seed;
  std::vector<Slot> header_slots;
  std::vector<Slot> slots;
  std::vector<Cell> headers;
  for (std::size_t i = 0; i < m_columns.size(); ++i) {
    header_slots.push_back({widths[i], is_seed ? Align::centre : m_columns[i].align});
    slots.push_back({widths[i], m_columns[i].align});
    headers.push_back({m_columns[i].header, Style::heading});
  }
  std::string text;
  if (!is_seed) {
    text += plain_line(header_slots, headers, format.colour);
    for (const auto& row : m_rows) text += plain_line(slots, row, format.colour);
    return text;
  }
  const std::string rule = seed_rule(slots);
  text = rule + seed_line(header_slots, headers, format.colour) + rule;
  for (const auto& row : m_rows) text += seed_line(slots, row, format.colour);
  return m_rows.empty() ? text : text + rule;
}

}  // namespace re::ui
