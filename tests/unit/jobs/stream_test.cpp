// A job's streams: live, byte-exact, resumable.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "job_fixture.hpp"

namespace re::jobs::test {
namespace {

using model::JobState;
using transport::Chunk;

struct Collected {
  std::string output;
  std::string error;
  void take(const Chunk& chunk) { (chunk.stream == Chunk::Stream::output ? output : error) += chunk.data; }
};

Async<Attachment::End> drain(Attachment& attachment, Collected& collected) {
  for (;;) {
    const Chunk chunk = co_await attachment.read();
    if (chunk.stream == Chunk::Stream::end) break;
    collected.take(chunk);
  }
  const Attachment::End end = attachment.end();
  co_await attachment.close();
  co_return end;
}

// Bytes of every value, without a period that would hide a shift.
std::string noise(std::size_t size, std::uint32_t state) {
  std::string bytes(size, '\0');
  for (auto& byte : bytes) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<char>(state >> 24U);
  }
  return bytes;
}

class StreamTest : public testing::TestWithParam<std::string> {
 public:
  std::unique_ptr<Attachment> launch_attached(const model::JobSpec& spec) {
    return m_remote.await(m_remote.jobs().launch_attached(spec, k_deadline));
  }
  std::unique_ptr<Attachment> attach(const JobId& id, Offsets offsets) {
    return m_remote.await(m_remote.jobs().attach(id, offsets, k_deadline));
  }
  void put(const std::string& name, const std::string& bytes) {
    sys::write_file_atomic(m_remote.home() / name, bytes);
  }
  void allow(const std::string& name) { put(name, ""); }

 protected:
  Remote m_remote{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(JobHostTest, StreamTest, testing::ValuesIn(shells()),
                         [](const auto& test) { return test.param.substr(0, test.param.find(' ')); });

constexpr std::size_t k_big = 5'000'000;

TEST_P(StreamTest, both_streams_come_apart_and_byte_exact_with_the_exit_code) {
  put("a", noise(k_big, 1));
  put("b", noise(k_big, 2));
  auto attachment = launch_attached(split_job("cat ../a & cat ../b >&2; wait; exit 5"));
  Collected collected;
  const auto end = m_remote.await(drain(*attachment, collected));
  EXPECT_EQ(end.state, JobState::done);
  EXPECT_EQ(end.exit_code, 5);
  EXPECT_TRUE(collected.output == noise(k_big, 1)) << collected.output.size();
  EXPECT_TRUE(collected.error == noise(k_big, 2)) << collected.error.size();
  EXPECT_EQ(attachment->offsets().output, k_big);
}

TEST_P(StreamTest, output_comes_while_the_job_runs) {
  const auto spec = split_job(
      "for n in 1 2 3; do printf $n; printf $n >&2; while [ ! -e ../seen$n ]; do sleep 0.02; done; done");
  auto attachment = launch_attached(spec);
  EXPECT_EQ(attachment->launched().answer, Launch::started);
  m_remote.await([](Attachment& streams, StreamTest& test) -> Async<void> {
    for (const std::string number : {"1", "2", "3"}) {
      Collected collected;
      while (collected.output.empty() || collected.error.empty()) {
        const Chunk chunk = co_await streams.read();
        if (chunk.stream == Chunk::Stream::end) throw std::runtime_error("ended before " + number);
        collected.take(chunk);
      }
      if (collected.output != number || collected.error != number) throw std::runtime_error("not " + number);
      test.allow("seen" + number);
    }
  }(*attachment, *this));
  Collected rest;
  EXPECT_EQ(m_remote.await(drain(*attachment, rest)).exit_code, 0);
  EXPECT_EQ(rest.output + rest.error, "");
}

TEST_P(StreamTest, input_reaches_the_job_and_ends) {
  auto attachment = launch_attached(split_job("cat; echo end"));
  const std::string input = noise(300'000, 3);
  m_remote.await(attachment->write(input));
  m_remote.await(attachment->close_input());
  Collected collected;
  EXPECT_EQ(m_remote.await(drain(*attachment, collected)).exit_code, 0);
  EXPECT_TRUE(collected.output == input + "end\n") << collected.output.size();
}

TEST_P(StreamTest, a_client_that_dies_leaves_the_job_with_the_end_of_its_input) {
  const auto spec = split_job("cat; while [ ! -e ../go ]; do sleep 0.02; done; echo end");
  auto attachment = launch_attached(spec);
  m_remote.await(attachment->write("part\n"));
  m_remote.await(attachment->close());
  attachment.reset();
  allow("go");
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  EXPECT_THAT(m_remote.read(spec.id, "log"), testing::AnyOf("part\nend\n", "end\n"));
}

TEST_P(StreamTest, a_job_whose_client_never_came_back_ends_its_input_at_once) {
  const auto spec = split_job("cat; echo end");  // launched without anyone to hold its input open
  m_remote.launch(spec);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  EXPECT_EQ(m_remote.read(spec.id, "log"), "end\n");
}

TEST_P(StreamTest, who_comes_back_at_the_offsets_loses_and_repeats_nothing) {
  put("a", noise(k_big, 4));
  const auto spec = split_job(
      "head -c 2000000 ../a; head -c 1000 ../a >&2; while [ ! -e ../go ]; do sleep 0.02; done; "
      "tail -c +2000001 ../a; tail -c +1001 ../a >&2");
  auto attachment = launch_attached(spec);
  Collected collected;
  m_remote.await([](Attachment& streams, Collected& sink) -> Async<void> {
    while (sink.output.size() < 700'000) sink.take(co_await streams.read());
  }(*attachment, collected));
  const Offsets offsets = attachment->offsets();
  EXPECT_EQ(offsets.output, collected.output.size());
  m_remote.await(attachment->close());
  attachment.reset();
  allow("go");
  auto second = attach(spec.id, offsets);
  EXPECT_EQ(m_remote.await(drain(*second, collected)).exit_code, 0);
  EXPECT_TRUE(collected.output == noise(k_big, 4)) << collected.output.size();
  EXPECT_TRUE(collected.error == noise(k_big, 4)) << collected.error.size();
}

TEST_P(StreamTest, an_ended_job_gives_its_output_from_any_offset) {
  const auto spec = live_job("printf 0123456789; exit 2");
  m_remote.launch(spec);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  auto attachment = attach(spec.id, {4, 0});
  Collected collected;
  const auto end = m_remote.await(drain(*attachment, collected));
  EXPECT_EQ(collected.output, "456789");
  EXPECT_EQ(end.exit_code, 2);
}

TEST_P(StreamTest, a_job_whose_supervisor_was_killed_is_followed_to_its_end) {
  const auto spec = live_job("echo one; while [ ! -e ../go ]; do sleep 0.02; done; echo two");
  const auto pid = m_remote.launch(spec).pid;
  ASSERT_TRUE(pid);
  auto attachment = attach(spec.id, {});
  const auto stat = sys::read_file("/proc/" + std::to_string(*pid) + "/stat");
  const auto parent = std::stoi(stat.substr(stat.rfind(") ") + 4));
  ASSERT_EQ(::kill(parent, SIGKILL), 0);
  Collected collected;
  m_remote.await([](Attachment& streams, Collected& sink, StreamTest& test) -> Async<void> {
    while (sink.output != "one\n") sink.take(co_await streams.read());
    test.allow("go");
  }(*attachment, collected, *this));
  const auto end = m_remote.await(drain(*attachment, collected));
  EXPECT_EQ(end.state, JobState::lost);
  EXPECT_EQ(collected.output, "one\ntwo\n");
}

TEST_P(StreamTest, a_job_that_does_not_exist_is_not_found) {
  const auto spec = live_job("true");
  try {
    auto attachment = attach(spec.id, {});
    Collected collected;
    m_remote.await(drain(*attachment, collected));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found) << error.what();
  }
}

TEST_P(StreamTest, pieces_of_a_log_are_exact_and_truncation_shows) {
  put("a", noise(200'000, 5));
  const auto spec = live_job("cat ../a");
  m_remote.launch(spec);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  const std::string whole = noise(200'000, 5);
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges = {
      {0, 1}, {0, 65536}, {65535, 2}, {65536, 70'000}, {131'071, 1'000'000}, {200'000, 10}, {300'000, 10}};
  for (const auto& [offset, limit] : ranges) {
    JobHost::LogRange range;
    range.offset = offset;
    range.limit = limit;
    const auto piece = m_remote.await(m_remote.jobs().read_log(spec.id, range, k_deadline));
    const auto expected = offset < whole.size() ? whole.substr(offset, limit) : std::string();
    EXPECT_TRUE(piece.data == expected) << offset << " " << piece.data.size();
    EXPECT_EQ(piece.log.size, whole.size());
    EXPECT_EQ(piece.log.state, JobState::done);
    EXPECT_EQ(piece.log.exit_code, 0);
  }
}

TEST_P(StreamTest, the_last_lines_of_ten_gigabytes_come_in_little_memory) {
  if (GetParam() == "busybox sh") GTEST_SKIP() << "busybox's tail reads the whole file";
  const auto spec = live_job("echo");
  m_remote.launch(spec);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  std::string lines;
  for (int line = 0; line < 150; ++line) lines += "line " + std::to_string(line) + "\n";
  const auto log = m_remote.directory(spec.id) / "log";
  constexpr std::uintmax_t k_hole = std::uintmax_t{10} << 30U;
  std::filesystem::resize_file(log, k_hole);
  std::ofstream(log, std::ios::app) << lines;
  m_remote.limit_memory();
  std::string tail;
  const auto state = m_remote.await(
      m_remote.jobs().tail_log(spec.id, 100, [&](std::string_view part) { tail += part; }, k_deadline));
  EXPECT_EQ(tail, lines.substr(lines.find("line 50\n")));
  EXPECT_EQ(state.size, k_hole + lines.size());
  JobHost::LogRange range;
  range.offset = k_hole;
  EXPECT_EQ(m_remote.await(m_remote.jobs().read_log(spec.id, range, k_deadline)).data, lines);
}

}  // namespace
}  // namespace re::jobs::test
