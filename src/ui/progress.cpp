#include "re/ui/progress.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "re/base/units.hpp"
#include "re/ui/text.hpp"

namespace re::ui {

namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::chrono::milliseconds k_between_paints(100);
constexpr std::chrono::milliseconds k_between_samples(200);
// The rate is an exponential mean over about so long: it follows a change within seconds and does not
// flicker.
constexpr double k_memory_seconds = 3.0;
constexpr std::size_t k_least_step = 8;  // cells that the step's text keeps beside the numbers
constexpr std::chrono::hours k_longest_eta(99);

std::string percentage(std::uint64_t done, std::uint64_t total) {
  const double part = static_cast<double>(std::min(done, total)) / static_cast<double>(total);
  return std::to_string(static_cast<int>(part * 100)) + "%";  // never 100% before the end
}

std::string time_left(std::uint64_t bytes, double rate) {
  const double seconds = std::ceil(static_cast<double>(bytes) / rate);
  if (seconds > Seconds(k_longest_eta).count()) return {};
  return format_elapsed(std::chrono::seconds(static_cast<std::int64_t>(seconds))) + " left";
}

std::string in_columns(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) {
    if (!part.empty()) text.append("  ").append(part);
  }
  return text;
}

}  // namespace

TerminalProgress::TerminalProgress(Console& console, SteadyNow now)
    : m_console(console), m_now(std::move(now)), m_painted_at(m_now() - k_between_paints) {}

TerminalProgress::~TerminalProgress() {
  try {
    finish();
  } catch (...) {  // the terminal is gone, and the line with it
  }
}

void TerminalProgress::step(std::string_view text) {
  m_step = sanitise_line(text);
  m_done = 0;
  m_total = 0;
  m_rate = 0;
  m_sampled = 0;
  m_sampled_at = m_now();
  refresh();
}

void TerminalProgress::advance(std::uint64_t done, std::uint64_t total) {
  if (done < m_done) {  // a new count within the step
    m_sampled = done;
    m_sampled_at = m_now();
    m_rate = 0;
  }
  m_done = done;
  m_total = total;
  sample(done);
  refresh();
}

void TerminalProgress::sample(std::uint64_t done) {
  const auto now = m_now();
  if (now - m_sampled_at < k_between_samples) return;
  const double seconds = Seconds(now - m_sampled_at).count();
  const double rate = static_cast<double>(done - m_sampled) / seconds;
  const double weight = m_rate > 0 ? 1 - std::exp(-seconds / k_memory_seconds) : 1;
  m_rate += weight * (rate - m_rate);
  m_sampled = done;
  m_sampled_at = now;
}

void TerminalProgress::note(std::string_view text) {
  m_console.err("re: " + sanitise_line(text) + "\n");
}

void TerminalProgress::refresh() {
  if (m_console.error_sink() != Sink::terminal || m_step.empty()) return;
  if (m_now() - m_painted_at < k_between_paints) return;
  m_painted_at = m_now();
  m_console.show_status(line());
}

void TerminalProgress::finish() {
  m_step.clear();
  m_console.clear_status();
}

// As many of the numbers as fit beside the step; the less telling ones go first.
std::string TerminalProgress::line() const {
  const bool has_total = m_total > 0;
  const std::string percent = has_total ? percentage(m_done, m_total) : std::string();
  std::string amount = m_done > 0 || has_total ? format_size(m_done) : std::string();
  if (has_total) amount += "/" + format_size(m_total);
  const bool is_moving = m_rate >= 1;
  const std::string rate = is_moving ? format_size(static_cast<std::uint64_t>(m_rate)) + "/s" : std::string();
  const std::string left =
      is_moving && m_total > m_done ? time_left(m_total - m_done, m_rate) : std::string();

  const std::size_t columns = m_console.status_columns();
  const std::size_t least = std::min(display_width(m_step), k_least_step);
  for (const auto& parts :
       {std::vector{percent, amount, rate, left}, {percent, rate, left}, {percent, left}, {percent}}) {
    const std::string numbers = in_columns(parts);
    if (display_width(numbers) + least <= columns)
      return fit(m_step, columns - display_width(numbers)) + numbers;
  }
  return fit(m_step, columns);
}

}  // namespace re::ui
