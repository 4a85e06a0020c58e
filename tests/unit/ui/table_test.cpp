#include "re/ui/table.hpp"

#include <gtest/gtest.h>

#include "re/base/strings.hpp"
#include "re/ui/text.hpp"

namespace {

using namespace re::ui;

TableFormat seed() {
  return {TableStyle::seed, {}, Colour::off};
}
TableFormat plain(std::optional<std::size_t> width) {
  return {TableStyle::plain, width, Colour::off};
}

// The two tables as the document of recompute.py prints them.
TEST(TableTest, the_list_of_recompute_py_is_drawn_exactly) {
  Table table({{"Index", Align::centre}, {"Name", Align::centre}, {"PID", Align::centre}});
  table.add_row({{"0"}, {"all"}, {"*"}});
  table.add_row({{"1"}, {"zombie/spawn"}, {"30601"}});
  table.add_row({{"2"}, {"runner"}, {"31036"}});
  EXPECT_EQ(table.render(seed()),
            "+-------+--------------+-------+\n"
            "| Index |     Name     |  PID  |\n"
            "+-------+--------------+-------+\n"
            "|   0   |     all      |   *   |\n"
            "|   1   | zombie/spawn | 30601 |\n"
            "|   2   |    runner    | 31036 |\n"
            "+-------+--------------+-------+\n");
}

TEST(TableTest, the_probe_of_recompute_py_is_drawn_exactly) {
  // That table was set by hand: "Machine" is not quite centred, and the last column is right-aligned but for
  // one blank.
  Table table({{"Machine         ", Align::left},
               {"Status"},
               {"GPU (MB)", Align::centre},
               {"Disk (MB)", Align::right}});
  table.add_row({{"grenouille@grasse.local"}, {"active"}, {"10432"}, {"4238 "}});
  table.add_row({{"slartibartfast@magrathea.local"}, {"active"}, {"8642"}, {"12012 "}});
  EXPECT_EQ(table.render(seed()),
            "+--------------------------------+--------+----------+-----------+\n"
            "|        Machine                 | Status | GPU (MB) | Disk (MB) |\n"
            "+--------------------------------+--------+----------+-----------+\n"
            "| grenouille@grasse.local        | active |  10432   |     4238  |\n"
            "| slartibartfast@magrathea.local | active |   8642   |    12012  |\n"
            "+--------------------------------+--------+----------+-----------+\n");
}

Table jobs() {
  Column host{"HOST"};
  host.priority = 1;
  Column index{"#", Align::right};
  index.priority = 2;
  Table table({index, {"NAME"}, {"STATE"}, host, {"COMMAND"}});
  table.add_row({{"1"},
                 {"resnet-baseline-lr0.001"},
                 {"running"},
                 {"grenouille@grasse.local"},
                 {"python3 train.py --epochs 90"}});
  table.add_row({{"12"}, {"日本語の実験"}, {"done"}, {"gpu2"}, {"true"}});
  return table;
}

TEST(TableTest, off_a_terminal_nothing_is_cut) {
  EXPECT_EQ(jobs().render(plain({})),
            " #  NAME                     STATE    HOST                     COMMAND\n"
            " 1  resnet-baseline-lr0.001  running  grenouille@grasse.local  python3 train.py --epochs 90\n"
            "12  日本語の実験             done     gpu2                     true\n");
}

TEST(TableTest, eighty_columns_cut_the_least_important_first) {
  EXPECT_EQ(jobs().render(plain(80)),
            " #  NAME                     STATE    HOST                     COMMAND\n"
            " 1  resnet-baseline-lr0.001  running  grenouille@grasse.local  python3 train.py…\n"
            "12  日本語の実験             done     gpu2                     true\n");
}

TEST(TableTest, forty_columns_hold) {
  const std::string text = jobs().render(plain(40));
  EXPECT_EQ(text,
            " #  NAME      STATE    HOST      COMMAND\n"
            " 1  resnet-…  running  grenoui…  python…\n"
            "12  日本語…   done     gpu2      true\n");
  for (const auto line : re::split_lines(text)) EXPECT_LE(display_width(line), 40U);
}

TEST(TableTest, a_box_fits_its_width_too) {
  Table table({{"Machine", Align::left}, {"Status", Align::centre}});
  table.add_row({{"slartibartfast@magrathea.local"}, {"active"}});
  EXPECT_EQ(table.render({TableStyle::seed, 30, Colour::off}),
            "+-------------------+--------+\n"
            "|      Machine      | Status |\n"
            "+-------------------+--------+\n"
            "| slartibartfast@m… | active |\n"
            "+-------------------+--------+\n");
}

TEST(TableTest, an_upper_width_holds_on_a_terminal_only) {
  Column name{"NAME"};
  name.most = 6;
  Table table({name, {"PID"}});
  table.add_row({{"abcdefghij"}, {"1"}});
  EXPECT_EQ(table.render(plain(80)), "NAME    PID\nabcde…  1\n");
  EXPECT_EQ(table.render(plain({})), "NAME        PID\nabcdefghij  1\n");
}

TEST(TableTest, cells_are_made_harmless) {
  Table table({{"NAME"}, {"X"}});
  table.add_row({{"a\x1b]0;t\x07\nb"}, {"1"}});
  EXPECT_EQ(table.render(plain({})), "NAME                X\na\\x1b]0;t\\x07\\x0ab  1\n");
}

TEST(TableTest, colour_paints_the_text_and_not_the_blanks) {
  Table table({{"A"}, {"STATE"}});
  table.add_row({{"long"}, {"lost", Style::bad}});
  EXPECT_EQ(table.render({TableStyle::plain, 80, Colour::on}),
            "\x1b[1mA\x1b[0m     \x1b[1mSTATE\x1b[0m\nlong  \x1b[31mlost\x1b[0m\n");
}

TEST(TableTest, without_rows_there_is_a_header) {
  const Table table({{"A"}, {"B"}});
  EXPECT_TRUE(table.is_empty());
  EXPECT_EQ(table.render(plain({})), "A  B\n");
  EXPECT_EQ(table.render(seed()), "+---+---+\n| A | B |\n+---+---+\n");
}

}  // namespace
