// A table on the terminal that fills as hosts answer.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cli/context.hpp"

namespace re::cli {

/// What a live view shows: lines of a table, and one line that says how far it is.
struct LiveText {
  std::string table;
  std::string summary;
};

/// Repaints in place while it lives, at most ten times a second and only after a change; then takes itself
/// away, and the command prints its result as it would elsewhere. Nothing at all where standard output is no
/// terminal, and with --json and --quiet. To be used within a coroutine of Context::run().
class Live {
 public:
  /// \param render is called for each painting; it must not throw
  Live(Context& context, std::function<LiveText()> render);
  ~Live();
  Live(const Live&) = delete;
  Live& operator=(const Live&) = delete;
  void changed();

 private:
  struct State;
  std::shared_ptr<State> m_state;
};

/// Whether a live view would show anything.
bool can_be_live(Context& context);

/// As many of the lines as fit a terminal of this size, and the summary. Lines may be coloured.
std::string crop(const LiveText& text, std::size_t columns, std::size_t rows);

/// "3 of 5 hosts answered, 1 failed"
std::string answered_of(std::size_t settled, std::size_t failed, std::size_t all);

}  // namespace re::cli
