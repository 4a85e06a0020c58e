#include "re/ui/console.hpp"

#include <gtest/gtest.h>

#include <map>

#include "re/ui/progress.hpp"
#include "re/ui/text.hpp"

namespace {

using namespace re::ui;
using namespace std::chrono_literals;

constexpr std::string_view k_erase = "\r\x1b[K";

/// Both streams into one text, as a terminal gets them.
class ConsoleTest : public testing::Test {
 protected:
  Stream stream(Sink sink) {
    return {[this](std::string_view text) { m_seen += text; }, sink, [this] { return m_columns; }};
  }
  std::string take() { return std::exchange(m_seen, {}); }
  SteadyNow clock() {
    return [this] { return m_now; };
  }
  /// The status line that was painted last.
  std::string status() {
    const std::string seen = take();
    const auto start = seen.rfind('\r');
    const auto end = seen.rfind("\x1b[K");
    if (start == std::string::npos || end == std::string::npos || end < start) return "(none)";
    return seen.substr(start + 1, end - start - 1);
  }

  std::string m_seen;
  std::size_t m_columns = 80;
  std::chrono::steady_clock::time_point m_now{1000s};
};

TEST_F(ConsoleTest, a_status_line_is_taken_away_before_output) {
  Console console(stream(Sink::terminal), stream(Sink::terminal));
  console.show_status("syncing");
  EXPECT_EQ(take(), "\rsyncing\x1b[K");
  console.show_status("again");
  EXPECT_EQ(take(), "\ragain\x1b[K");
  console.out("line\n");
  EXPECT_EQ(take(), std::string(k_erase) + "line\n");
  console.err("more\n");
  EXPECT_EQ(take(), "more\n");
}

TEST_F(ConsoleTest, a_block_is_repainted_in_place_and_taken_away_before_output) {
  Console console(stream(Sink::terminal), stream(Sink::terminal));
  console.show_status("asking");
  take();
  console.show_block("one\ntwo\n");
  EXPECT_EQ(take(), std::string(k_erase) + "one\x1b[K\ntwo\x1b[K\n");
  console.show_block("ONE\n");
  EXPECT_EQ(take(), "\r\x1b[2AONE\x1b[K\n\x1b[J");
  console.show_status("is covered by the block");
  EXPECT_EQ(take(), "");
  console.err("failed\n");
  EXPECT_EQ(take(), "\r\x1b[1A\x1b[Jfailed\n");
  console.show_block("one\n");
  EXPECT_EQ(take(), "one\x1b[K\n");
  console.clear_status();
  EXPECT_EQ(take(), "\r\x1b[1A\x1b[J");
  console.clear_status();
  EXPECT_EQ(take(), "");
}

TEST_F(ConsoleTest, there_is_no_block_off_a_terminal_or_in_an_unfinished_line) {
  {
    Console console(stream(Sink::other), stream(Sink::terminal));
    console.show_block("one\n");
    EXPECT_EQ(take(), "");
  }
  Console console(stream(Sink::terminal), stream(Sink::terminal));
  console.out("unfinished ");
  console.show_block("one\n");
  EXPECT_EQ(take(), "unfinished ");
}

TEST_F(ConsoleTest, an_unfinished_line_is_not_painted_over) {
  Console console(stream(Sink::terminal), stream(Sink::terminal));
  console.out("epoch 1 ");
  console.show_status("syncing");
  EXPECT_EQ(take(), "epoch 1 ");
  console.out("done\n");
  console.show_status("syncing");
  EXPECT_EQ(take(), "done\n\rsyncing\x1b[K");
}

TEST_F(ConsoleTest, unfinished_output_to_a_pipe_does_not_matter) {
  Console console(stream(Sink::other), stream(Sink::terminal));
  console.out("bytes");
  console.show_status("syncing");
  EXPECT_EQ(take(), "bytes\rsyncing\x1b[K");
}

TEST_F(ConsoleTest, off_a_terminal_there_is_no_status) {
  Console console(stream(Sink::terminal), stream(Sink::other));
  console.show_status("syncing");
  console.clear_status();
  EXPECT_EQ(take(), "");
}

TEST_F(ConsoleTest, the_status_leaves_the_last_cell_free_and_goes_with_the_console) {
  m_columns = 10;
  {
    Console console(stream(Sink::terminal), stream(Sink::terminal));
    console.show_status("0123456789");
    EXPECT_EQ(status(), "01234567…");
  }
  EXPECT_EQ(take(), k_erase);
}

TEST_F(ConsoleTest, progress_shows_amount_rate_and_time_left) {
  Console console(stream(Sink::terminal), stream(Sink::terminal));
  TerminalProgress progress(console, clock());
  progress.step("syncing");
  EXPECT_EQ(status(), "syncing");
  m_now += 1s;
  progress.advance(1 << 20, 11 << 20);
  EXPECT_EQ(status(), "syncing  9%  1.00 MiB/11.0 MiB  1.00 MiB/s  0:10 left");
  m_now += 1s;
  progress.advance(11 << 20, 11 << 20);
  EXPECT_EQ(status(), "syncing  100%  11.0 MiB/11.0 MiB  3.55 MiB/s");
  progress.finish();
  EXPECT_EQ(take(), k_erase);
}

TEST_F(ConsoleTest, progress_of_unknown_length_shows_what_it_knows) {
  Console console(stream(Sink::terminal), stream(Sink::terminal));
  TerminalProgress progress(console, clock());
  progress.step("pulling bin/");
  m_now += 2s;
  progress.advance(2000, 0);
  EXPECT_EQ(status(), "pulling bin/  1.95 KiB  1000 B/s");
}

TEST_F(ConsoleTest, progress_in_forty_columns_keeps_the_telling_numbers) {
  m_columns = 40;
  Console console(stream(Sink::terminal), stream(Sink::terminal));
  TerminalProgress progress(console, clock());
  progress.step("syncing 1,204 files to grenouille@grasse.local");
  EXPECT_EQ(status(), "syncing 1,204 files to grenouille@gras…");
  m_now += 1s;
  progress.advance(1 << 20, 11 << 20);
  EXPECT_EQ(status(), "syncing 1,2…  9%  1.00 MiB/s  0:10 left");
  m_columns = 12;
  m_now += 1s;
  progress.advance(2 << 20, 11 << 20);
  EXPECT_EQ(status(), "syncing 1,…");
}

TEST_F(ConsoleTest, progress_paints_at_most_ten_times_a_second_and_loses_nothing) {
  Console console(stream(Sink::terminal), stream(Sink::terminal));
  TerminalProgress progress(console, clock());
  progress.step("a");
  take();
  int paints = 0;
  for (std::uint64_t i = 1; i <= 1000; ++i) {  // one second
    m_now += 1ms;
    progress.advance(i, 1000);
    if (!take().empty()) ++paints;
  }
  EXPECT_EQ(paints, 10);
  progress.step("connecting to gpu1");
  EXPECT_EQ(take(), "");
  m_now += 100ms;
  progress.refresh();
  EXPECT_EQ(status(), "connecting to gpu1");
}

TEST_F(ConsoleTest, a_note_is_a_line_of_its_own_and_harmless) {
  Console console(stream(Sink::terminal), stream(Sink::terminal));
  TerminalProgress progress(console, clock());
  progress.step("syncing");
  take();
  progress.note("gpu1 says \x1b]0;x\x07");
  EXPECT_EQ(take(), std::string(k_erase) + "re: gpu1 says \\x1b]0;x\\x07\n");
}

TEST_F(ConsoleTest, off_a_terminal_progress_only_notes) {
  Console console(stream(Sink::other), stream(Sink::other));
  TerminalProgress progress(console, clock());
  progress.step("syncing");
  m_now += 5s;
  progress.advance(5, 10);
  progress.note("using openssh");
  progress.finish();
  EXPECT_EQ(take(), "re: using openssh\n");
}

class ColourTest : public testing::Test {
 protected:
  Colour choose(ColourChoice choice, Sink sink) {
    return choose_colour(choice, sink, [this](std::string_view name) -> std::optional<std::string> {
      const auto found = m_variables.find(std::string(name));
      if (found == m_variables.end() || found->second.empty()) return std::nullopt;
      return found->second;
    });
  }
  std::map<std::string, std::string> m_variables = {{"TERM", "xterm"}};
};

TEST_F(ColourTest, a_terminal_has_colour_and_a_pipe_has_none) {
  EXPECT_EQ(choose(ColourChoice::automatic, Sink::terminal), Colour::on);
  EXPECT_EQ(choose(ColourChoice::automatic, Sink::other), Colour::off);
  m_variables["TERM"] = "dumb";
  EXPECT_EQ(choose(ColourChoice::automatic, Sink::terminal), Colour::off);
  m_variables.erase("TERM");
  EXPECT_EQ(choose(ColourChoice::automatic, Sink::terminal), Colour::off);
}

TEST_F(ColourTest, the_variables_hold_and_the_option_wins) {
  m_variables["CLICOLOR_FORCE"] = "1";
  EXPECT_EQ(choose(ColourChoice::automatic, Sink::other), Colour::on);
  m_variables["NO_COLOR"] = "";
  EXPECT_EQ(choose(ColourChoice::automatic, Sink::other), Colour::on);
  m_variables["NO_COLOR"] = "1";
  EXPECT_EQ(choose(ColourChoice::automatic, Sink::terminal), Colour::off);
  EXPECT_EQ(choose(ColourChoice::always, Sink::other), Colour::on);
  m_variables = {{"TERM", "xterm"}, {"CLICOLOR", "0"}, {"CLICOLOR_FORCE", "0"}};
  EXPECT_EQ(choose(ColourChoice::automatic, Sink::terminal), Colour::off);
  m_variables.clear();
  EXPECT_EQ(choose(ColourChoice::never, Sink::terminal), Colour::off);
  EXPECT_EQ(parse_colour_choice("always"), ColourChoice::always);
  EXPECT_EQ(parse_colour_choice("yes"), std::nullopt);
}

}  // namespace
