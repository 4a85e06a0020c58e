#include "transport/mux_protocol.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "re/base/encoding.hpp"

namespace re::transport::mux {
namespace {

TEST(MuxProtocolTest, messages_are_those_of_the_specification) {
  EXPECT_EQ(to_hex(hello()), "000000080000000100000004");
  EXPECT_EQ(to_hex(alive_check()), "000000081000000400000000");
  SessionRequest request;
  request.command = "ls";
  request.wants_tty = true;
  request.term = "vt1";
  EXPECT_EQ(to_hex(new_session(request)),
            "0000002d"
            "10000002"
            "00000000"
            "00000000"
            "00000001"
            "00000000"
            "00000000"
            "00000000"
            "ffffffff"
            "00000003"
            "767431"
            "00000002"
            "6c73");
  EXPECT_EQ(to_hex(stdio_forward("h", 258)),
            "00000015"
            "10000008"
            "00000000"
            "00000000"
            "00000001"
            "68"
            "00000102");
}

TEST(MuxProtocolTest, replies_are_understood) {
  const auto exit =
      parse_reply(*from_hex("80000004"
                            "00000002"
                            "00000007"));
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->type, Type::exit_message);
  EXPECT_EQ(exit->value, 7U);
  const auto failure =
      parse_reply(*from_hex("80000003"
                            "00000000"
                            "00000002"
                            "6e6f"));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->reason, "no");
  const auto hello = parse_reply(*from_hex("0000000100000004"));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->type, Type::hello);
  EXPECT_EQ(hello->value, 4U);
  const auto ok = parse_reply(*from_hex("8000000100000000"));
  ASSERT_TRUE(ok);
  EXPECT_EQ(ok->type, Type::ok);
}

TEST(MuxProtocolTest, a_reply_that_is_cut_is_none) {
  EXPECT_FALSE(parse_reply(""));
  EXPECT_FALSE(parse_reply(*from_hex("80000004")));
  EXPECT_FALSE(parse_reply(*from_hex("8000000400000002")));
  EXPECT_FALSE(parse_reply(*from_hex("8000000300000000ffffffff")));
}

}  // namespace
}  // namespace re::transport::mux
