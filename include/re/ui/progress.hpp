// re::Progress on a terminal: one status line, repainted at most ten times a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "re/base/progress.hpp"
#include "re/ui/console.hpp"

namespace re::ui {

using SteadyNow = std::function<std::chrono::steady_clock::time_point()>;

/// "syncing  27%  12.3 MiB/45.6 MiB  3.21 MiB/s  0:10 left". Off a terminal only note() says anything, as a
/// line "re: …" on standard error, which it does everywhere.
class TerminalProgress final : public Progress {
 public:
  /// \param console outlives this
  explicit TerminalProgress(Console& console, SteadyNow now = &std::chrono::steady_clock::now);
  /// Takes the status line away.
  ~TerminalProgress() override;
  TerminalProgress(const TerminalProgress&) = delete;
  TerminalProgress& operator=(const TerminalProgress&) = delete;

  void step(std::string_view text) override;
  void advance(std::uint64_t done, std::uint64_t total) override;
  void note(std::string_view text) override;

  /// Paints what was held back, or came away with other output. To be called now and then while nothing else
  /// happens.
  void refresh();
  /// The step is over: takes the status line away until the next one.
  void finish();

 private:
  void sample(std::uint64_t done);
  [[nodiscard]] std::string line() const;

  using TimePoint = std::chrono::steady_clock::time_point;
  Console& m_console;
  SteadyNow m_now;
  std::string m_step;
  std::uint64_t m_done = 0;
  std::uint64_t m_total = 0;
  double m_rate = 0;  // bytes per second, smoothed; 0 is unknown
  std::uint64_t m_sampled = 0;
  TimePoint m_sampled_at;
  TimePoint m_painted_at;
};

}  // namespace re::ui
