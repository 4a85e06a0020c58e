#include "cli/log_printer.hpp"

#include <regex.h>

namespace re::cli {

namespace {

constexpr std::size_t k_longest_line = std::size_t{1} << 20U;  // what is longer is matched in pieces

}  // namespace

struct LineFilter::Compiled {
  regex_t expression{};
};

LineFilter::LineFilter(const std::string& pattern) : m_compiled(std::make_unique<Compiled>()) {
  const int code = ::regcomp(&m_compiled->expression, pattern.c_str(), REG_EXTENDED | REG_NOSUB);
  if (code == 0) return;
  std::array<char, 256> reason{};
  ::regerror(code, &m_compiled->expression, reason.data(), reason.size());
  throw Error(ErrorKind::usage, "--filter \"" + pattern + "\": " + reason.data());
}

LineFilter::~LineFilter() {
  ::regfree(&m_compiled->expression);
}

bool LineFilter::matches(std::string_view line) const {
  regmatch_t range{0, static_cast<regoff_t>(line.size())};  // REG_STARTEND: a line may hold NUL bytes
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): the range says where it ends
  return ::regexec(&m_compiled->expression, line.data(), 0, &range, REG_STARTEND) == 0;
}

std::string LineFilter::feed(std::string_view text) {
  m_held += text;
  std::string matching;
  std::size_t begin = 0;
  for (auto end = m_held.find('\n'); end != std::string::npos; end = m_held.find('\n', begin)) {
    const std::string_view line(m_held.data() + begin, end - begin);
    if (matches(line)) matching.append(line).push_back('\n');
    begin = end + 1;
  }
  m_held.erase(0, begin);
  if (m_held.size() > k_longest_line) matching += finish();
  return matching;
}

std::string LineFilter::finish() {
  std::string line = std::exchange(m_held, {});
  return !line.empty() && matches(line) ? line : std::string();
}

LogPrinter::LogPrinter(ui::Console& console, ui::Colour colour, const std::optional<std::string>& pattern)
    : m_console(console) {
  for (const auto stream : {jobs::LogStream::output, jobs::LogStream::error}) {
    const auto sink = stream == jobs::LogStream::output ? console.out_sink() : console.error_sink();
    if (pattern) lane(stream).filter = std::make_unique<LineFilter>(*pattern);
    if (sink == ui::Sink::terminal)
      lane(stream).sanitiser.emplace(colour == ui::Colour::on ? ui::Sgr::keep : ui::Sgr::drop);
  }
}

void LogPrinter::print(jobs::LogStream stream, std::string_view data) {
  auto& filter = lane(stream).filter;
  put(stream, filter ? filter->feed(data) : std::string(data));
}

void LogPrinter::put(jobs::LogStream stream, std::string_view text) {
  auto& sanitiser = lane(stream).sanitiser;
  const std::string harmless = sanitiser ? sanitiser->feed(text) : std::string(text);
  if (harmless.empty()) return;
  stream == jobs::LogStream::output ? m_console.out(harmless) : m_console.err(harmless);
}

void LogPrinter::finish() {
  for (const auto stream : {jobs::LogStream::output, jobs::LogStream::error}) {
    if (lane(stream).filter) put(stream, lane(stream).filter->finish());
    if (!lane(stream).sanitiser) continue;
    const std::string rest = lane(stream).sanitiser->finish();
    if (!rest.empty()) stream == jobs::LogStream::output ? m_console.out(rest) : m_console.err(rest);
  }
}

}  // namespace re::cli
