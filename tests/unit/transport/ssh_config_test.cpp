#include "transport/ssh_config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "async_runner.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"
#include "transport/ssh_config_memory.hpp"

namespace re::transport {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

EffectiveConfig effective(const Target& target) {
  SshConfigMemory memory({}, 5s);
  test::AsyncRunner runner;
  return runner.run([&] { return effective_ssh_config(target, memory); });
}

TEST(SshConfig, reads_every_keyword_that_counts) {
  const auto config =
      parse_ssh_config(
          "host x\nuser alice\nhostname h.example\nport 2222\naddressfamily inet6\n"
          "identityfile ~/.ssh/a\nidentityfile ~/.ssh/b\ncertificatefile /c\nidentitiesonly yes\n"
          "identityagent none\nproxyjump j\nuserknownhostsfile /u1 /u2\nglobalknownhostsfile /g\n"
          "stricthostkeychecking accept-new\nhostkeyalias alias\nconnecttimeout 7\n"
          "serveraliveinterval 5\nserveralivecountmax 2\ngssapiauthentication yes\n"
          "kexalgorithms k1,k2\nciphers c1\nmacs m1,m2\nhostkeyalgorithms h1\n"
          "passwordauthentication no\nkbdinteractiveauthentication no\npubkeyauthentication false\n"
          "preferredauthentications password,publickey\nbindaddress 10.0.0.1\nhashknownhosts yes\n")
          .value();
  EXPECT_EQ(config.user, "alice");
  EXPECT_EQ(config.hostname, "h.example");
  EXPECT_EQ(config.port, 2222);
  EXPECT_EQ(config.address_family, AddressFamily::ipv6);
  EXPECT_THAT(config.identity_files, ElementsAre("~/.ssh/a", "~/.ssh/b"));
  EXPECT_THAT(config.certificate_files, ElementsAre("/c"));
  EXPECT_TRUE(config.identities_only);
  EXPECT_EQ(config.identity_agent, "none");
  EXPECT_EQ(config.proxy_jump, "j");
  EXPECT_THAT(config.user_known_hosts, ElementsAre("/u1", "/u2"));
  EXPECT_THAT(config.global_known_hosts, ElementsAre("/g"));
  EXPECT_EQ(config.strict_host_key_checking, "accept-new");
  EXPECT_EQ(config.host_key_alias, "alias");
  EXPECT_EQ(config.connect_timeout, 7s);
  EXPECT_EQ(config.server_alive_interval, 5s);
  EXPECT_EQ(config.server_alive_count_max, 2U);
  EXPECT_TRUE(config.gssapi_authentication);
  EXPECT_THAT(config.kex_algorithms, ElementsAre("k1", "k2"));
  EXPECT_THAT(config.ciphers, ElementsAre("c1"));
  EXPECT_THAT(config.macs, ElementsAre("m1", "m2"));
  EXPECT_THAT(config.host_key_algorithms, ElementsAre("h1"));
  EXPECT_FALSE(config.password_authentication);
  EXPECT_FALSE(config.keyboard_interactive_authentication);
  EXPECT_FALSE(config.publickey_authentication);
  EXPECT_THAT(config.preferred_authentications, ElementsAre("password", "publickey"));
  EXPECT_EQ(config.bind_address, "10.0.0.1");
  EXPECT_TRUE(config.hash_known_hosts);
}

TEST(SshConfig, refuses_values_that_cannot_be_right) {
  for (const auto* text : {"port 0", "port 65536", "port x", "connecttimeout -1", "serveraliveinterval 1m",
                           "identitiesonly maybe", "addressfamily inet7", "serveralivecountmax -1"}) {
    EXPECT_FALSE(parse_ssh_config(text).has_value()) << text;
  }
}

TEST(SshConfig, survives_any_text) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 generator(seed);
  const std::string alphabet("port user yes\n\0,-9~%\xff\r\t", 24);
  for (int round = 0; round < 2000; ++round) {
    std::string text(generator() % 60, ' ');
    for (auto& byte : text) byte = alphabet[generator() % alphabet.size()];
    (void)parse_ssh_config(text).has_value();
    (void)parse_proxy_jump(text).has_value();
    (void)expand_path(text, PathTokens{}).has_value();
  }
}

TEST(SshConfig, understands_what_the_ssh_of_this_machine_prints) {
  if (!sys::find_program("ssh", sys::process_environment())) GTEST_SKIP() << "no ssh here";
  const sys::TemporaryDirectory directory;
  Target target;
  target.host = "alias";
  target.user = "bob";
  target.port = static_cast<unsigned short>(2200);
  target.ssh_config = directory.path() / "config";
  target.identity_files = {"/named/key"};
  sys::write_file_atomic(*target.ssh_config,
                         "Host alias\n HostName real.example\n User alice\n Port 1\n IdentityFile ~/k-%h-%r\n"
                         " ProxyJump jump:2,other\n UserKnownHostsFile /kh\n");
  const EffectiveConfig config = effective(target);
  EXPECT_EQ(config.hostname, "real.example");
  EXPECT_EQ(config.user, "bob");
  EXPECT_EQ(config.port, 2200);
  const std::string home = sys::user_paths(sys::process_environment()).home;
  EXPECT_THAT(config.identity_files, ElementsAre("/named/key", home + "/k-real.example-bob"));
  EXPECT_EQ(config.proxy_jump, "jump:2,other");
  EXPECT_THAT(config.user_known_hosts, ElementsAre("/kh"));
  EXPECT_FALSE(config.ciphers.empty());
  EXPECT_FALSE(config.kex_algorithms.empty());
}

TEST(SshConfig, passes_on_why_ssh_refuses_its_configuration) {
  if (!sys::find_program("ssh", sys::process_environment())) GTEST_SKIP() << "no ssh here";
  const sys::TemporaryDirectory directory;
  Target target;
  target.host = "h";
  target.ssh_config = directory.path() / "config";
  sys::write_file_atomic(*target.ssh_config, "Nonsense yes\n");
  try {
    effective(target);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::config);
    EXPECT_THAT(error.what(), HasSubstr("bad configuration options"));
  }
}

TEST(SshConfig, refuses_hosts_and_users_that_look_like_options) {
  Target target;
  target.host = "-oProxyCommand=true";
  EXPECT_THROW(effective(target), Error);
  target.host = "h";
  target.user = "-l";
  EXPECT_THROW(effective(target), Error);
}

TEST(SshConfig, expands_paths) {
  const PathTokens tokens{"/home/me", "me", "laptop.lan", "real", "alias", "alice", "2200"};
  EXPECT_EQ(expand_path("~/.ssh/id", tokens), "/home/me/.ssh/id");
  EXPECT_EQ(expand_path("/k/%d/%h/%n/%r/%u/%p/%l/%L/%%", tokens),
            "/k//home/me/real/alias/alice/me/2200/laptop.lan/laptop/%");
  EXPECT_EQ(expand_path("/k/%C", tokens), std::nullopt);
  EXPECT_EQ(expand_path("~other/k", tokens), std::nullopt);
  EXPECT_EQ(expand_path("/k%", tokens), std::nullopt);
  EXPECT_EQ(expand_path("/run/%i", tokens), std::nullopt);
  ::setenv("RE_TEST_KEYS", "/keys", 1);
  EXPECT_EQ(expand_path("${RE_TEST_KEYS}/%r}", tokens), "/keys/alice}");
  ::unsetenv("RE_TEST_KEYS");
  EXPECT_EQ(expand_path("${RE_TEST_KEYS}/k", tokens), std::nullopt);
  EXPECT_EQ(expand_path("${RE_TEST_KEYS", tokens), std::nullopt);
}

TEST(SshConfig, without_an_ssh_client_a_host_has_its_defaults) {
  Target target;
  target.host = "gpu1";
  target.user = "ann";
  auto config = default_ssh_config(target, "/home/ann");
  EXPECT_EQ(config.hostname, "gpu1");
  EXPECT_EQ(config.user, "ann");
  EXPECT_EQ(config.port, 22);
  EXPECT_THAT(config.identity_files, testing::Contains("/home/ann/.ssh/id_ed25519"));
  EXPECT_THAT(config.user_known_hosts, testing::Contains("/home/ann/.ssh/known_hosts"));
  EXPECT_THAT(config.global_known_hosts, testing::Contains("/etc/ssh/ssh_known_hosts"));
  target.port = 2222;
  target.user.clear();
  config = default_ssh_config(target, "/home/ann");
  EXPECT_EQ(config.port, 2222);
  EXPECT_EQ(config.user, sys::user_name());
}

TEST(SshConfig, reads_jump_hosts) {
  const auto hops = parse_proxy_jump("a@one:22,two,ssh://b@[fe80::1]:2200/").value();
  ASSERT_EQ(hops.size(), 3U);
  EXPECT_EQ(hops[0].user, "a");
  EXPECT_EQ(hops[0].host, "one");
  EXPECT_EQ(hops[0].port, 22);
  EXPECT_EQ(hops[1].host, "two");
  EXPECT_FALSE(hops[1].port);
  EXPECT_EQ(hops[2].host, "fe80::1");
  EXPECT_EQ(hops[2].port, 2200);
  for (const auto* text : {"", "a,,b", "-x", "h:0", "h:x", "[a", "u@", "-u@h"}) {
    EXPECT_FALSE(parse_proxy_jump(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace re::transport
