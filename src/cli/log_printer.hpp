// A job's output on its way to the user: whole lines where a filter asks for them, harmless on a terminal,
// byte-exact elsewhere.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/context.hpp"
#include "re/jobs/job_host.hpp"
#include "re/ui/sanitiser.hpp"

namespace re::cli {

/// A POSIX extended regular expression (regcomp(3)), applied to a line without its end.
class LineFilter {
 public:
  /// Throws Error (usage) for a pattern that does not compile.
  explicit LineFilter(const std::string& pattern);
  ~LineFilter();
  LineFilter(const LineFilter&) = delete;
  LineFilter& operator=(const LineFilter&) = delete;
  /// The lines of all text so far that match and have not been returned yet. Unended text is held back.
  std::string feed(std::string_view text);
  /// The last line, if it has no end and matches.
  std::string finish();

 private:
  [[nodiscard]] bool matches(std::string_view line) const;
  struct Compiled;
  std::unique_ptr<Compiled> m_compiled;
  std::string m_held;
};

class LogPrinter {
 public:
  /// \param pattern of --filter, or nothing
  LogPrinter(ui::Console& console, ui::Colour colour, const std::optional<std::string>& pattern);
  void print(jobs::LogStream stream, std::string_view data);
  /// Prints what was held back.
  void finish();

 private:
  struct Lane {
    std::unique_ptr<LineFilter> filter;
    std::optional<ui::Sanitiser> sanitiser;
  };
  Lane& lane(jobs::LogStream stream) { return m_lanes[stream == jobs::LogStream::output ? 0 : 1]; }
  void put(jobs::LogStream stream, std::string_view text);

  ui::Console& m_console;
  std::array<Lane, 2> m_lanes;
};

}  // namespace re::cli
