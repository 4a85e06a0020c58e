#include "cli/host_printer.hpp"

#include "re/base/strings.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

// What a terminal would show of a line that goes back to its beginning.
std::string_view last_state(std::string_view line) {
  while (line.ends_with('\r')) line.remove_suffix(1);
  const auto back = line.rfind('\r');
  return back == std::string_view::npos ? line : line.substr(back + 1);
}

}  // namespace

HostPrinter::HostPrinter(ui::Console& console, ui::Colour colour, std::string_view label)
    : m_console(console), m_prefix(ui::sanitise_line(label) + ": ") {
  for (const auto stream : {jobs::LogStream::output, jobs::LogStream::error}) {
    const auto sink = stream == jobs::LogStream::output ? console.out_sink() : console.error_sink();
    if (sink == ui::Sink::terminal)
      lane(stream).sanitiser.emplace(colour == ui::Colour::on ? ui::Sgr::keep : ui::Sgr::drop);
  }
}

std::string HostPrinter::line_of(Lane& lane, std::string_view line) const {
  if (!lane.sanitiser) return m_prefix + std::string(line) + "\n";
  const std::string visible = replace_all(last_state(line), "\b", "\\x08");  // it would go into the prefix
  return m_prefix + lane.sanitiser->feed(visible) + lane.sanitiser->finish() + "\n";
}

void HostPrinter::put(jobs::LogStream stream, std::string_view text) {
  stream == jobs::LogStream::output ? m_console.out(text) : m_console.err(text);
}

void HostPrinter::print(jobs::LogStream stream, std::string_view data) {
  auto& to = lane(stream);
  to.held += data;
  std::string lines;
  std::size_t begin = 0;
  for (auto end = to.held.find('\n'); end != std::string::npos; end = to.held.find('\n', begin)) {
    lines += line_of(to, std::string_view(to.held).substr(begin, end - begin));
    begin = end + 1;
  }
  to.held.erase(0, begin);
  if (to.held.size() > k_longest_line) lines += line_of(to, std::exchange(to.held, {}));
  if (!lines.empty()) put(stream, lines);
}

void HostPrinter::finish() {
  for (const auto stream : {jobs::LogStream::output, jobs::LogStream::error}) {
    auto& from = lane(stream);
    if (!from.held.empty()) put(stream, line_of(from, std::exchange(from.held, {})));
  }
}

}  // namespace re::cli
