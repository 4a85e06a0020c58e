#include <gtest/gtest.h>

#include <random>

#include "re/base/encoding.hpp"
#include "re/base/error.hpp"
#include "re/base/job_id.hpp"
#include "re/base/result.hpp"
#include "re/base/shell.hpp"
#include "re/base/strings.hpp"
#include "re/base/units.hpp"

namespace {

using namespace std::chrono_literals;

TEST(ErrorTest, says_context_message_and_hint_in_one_line) {
  re::Error error(re::ErrorKind::remote, "tmux not found", "install it or drop --tmux");
  error.within("cannot start job 17 on gpu1").within("sweep 3");
  EXPECT_STREQ(error.what(),
               "sweep 3: cannot start job 17 on gpu1: tmux not found; install it or drop --tmux");
}

TEST(ResultTest, value_of_a_failed_result_throws_its_error) {
  const re::Result<int> result(re::Error(re::ErrorKind::timeout, "no answer"));
  EXPECT_FALSE(result.has_value());
  EXPECT_THROW(static_cast<void>(result.value()), re::Error);
}

TEST(StringsTest, split_keeps_empty_parts_and_split_words_does_not) {
  EXPECT_EQ(re::split("a,,b", ',').size(), 3U);
  EXPECT_EQ(re::split("", ',').size(), 1U);
  EXPECT_EQ(re::split_words("  a \t b ").size(), 2U);
  EXPECT_EQ(re::split_lines("a\r\nb"), (std::vector<std::string_view>{"a", "b"}));
}

TEST(StringsTest, numbers_are_whole_or_nothing) {
  EXPECT_EQ(re::parse_number<int>("-12"), -12);
  EXPECT_EQ(re::parse_number<unsigned>("-1"), std::nullopt);
  EXPECT_EQ(re::parse_number<int>("12x"), std::nullopt);
  EXPECT_EQ(re::parse_number<int>(""), std::nullopt);
  EXPECT_EQ(re::parse_number<unsigned char>("256"), std::nullopt);
}

TEST(StringsTest, suggests_what_was_probably_meant_and_nothing_far) {
  const std::vector<std::string> names = {"init", "sync", "async", "list", "purge"};
  EXPECT_EQ(re::nearest("snyc", names), "sync");
  EXPECT_EQ(re::nearest("asyn", names), "async");
  EXPECT_EQ(re::nearest("frobnicate", names), std::nullopt);
}

TEST(EncodingTest, base64_is_read_back_and_garbage_is_refused) {
  std::mt19937 random(7);
  for (std::size_t size = 0; size < 50; ++size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    EXPECT_EQ(re::from_base64(re::to_base64(bytes)), bytes);
    EXPECT_EQ(re::from_hex(re::to_hex(bytes)), bytes);
  }
  EXPECT_EQ(re::to_base64("ab"), "YWI=");
  for (const char* bad : {"YWI", "YW=I", "====", "YWJ=", "YW I"})
    EXPECT_EQ(re::from_base64(bad), std::nullopt) << bad;
}

TEST(ShellTest, quotes_only_what_needs_it) {
  EXPECT_EQ(re::shell_quote("a/b-c.py"), "a/b-c.py");
  EXPECT_EQ(re::shell_quote(""), "''");
  EXPECT_EQ(re::shell_quote("it's $x"), "'it'\\''s $x'");
  EXPECT_EQ(re::shell_quote("~x"), "'~x'");
  const std::vector<std::string> words = {"echo", "a b"};
  EXPECT_EQ(re::shell_join(words), "echo 'a b'");
}

TEST(UnitsTest, durations) {
  EXPECT_EQ(re::parse_duration("90"), 90s);
  EXPECT_EQ(re::parse_duration("1h30m"), 90min);
  EXPECT_EQ(re::parse_duration("250ms"), 250ms);
  for (const char* bad : {"", "-1", "1x", "s", "1 h", "99999999999999999999", "9223372036854775807w"}) {
    EXPECT_EQ(re::parse_duration(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(re::format_elapsed(7s), "0:07");
  EXPECT_EQ(re::format_elapsed(3h + 25min), "3:25:00");
  EXPECT_EQ(re::format_elapsed(51h + 25min + 1s), "2-03:25:01");
}

TEST(UnitsTest, sizes) {
  EXPECT_EQ(re::parse_size("512"), 512U);
  EXPECT_EQ(re::parse_size("1.5G"), 1'610'612'736U);
  EXPECT_EQ(re::parse_size("2TiB"), std::uint64_t{2} << 40U);
  for (const char* bad : {"", "K", "1X", "-1", ".5", "1e400", "99999999P"})
    EXPECT_EQ(re::parse_size(bad), std::nullopt) << bad;
  EXPECT_EQ(re::format_size(512), "512 B");
  EXPECT_EQ(re::format_size(1500), "1.46 KiB");
  EXPECT_EQ(re::format_size(10'737'418'240U), "10.0 GiB");
}

TEST(JobIdTest, sorts_by_time_and_is_read_back) {
  const std::chrono::system_clock::time_point now{std::chrono::milliseconds(1'763'700'000'123)};
  const auto early = re::JobId::make(now, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  const auto late = re::JobId::make(now + 1ms, {});
  EXPECT_LT(early, late);
  EXPECT_EQ(early.text().size(), re::JobId::k_length);
  EXPECT_EQ(re::JobId::parse(early.text()), early);
  EXPECT_EQ(early.time(), now);
  for (const char* bad :
       {"", "../../etc/passwd", "zzzzzzzzzzzzzzzzzzzzzzzzzz", "01arz3ndektsv4rrffq69g5fau"}) {
    EXPECT_EQ(re::JobId::parse(bad), std::nullopt) << bad;
  }
}

TEST(Shell, touch_takes_our_times_and_chmod_our_modes) {
  EXPECT_EQ(re::touch_time(1'795'291'069'123'456'789), "2026-11-21T19:57:49.123456789Z");
  EXPECT_EQ(re::touch_time(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(re::touch_time(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(re::chmod_mode(0100644), "0644");
  EXPECT_EQ(re::chmod_mode(07), "0007");
  EXPECT_EQ(re::chmod_mode(06751), "6751");
}

}  // namespace
