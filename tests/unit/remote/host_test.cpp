#include "re/remote/host.hpp"

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "remote/marks.hpp"
#include "support/run_to_end.hpp"
#include "transport/local_connection.hpp"

namespace {

using namespace std::chrono_literals;
using re::run_to_end;
using re::remote::ScriptCall;

class HostTest : public testing::Test {
 protected:
  boost::asio::io_context m_io;
  re::remote::Host m_host{re::transport::connect_local(m_io.get_executor(), "/"), "here"};
};

TEST_F(HostTest, a_call_gets_its_arguments_and_gives_code_trailer_and_streams) {
  const ScriptCall call{"f() { printf '[%s]' \"$@\"; echo oops >&2; re_trailer='a b'; return 7; }",
                        "f",
                        {"a b", "it's", "\n$x", ""}};
  const auto answer = run_to_end(m_io, m_host.run(call, 10s));
  EXPECT_EQ(answer.output, "[a b][it's][\n$x][]");
  EXPECT_EQ(answer.error, "oops\n");
  EXPECT_EQ(answer.outcome.code, 7);
  EXPECT_EQ(answer.outcome.trailer, "a b");
}

TEST_F(HostTest, a_call_that_hangs_ends_at_the_deadline) {
  const ScriptCall call{"f() { sleep 1000; }", "f", {}};
  try {
    run_to_end(m_io, m_host.run(call, 200ms));
    FAIL();
  } catch (const re::Error& error) {
    EXPECT_EQ(error.kind(), re::ErrorKind::timeout) << error.what();
  }
}

TEST_F(HostTest, a_shell_that_dies_is_a_lost_connection) {
  const ScriptCall call{"f() { kill -9 $$; }", "f", {}};
  try {
    run_to_end(m_io, m_host.run(call, 10s));
    FAIL();
  } catch (const re::Error& error) {
    EXPECT_EQ(error.kind(), re::ErrorKind::unreachable) << error.what();
  }
}

TEST(ScriptTest, cut_at_every_byte_it_has_no_effect) {
  const re::sys::TemporaryDirectory directory("re-test");
  const std::string file = directory.path() / "made";
  const ScriptCall call{"f() { : > \"$1\"; }", "f", {file}};
  const std::string script = re::remote::render_library(call.library) + re::remote::render_call(call, "0123");
  const std::vector<std::vector<std::string>> shells = {{"dash"}, {"busybox", "sh"}, {"bash", "--posix"}};
  for (const auto& shell : shells) {
    for (std::size_t size = 0; size + 1 < script.size(); ++size) {  // without the last newline it is whole
      auto command = shell;
      command.insert(command.end(), {"-c", script.substr(0, size)});
      re::sys::run_captured(command);
      ASSERT_FALSE(std::filesystem::exists(file)) << shell[0] << " ran a script cut at " << size;
    }
  }
}

TEST(MarkScannerTest, finds_marks_however_the_stream_is_cut) {
  const std::string stream =
      "noise\036RE1 no\036RE1 nonce BEGIN\npay\nload\036RE1 nonc\036RE1 nonce END 3 the trailer\nafter";
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    re::remote::MarkScanner scanner("nonce");
    std::string payload;
    for (std::size_t at = 0; at < stream.size(); at += step) payload += scanner.feed(stream.substr(at, step));
    EXPECT_EQ(payload, "pay\nload\036RE1 nonc") << step;
    ASSERT_TRUE(scanner.outcome()) << step;
    EXPECT_EQ(scanner.outcome()->code, 3);
    EXPECT_EQ(scanner.outcome()->trailer, "the trailer");
  }
}

TEST(MarkScannerTest, what_follows_the_end_or_never_ends_is_not_kept) {
  re::remote::MarkScanner scanner("nonce");
  EXPECT_EQ(scanner.feed("\036RE1 nonce BEGIN\n\036RE1 nonce END 3 " + std::string(10'000, 'x')), "");
  EXPECT_FALSE(scanner.outcome());
  EXPECT_EQ(scanner.feed(std::string(60'000, 'x')), "");
  ASSERT_TRUE(scanner.outcome());
  EXPECT_EQ(scanner.outcome()->code, 3);
  EXPECT_EQ(scanner.feed("\036RE1 nonce BEGIN\nmore"), "");
  EXPECT_EQ(scanner.flush(), "");
}

TEST(MarkScannerTest, a_line_is_passed_on_whole) {
  re::remote::MarkScanner scanner("nonce");
  EXPECT_EQ(scanner.feed("\036RE1 nonce BEGIN\na line\n"), "a line\n");
}

TEST(MarkScannerTest, a_stream_without_end_gives_what_it_held_back) {
  re::remote::MarkScanner scanner("nonce");
  std::string payload = scanner.feed("\036RE1 nonce BEGIN\nx\036RE1 nonce EN");
  payload += scanner.flush();
  EXPECT_EQ(payload, "x\036RE1 nonce EN");
  EXPECT_FALSE(scanner.outcome());
}

}  // namespace
