#include "re/engine/notebook.hpp"

#include <gtest/gtest.h>

namespace {

using re::engine::parse_http_status;

TEST(HttpStatusTest, the_first_line_says_it) {
  EXPECT_EQ(parse_http_status("HTTP/1.1 200 OK\r\nServer: x\r\n"), 200);
  EXPECT_EQ(parse_http_status("HTTP/1.0 403\n"), 403);
}

TEST(HttpStatusTest, a_line_that_is_not_whole_says_nothing_yet) {
  EXPECT_EQ(parse_http_status(""), std::nullopt);
  EXPECT_EQ(parse_http_status("HTTP/1.1 20"), std::nullopt);
}

TEST(HttpStatusTest, another_protocol_is_told_apart) {
  EXPECT_EQ(parse_http_status("SSH-2.0-OpenSSH_9.2\r\n"), 0);
  EXPECT_EQ(parse_http_status("HTTP/1.1 2000 OK\n"), 0);
  EXPECT_EQ(parse_http_status("\n"), 0);
  EXPECT_EQ(parse_http_status(std::string(2000, 'x')), 0);
}

}  // namespace
