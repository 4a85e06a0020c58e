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
  void clear_status();

  [[nodiscard]] Sink out_sink() const { return m_out.sink; }
  [[nodiscard]] Sink error_sink() const { return m_error.sink; }
  /// Of the terminal at standard output, else of the one at standard error.
  [[nodiscard]] std::size_t columns() const;
  [[nodiscard]] std::size_t status_columns() const;

 private:
  void put(const Stream& stream, std::string_view text);

  Stream m_out;
  Stream m_error;
  bool m_has_status = false;
  bool m_in_line = false;  // output on a terminal that has not ended its line
};

}  // namespace re::ui
