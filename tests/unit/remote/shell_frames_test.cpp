#include "remote/shell_frames.hpp"

#include <gtest/gtest.h>

#include "re/base/error.hpp"
#include "re/remote/remote_shell.hpp"

namespace {

using namespace re::remote;

TEST(ShellFramesTest, come_back_as_they_went_however_they_are_cut) {
  const std::vector<std::string> words = {"rsync", "--server", "", "a b\n\xff"};
  const std::string stream = encode_request(words) + encode_exit(23);
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    FrameBuffer frames;
    std::vector<std::string> payloads;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      frames.feed(stream.substr(at, step));
      while (auto payload = frames.next()) payloads.push_back(*payload);
    }
    ASSERT_EQ(payloads.size(), 2U);
    EXPECT_EQ(parse_request(payloads[0]), words);
    EXPECT_EQ(parse_exit(payloads[1]), 23);
  }
}

TEST(ShellFramesTest, every_cut_or_lengthened_payload_is_refused) {
  const std::string payload = encode_request(std::vector<std::string>{"rsync", "--server"}).substr(4);
  for (std::size_t size = 0; size < payload.size(); ++size) {
    EXPECT_THROW(parse_request(payload.substr(0, size)), re::Error) << size;
  }
  EXPECT_THROW(parse_request(payload + "x"), re::Error);
  EXPECT_THROW(parse_exit(payload), re::Error);
}

TEST(ShellFramesTest, hostile_numbers_are_refused) {
  FrameBuffer frames;
  frames.feed(std::string("\xff\xff\xff\xff", 4));
  EXPECT_THROW(frames.next(), re::Error);
  EXPECT_THROW(parse_request(std::string("\1\1\xff\xff\xff\xff", 6)), re::Error);
  EXPECT_THROW(parse_request(std::string("\1\1\0\0\0\1\xff\xff\xff\xff", 10)), re::Error);
  EXPECT_THROW(parse_request(std::string("\2\1\0\0\0\0", 6)), re::Error);
  EXPECT_THROW(parse_request(std::string("\1\1\0\0\0\1\0\0\0\1\0", 11)), re::Error);
  EXPECT_THROW(parse_exit(std::string("\1\2\0\0\1\0", 6)), re::Error);
  EXPECT_THROW(encode_request(std::vector<std::string>{std::string(70000, 'x')}), re::Error);
}

TEST(RemoteShellTest, called_by_hand_says_what_it_is) {
  const std::vector<std::vector<std::string>> calls = {
      {}, {"3"}, {"x", "re", "rsync"}, {"0", "re", "rsync"}, {"1000", "re", "rsync"}};
  for (const auto& arguments : calls) EXPECT_THROW(remote_shell_main(arguments), re::Error);
}

}  // namespace
