#include "remote/block_hash.hpp"

#include <gtest/gtest.h>

namespace {

using namespace re::remote;

TEST(BlockHashTest, its_digits_are_those_of_b2sum_and_sha256sum) {
  BlockHash blake(*parse_digest("blake2b"));
  blake.add("ab");
  blake.add("c");
  EXPECT_EQ(blake.take().substr(0, 32), "ba80a53f981c4d0d6a2797b69f12f6e9");  // RFC 7693, appendix A
  BlockHash sha(*parse_digest("sha256"));
  sha.add("x");
  sha.take();
  sha.add("abc");
  EXPECT_EQ(sha.take().substr(0, 32), "ba7816bf8f01cfea414140de5dae2223");  // FIPS 180-2, appendix B
  EXPECT_FALSE(parse_digest("md5"));
}

}  // namespace
