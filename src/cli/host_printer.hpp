// The outputs of several hosts on one terminal or pipe: whole lines, each with its host's name before it.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "cli/context.hpp"
#include "re/jobs/job_host.hpp"
#include "re/ui/sanitiser.hpp"

namespace re::cli {

/// Of one host. Standard output goes to ours, standard error to ours. To a pipe the lines are byte-exact; on
/// a terminal they are harmless, of a line that repaints itself ('\r') the last state is shown, and nothing
/// can write over the name. A line longer than 64 KiB comes in several.
class HostPrinter {
 public:
  static constexpr std::size_t k_longest_line = std::size_t{64} << 10U;

  HostPrinter(ui::Console& console, ui::Colour colour, std::string_view label);
  void print(jobs::LogStream stream, std::string_view data);
  /// Ends the lines that have no end.
  void finish();

 private:
  struct Lane {
    std::string held;
    std::optional<ui::Sanitiser> sanitiser;
  };
  Lane& lane(jobs::LogStream stream) { return m_lanes[stream == jobs::LogStream::output ? 0 : 1]; }
  void put(jobs::LogStream stream, std::string_view text);
  [[nodiscard]] std::string line_of(Lane& lane, std::string_view line) const;

  ui::Console& m_console;
  std::string m_prefix;
  std::array<Lane, 2> m_lanes;
};

}  // namespace re::cli
