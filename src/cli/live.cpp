#include "cli/live.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "re/ui/text.hpp"

namespace re::cli {

namespace {

constexpr std::chrono::milliseconds k_between_paints{100};

// Cells of a line with colours (SGR) in it.
std::size_t width_of(std::string_view line) {
  std::string plain;
  for (std::size_t at = 0; at < line.size();) {
    const auto escape = std::min(line.find("\x1b[", at), line.size());
    plain.append(line.substr(at, escape - at));
    at = escape == line.size() ? escape : std::min(line.find('m', escape), line.size() - 1) + 1;
  }
  return ui::display_width(plain);
}

}  // namespace

struct Live::State : std::enable_shared_from_this<State> {
  State(Context& shown_by, std::function<LiveText()> text)
      : context(shown_by), render(std::move(text)), timer(context.io()) {}

  void tick() {
    timer.expires_after(k_between_paints);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (error || self->is_over) return;
      if (std::exchange(self->has_changed, false)) self->paint();
      self->tick();
    });
  }
  void paint() {
    auto& console = context.console();
    console.show_block(crop(render(), console.columns(), console.rows()));
  }

  Context& context;
  std::function<LiveText()> render;
  boost::asio::steady_timer timer;
  bool has_changed = true;
  bool is_over = false;
};

Live::Live(Context& context, std::function<LiveText()> render) {
  if (!can_be_live(context)) return;
  m_state = std::make_shared<State>(context, std::move(render));
  m_state->tick();
}

Live::~Live() {
  if (m_state == nullptr) return;
  m_state->is_over = true;
  m_state->timer.cancel();
  try {
    m_state->context.console().clear_status();
  } catch (...) {  // the terminal is gone, and the table with it
  }
}

void Live::changed() {
  if (m_state != nullptr) m_state->has_changed = true;
}

bool can_be_live(Context& context) {
  const bool is_wanted =
      context.mode() == OutputMode::human && context.console().out_sink() == ui::Sink::terminal;
  const auto term = sys::process_environment()("TERM").value_or("");
  return is_wanted && !term.empty() && term != "dumb";
}

std::string crop(const LiveText& text, std::size_t columns, std::size_t rows) {
  constexpr std::size_t k_reserved_rows = 2;  // the summary's, and the cursor's below it
  const auto lines = split_lines(text.table);
  const std::size_t room = rows > k_reserved_rows ? rows - k_reserved_rows : 0;
  std::size_t shown = std::min(lines.size(), room);
  for (std::size_t i = 0; i < shown; ++i) {
    if (width_of(lines[i]) > columns) shown = 0;  // it would not be where it is painted over
  }
  std::string result;
  for (std::size_t i = 0; i < shown; ++i) result.append(lines[i]).append("\n");
  const std::size_t hidden = lines.size() - shown;
  const std::string more = hidden > 0 ? " (" + std::to_string(hidden) + " more rows)" : std::string();
  return result + ui::fit(text.summary + more, columns > 1 ? columns - 1 : 1) + "\n";
}

std::string answered_of(std::size_t settled, std::size_t failed, std::size_t all) {
  const std::string failures = failed > 0 ? ", " + std::to_string(failed) + " failed" : std::string();
  return std::to_string(settled - failed) + " of " + std::to_string(all) + " hosts answered" + failures;
}

}  // namespace re::cli
