#include "remote/rsync_output.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace re::remote;
using re::ErrorKind;

class LastProgress final : public re::Progress {
 public:
  void step(std::string_view) override {}
  void advance(std::uint64_t done, std::uint64_t total) override { m_seen.emplace_back(done, total); }
  void note(std::string_view) override {}
  std::vector<std::pair<std::uint64_t, std::uint64_t>> m_seen;
};

TEST(RsyncOutputTest, understands_progress_statistics_changes_and_links_however_it_is_cut) {
  const std::string text =
      "RE-CHANGE <f+++++++++ a b.py\n*deleting   c.py\nignoring unsafe symlink \"x\" -> \"/y\"\n"
      "\r        1000  50%    1.00MB/s    0:00:01  \r        2000 100%    1.00MB/s    0:00:00 (xfr#1, "
      "to-chk=0/1)\n"
      "\nNumber of regular files transferred: 9\nTotal file size: 2000 bytes\nLiteral data: 1500 bytes\n"
      "Matched data: 500 bytes\nTotal bytes sent: 1600\nTotal bytes received: 42\n";
  for (std::size_t step = 1; step < text.size(); ++step) {
    LastProgress progress;
    RsyncOutput output(progress);
    for (std::size_t at = 0; at < text.size(); at += step) output.feed(text.substr(at, step));
    const TransferReport report = output.take_report();
    EXPECT_EQ(report.files_transferred, 9U);
    EXPECT_EQ(report.total_size, 2000U);
    EXPECT_EQ(report.literal_bytes, 1500U);
    EXPECT_EQ(report.matched_bytes, 500U);
    EXPECT_EQ(report.bytes_sent, 1600U);
    EXPECT_EQ(report.bytes_received, 42U);
    EXPECT_THAT(report.changes, testing::ElementsAre("<f+++++++++ a b.py", "*deleting   c.py"));
    EXPECT_THAT(report.skipped_links, testing::ElementsAre("x"));
    EXPECT_THAT(progress.m_seen, testing::ElementsAre(testing::Pair(1000, 2000), testing::Pair(2000, 2000)));
  }
}

TEST(RsyncOutputTest, a_number_that_no_transfer_reaches_is_no_progress) {
  LastProgress progress;
  RsyncOutput output(progress);
  output.feed("18446744073709551615   1%    1.00MB/s    0:00:00\r");
  output.feed("  184467440737095516   1%    1.00MB/s    0:00:00\r");
  EXPECT_THAT(progress.m_seen,
              testing::ElementsAre(testing::Pair(184467440737095516U, 18446744073709551600U)));
}

TEST(RsyncOutputTest, knows_versions_and_what_is_no_rsync) {
  EXPECT_EQ(parse_rsync_version("rsync  version 3.2.7  protocol version 31\nCopyright"),
            (RsyncVersion{3, 2, 7}));
  EXPECT_EQ(parse_rsync_version("rsync  version v3.4.0pre1  protocol version 32"), (RsyncVersion{3, 4, 0}));
  EXPECT_LT(*parse_rsync_version("rsync  version 2.6.9  protocol version 29"), (RsyncVersion{3, 2, 5}));
  EXPECT_EQ(parse_rsync_version("openrsync: protocol version 29"), std::nullopt);
  EXPECT_EQ(parse_rsync_version("rsync version x.y.z"), std::nullopt);
  EXPECT_EQ(parse_rsync_version(""), std::nullopt);
}

struct FailureCase {
  int code;
  const char* text;
  bool is_connected;
  ErrorKind kind;
};

class FailureTest : public testing::TestWithParam<FailureCase> {};

TEST_P(FailureTest, is_of_the_right_kind_in_one_line) {
  const auto& given = GetParam();
  RsyncFailure failure;
  failure.code = given.code;
  failure.text = given.text;
  failure.host = "gpu1";
  failure.is_connected = given.is_connected;
  const re::Error error = describe_failure(failure);
  EXPECT_EQ(error.kind(), given.kind) << error.what();
  EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, FailureTest,
    testing::Values(
        FailureCase{23, "rsync: [sender] link_stat \"/x/a\" failed: No such file or directory (2)\n", true,
                    ErrorKind::not_found},
        FailureCase{11, "rsync: [receiver] write failed on \"/x\": No space left on device (28)\n", true,
                    ErrorKind::remote},
        FailureCase{2, "file has vanished: \"/x/a\"\ninvalid file mode 00 for a [Receiver]\n", false,
                    ErrorKind::unsupported},
        FailureCase{12, "rsync: connection unexpectedly closed (0 bytes received so far) [sender]\n", false,
                    ErrorKind::unreachable},
        FailureCase{255, "", false, ErrorKind::unreachable},
        FailureCase{30, "[sender] io timeout after 60 seconds -- exiting\n", true, ErrorKind::unreachable},
        FailureCase{2, "protocol version mismatch -- is your shell clean?\n", true, ErrorKind::protocol},
        FailureCase{4, "ERROR: rejecting unrequested file-list name: x\n", true, ErrorKind::protocol},
        FailureCase{1, "rsync: --foo: unknown option\n", true, ErrorKind::unsupported},
        FailureCase{20, "", true, ErrorKind::interrupted},
        FailureCase{23, "rsync: [generator] recv_generator: mkdir \"/x\" failed: Permission denied (13)\n",
                    true, ErrorKind::remote}));

}  // namespace
