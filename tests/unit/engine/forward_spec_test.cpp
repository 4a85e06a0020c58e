#include <gtest/gtest.h>

#include <random>

#include "re/engine/forward.hpp"

namespace {

using re::engine::ForwardSpec;
using re::engine::parse_forward;

TEST(ForwardSpecTest, the_forms_of_ssh_are_read) {
  EXPECT_EQ(parse_forward("8888").value(), (ForwardSpec{"", 0, "localhost", 8888}));
  EXPECT_EQ(parse_forward("0:8888").value(), (ForwardSpec{"", 0, "localhost", 8888}));
  EXPECT_EQ(parse_forward("80:8888").value(), (ForwardSpec{"", 80, "localhost", 8888}));
  EXPECT_EQ(parse_forward("80:db.lan:5432").value(), (ForwardSpec{"", 80, "db.lan", 5432}));
  EXPECT_EQ(parse_forward("80:[::1]:5432").value(), (ForwardSpec{"", 80, "::1", 5432}));
  EXPECT_EQ(parse_forward("*:80:5432").value(), (ForwardSpec{"*", 80, "localhost", 5432}));
  EXPECT_EQ(parse_forward("10.0.0.1:80:db:5432").value(), (ForwardSpec{"10.0.0.1", 80, "db", 5432}));
  EXPECT_EQ(parse_forward("[::]:0:[fe80::1]:65535").value(), (ForwardSpec{"::", 0, "fe80::1", 65535}));
}

TEST(ForwardSpecTest, what_is_unclear_is_refused_and_says_why) {
  for (const auto* text : {"",
                           ":",
                           "0",
                           "80:0",
                           "65536",
                           "80:",
                           ":80",
                           "-1",
                           "+5",
                           "8 0",
                           "80:80:80",
                           "db:80",
                           "80:db:",
                           "::1:80:90",
                           "80:[::1:90",
                           "80:[::1]90",
                           "a:b:c:1",
                           "1:2:3:4:5",
                           ":80:db:90",
                           "80:-oProxyCommand=x:90",
                           "80:a b:90",
                           "80:\x1b[2J:90",
                           "http://db:80",
                           "*:80",
                           "80:*:90",
                           "]2:6:79"}) {
    const auto spec = parse_forward(text);
    ASSERT_FALSE(spec) << text;
    EXPECT_EQ(spec.error().kind(), re::ErrorKind::usage);
    EXPECT_NE(spec.error().hint(), "");
  }
}

TEST(ForwardSpecTest, what_is_read_can_be_written_and_read_again) {
  const auto seed = std::random_device()();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  constexpr std::string_view k_letters = "0123456789:[]*a.-";
  for (int trial = 0; trial < 100'000; ++trial) {
    std::string text(random() % 12, '0');
    for (char& letter : text) letter = k_letters[random() % k_letters.size()];
    const auto spec = parse_forward(text);
    if (!spec) continue;
    const std::string bind = spec->bind.empty() ? "" : "[" + spec->bind + "]:";
    const auto again = parse_forward(bind + std::to_string(spec->local_port) + ":" +
                                     re::engine::address_text(spec->host, spec->remote_port));
    ASSERT_TRUE(again) << text;
    EXPECT_EQ(*again, *spec) << text;
  }
}

}  // namespace
