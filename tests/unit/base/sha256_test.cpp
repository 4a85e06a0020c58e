#include "re/base/sha256.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

// FIPS 180-4's examples
// (https://csrc.nist.gov/projects/cryptographic-standards-and-guidelines/example-values).
TEST(Sha256Test, the_examples_of_the_standard) {
  EXPECT_EQ(re::sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(re::sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(re::sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256Test, pieces_give_what_the_whole_gives) {
  re::Sha256 hash;
  std::string whole;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 97), static_cast<char>(i));
    hash.add(piece);
    whole += piece;
  }
  EXPECT_EQ(hash.finish(), re::sha256(whole));
}

}  // namespace
