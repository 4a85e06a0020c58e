// Tables of text.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "re/ui/colour.hpp"

namespace re::ui {

enum class Align { left, right, centre };

struct Column {
  std::string header;
  Align align = Align::left;  ///< of the cells, and of the header in the plain style
  std::size_t least = 8;      ///< cells of width below which it is cut only when nothing else helps
  std::optional<std::size_t> most = {};  ///< cells of width; applies only where a width is given
  int priority = 0;  ///< on a narrow terminal columns of the lowest priority are cut first, the widest of
                     ///< them before others
};

struct Cell {
  std::string text;  ///< from anywhere: it is shown through sanitise_line
  Style style = Style::plain;
};

enum class TableStyle {
  seed,   ///< recompute.py's box: +---+, cells centred unless their column says otherwise, headers centred
  plain,  ///< columns two blanks apart, no box
};

struct TableFormat {
  TableStyle style = TableStyle::plain;
  /// The terminal's width in cells. Nothing off a terminal: then nothing is ever cut.
  std::optional<std::size_t> width = {};
  Colour colour = Colour::off;
};

/// Values only; prints nothing itself.
class Table {
 public:
  explicit Table(std::vector<Column> columns);
  /// As many cells as there are columns.
  void add_row(std::vector<Cell> cells);
  [[nodiscard]] bool is_empty() const { return m_rows.empty(); }
  /// Lines that each end in '\n' and, in the plain style, in no blanks. Where even the smallest columns
  /// (three cells) do not fit the width, the lines are longer than it.
  [[nodiscard]] std::string render(const TableFormat& format) const;

 private:
  [[nodiscard]] std::vector<std::size_t> natural_widths(const TableFormat& format) const;
  [[nodiscard]] std::vector<std::size_t> fitted_widths(const TableFormat& format) const;

  std::vector<Column> m_columns;
  std::vector<std::vector<Cell>> m_rows;
};

}  // namespace re::ui
