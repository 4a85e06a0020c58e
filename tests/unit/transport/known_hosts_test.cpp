#include "transport/known_hosts.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "re/base/encoding.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"

namespace re::transport {
namespace {

// Made with ssh-keygen for this test; the private halves are gone.
constexpr std::string_view k_ed25519 =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIALLLmgZdZ7iqcS/1NZsFdroFde6VfwrQMMgDPjVOyRD";

std::string wire(std::string_view value) {
  std::string text;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) text += static_cast<char>((value.size() >> shift) & 0xffU);
  return text + std::string(value);
}

std::string rsa_blob(std::string_view exponent, std::string_view modulus) {
  return wire("ssh-rsa") + wire(exponent) + wire(modulus);
}

const std::string& modulus_2048() {
  static const std::string k_modulus = std::string(1, '\0') + std::string(256, '\x93');
  return k_modulus;
}

std::string line(std::string_view hosts) {
  return std::string(hosts) + " " + std::string(k_ed25519) + "\n";
}

TEST(known_hosts, garbage_hides_no_later_line) {
  const std::string text =
      "\n# comment\n   \n!!!\ngpu1\ngpu1 ssh-ed25519\ngpu1 ssh-ed25519 not/base64\n"
      "gpu1 1024 35 123456789\n@unknown gpu1 ssh-ed25519 AAAA\n" +
      std::string(100000, 'x') + "\n" + line("gpu1");
  const auto lines = parse_known_hosts(text);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].number, 11U);
  EXPECT_EQ(lines[0].hosts, "gpu1");
  EXPECT_EQ(lines[0].type, "ssh-ed25519");
}

TEST(known_hosts, tabs_crlf_comments_and_a_missing_last_newline_are_read) {
  const std::string key(k_ed25519.substr(12));
  const std::string text = "\t gpu1\t \tssh-ed25519\t" + key + "\r\ngpu2 ssh-ed25519 " + key +
                           " a comment\r\ngpu3 ssh-ed25519 " + key;
  const auto lines = parse_known_hosts(text);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].blob, from_base64(key));
  EXPECT_EQ(lines[2].hosts, "gpu3");
}

TEST(known_hosts, markers_are_told_apart_and_a_second_one_voids_the_line) {
  const auto lines = parse_known_hosts("@revoked " + line("*") + "@cert-authority " + line("*.example") +
                                       "@revoked @cert-authority " + line("*") + "@REVOKED " + line("*"));
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].marker, KnownHostsMarker::revoked);
  EXPECT_EQ(lines[1].marker, KnownHostsMarker::cert_authority);
}

TEST(known_hosts, a_type_that_is_not_that_of_the_key_voids_the_line_but_not_a_revocation) {
  const std::string key(k_ed25519.substr(12));
  EXPECT_TRUE(parse_known_hosts("gpu1 ssh-rsa " + key + "\n").empty());
  const auto revoked = parse_known_hosts("@revoked gpu1 ssh-rsa " + key + "\n");
  ASSERT_EQ(revoked.size(), 1U);
  EXPECT_EQ(revoked[0].type, "ssh-ed25519");
}

TEST(known_hosts, text_after_a_nul_byte_does_not_count) {
  EXPECT_TRUE(parse_known_hosts(std::string("gpu1 \0", 6) + std::string(k_ed25519) + "\n").empty());
}

struct HostCase {
  std::string_view hosts;
  std::string_view name;
  bool matches;
};

TEST(known_hosts, host_fields_match_as_in_openssh) {
  const std::string too_long = "gpu1," + std::string(1023, 'x');
  const std::vector<HostCase> cases = {
      {"gpu1", "gpu1", true},
      {"GPU1", "gpu1", true},
      {"gpu1", "gpu10", false},
      {"a,gpu1,b", "gpu1", true},
      {"gpu?", "gpu1", true},
      {"gpu?", "gpu", false},
      {"*", "[gpu1]:2222", true},
      {"*.example", "gpu1.example", true},
      {"*.example", ".example", true},
      {"*.example", "example", false},
      {"gpu*,!gpu1", "gpu1", false},
      {"!gpu1,gpu*", "gpu1", false},
      {"!gpu1,gpu*", "gpu2", true},
      {"!gpu1", "gpu2", false},
      {"!!gpu1", "gpu1", false},
      {"", "gpu1", false},
      {",gpu1,,", "gpu1", true},
      {"[gpu1]:2222", "[gpu1]:2222", true},
      {"[gpu1]:2222", "gpu1", false},
      {"gpu1", "[gpu1]:2222", false},
      {"*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
      {too_long, "gpu1", false},
      {"|1|short|hash", "gpu1", false},
      {"|2|", "gpu1", false},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(names_host(test.hosts, test.name), test.matches) << test.hosts << " against " << test.name;
  }
}

TEST(known_hosts, a_hashed_name_matches_only_its_host) {
  // Written by `ssh-keygen -H` (OpenSSH 9.2) for "gpu1.example".
  const std::string hashed = "|1|TjmS2eX1/db+ogKLuQzbnHcOd5k=|8tIbYOvzBOAL/xk0GjXhwo+XMbo=";
  EXPECT_TRUE(names_host(hashed, "gpu1.example"));
  EXPECT_FALSE(names_host(hashed, "gpu2.example"));
  EXPECT_FALSE(names_host(hashed + "x", "gpu1.example"));
  EXPECT_FALSE(names_host(hash_name("gpu1.example", "short salt"), "gpu1.example"));
  EXPECT_FALSE(names_host(hashed + ",gpu2.example", "gpu2.example"));
}

TEST(known_hosts, the_lookup_name_has_a_port_only_when_it_is_not_22) {
  EXPECT_EQ(lookup_name("GPU1.Example", 22), "gpu1.example");
  EXPECT_EQ(lookup_name("GPU1.Example", 2222), "[gpu1.example]:2222");
  EXPECT_EQ(lookup_name("::1", 22), "::1");
}

TEST(known_hosts, another_spelling_of_an_rsa_key_is_the_same_key) {
  const std::string plain = rsa_blob({"\1\0\1", 3}, modulus_2048());
  EXPECT_EQ(canonical_key_blob("ssh-rsa", plain), plain);
  EXPECT_EQ(canonical_key_blob("ssh-rsa", rsa_blob({"\0\0\1\0\1", 5}, std::string(3, '\0') + modulus_2048())),
            plain);
}

TEST(known_hosts, keys_that_openssh_cannot_read_are_none) {
  const std::string_view e("\1\0\1", 3);
  EXPECT_FALSE(canonical_key_blob("ssh-rsa", rsa_blob(e, modulus_2048()) + "x"));
  EXPECT_FALSE(canonical_key_blob("ssh-rsa", rsa_blob(e, std::string(256, '\x93'))));           // negative
  EXPECT_FALSE(canonical_key_blob("ssh-rsa", rsa_blob(e, '\0' + std::string(127, '\x93'))));    // 1016 bits
  EXPECT_FALSE(canonical_key_blob("ssh-rsa", rsa_blob(e, '\x7f' + std::string(127, '\x93'))));  // 1023 bits
  EXPECT_TRUE(canonical_key_blob("ssh-rsa", rsa_blob(e, std::string(1, '\0') + std::string(128, '\x93'))));
  EXPECT_FALSE(canonical_key_blob("ssh-ed25519", wire("ssh-ed25519") + wire(std::string(31, 'k'))));
  EXPECT_FALSE(
      canonical_key_blob("ssh-ed25519", wire("ssh-ed25519") + wire(std::string(32, 'k')) + wire("")));
  EXPECT_FALSE(canonical_key_blob("ssh-ed25519", wire("ssh-rsa") + wire(std::string(32, 'k'))));
  const std::string head = wire("ecdsa-sha2-nistp256") + wire("nistp256");
  EXPECT_TRUE(canonical_key_blob("ecdsa-sha2-nistp256", head + wire('\4' + std::string(64, 'p'))));
  EXPECT_FALSE(
      canonical_key_blob("ecdsa-sha2-nistp256", head + wire('\2' + std::string(32, 'p'))));  // compressed
  EXPECT_FALSE(canonical_key_blob("ecdsa-sha2-nistp256", ""));
  EXPECT_FALSE(canonical_key_blob("ecdsa-sha2-nistp256", std::string("\xff\xff\xff\xff", 4)));
}

TEST(known_hosts, appending_ends_a_line_without_newline_and_repeats_nothing) {
  const sys::TemporaryDirectory directory("re-known-hosts");
  const auto file = directory.path() / "known_hosts";
  sys::write_file_atomic(file, "old line");
  append_known_host(file, "new line");
  append_known_host(file, "new line");
  EXPECT_EQ(sys::read_file(file), "old line\nnew line\n");
}

TEST(known_hosts, appending_makes_a_private_file_in_a_private_directory) {
  const sys::TemporaryDirectory directory("re-known-hosts");
  const auto file = directory.path() / ".ssh" / "known_hosts";
  append_known_host(file, "line");
  struct stat status{};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  ASSERT_EQ(::stat(file.parent_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0700U);
}

TEST(known_hosts, appending_from_many_threads_loses_no_line) {
  const sys::TemporaryDirectory directory("re-known-hosts");
  const auto file = directory.path() / "known_hosts";
  constexpr int k_writers = 8;
  constexpr int k_lines = 50;
  {
    std::vector<std::jthread> writers;
    for (int writer = 0; writer < k_writers; ++writer) {
      writers.emplace_back([&file, writer] {
        for (int i = 0; i < k_lines; ++i)
          append_known_host(file, std::to_string(writer) + "." + std::to_string(i));
      });
    }
  }
  const std::string text = sys::read_file(file);
  auto lines = split_lines(text);
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines.size(), std::size_t{k_writers * k_lines});
  EXPECT_EQ(std::unique(lines.begin(), lines.end()), lines.end());
}

}  // namespace
}  // namespace re::transport
