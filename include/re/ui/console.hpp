// The one place through which a command writes, so that the status line never mixes with its output.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "re/ui/colour.hpp"

namespace re::ui {

/// Standard output or error as the composition root hands it in. `write` takes all of it, may throw;
/// `columns` is asked at each paint, so that a changed window is noticed.
struct Stream {
  std::function<void(std::string_view)> write;
  Sink sink = Sink::other;
  std::function<std::size_t()> columns = [] { return std::size_t{80}; };
  std::function<std::size_t()> rows = [] { return std::size_t{24}; };
};

/// Not thread-safe: the program has one thread.
class Console {
 public:
  Console(Stream out, Stream error);
  /// Takes the status line away.
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// To standard output, as it is, after the status line was taken away.
  void out(std::string_view text);
  /// To standard error, likewise.
  void err(std::string_view text);
  /// Shows one line at the bottom of the terminal in place of the last one; nothing where standard error is
  /// none, or while the cursor stands in an unfinished line of output. Harmless text without line ends; it is
  /// cut to the width.
  void show_status(std::string_view text);
  /// Shows these lines at the bottom of the terminal at standard output in place of the last ones (and of the
  /// status line); nothing where it is none, or in an unfinished line of output. Harmless lines, each with
  /// its end, none wider than columns() and fewer than rows(). The cursor is left below them and is never
  /// hidden: however the program ends, nothing has to be put right.
  void show_block(std::string_view lines);
  /// Takes the status line or the block away, as any output does.
  void clear_status();

  [[nodiscard]] Sink out_sink() const { return m_out.sink; }
  [[nodiscard]] Sink error_sink() const { return m_error.sink; }
  /// Of the terminal at standard output, else of the one at standard error.
  [[nodiscard]] std::size_t columns() const;
  /// Of the terminal at standard output.
  [[nodiscard]] std::size_t rows() const { return m_out.rows(); }
  [[nodiscard]] std::size_t status_columns() const;

 private:
  void put(const Stream& stream, std::string_view text);

  Stream m_out;
  Stream m_error;
  bool m_has_status = false;
  std::size_t m_block_rows = 0;
  bool m_in_line = false;  // output on a terminal that has not ended its line
};

}  // namespace re::ui
