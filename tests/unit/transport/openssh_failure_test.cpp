#include "transport/openssh_failure.hpp"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace re::transport {
namespace {

struct FailureCase {
  std::string_view log;  // as OpenSSH 9.2 printed it
  ErrorKind kind;
  std::string_view part;
};

TEST(OpensshFailureTest, the_words_of_ssh_are_sorted_by_what_can_be_done) {
  const std::vector<FailureCase> cases = {
      {"debug1: x\nroot@127.0.0.1: Permission denied (publickey,password).\r\n", ErrorKind::auth,
       "Permission denied (publickey,password)"},
      {"Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures\n", ErrorKind::auth,
       "Too many"},
      {"No ED25519 host key is known for gpu1 and you have requested strict checking.\nHost key verification "
       "failed.\n",
       ErrorKind::host_key, "No ED25519 host key is known"},
      {"Host key verification failed.\r\n", ErrorKind::host_key, "verification failed"},
      {"ssh: connect to host 127.0.0.1 port 1: Connection refused\r\n", ErrorKind::unreachable,
       "Connection refused"},
      {"ssh: connect to host 10.1.1.1 port 22: Connection timed out\r\n", ErrorKind::unreachable,
       "timed out"},
      {"Connection timed out during banner exchange\n", ErrorKind::unreachable, "banner exchange"},
      {"ssh: Could not resolve hostname nohost: Name or service not known\r\n", ErrorKind::unreachable,
       "Could not resolve"},
      {"kex_exchange_identification: read: Connection reset by peer\r\nConnection reset by 127.0.0.1 port "
       "9\r\n",
       ErrorKind::unreachable, "kex_exchange_identification"},
      {"stdio forwarding failed\nkex_exchange_identification: Connection closed by remote host\n",
       ErrorKind::unreachable, "kex_exchange"},
      {"Unable to negotiate with 127.0.0.1 port 9: no matching host key type found. Their offer: ssh-dss\n",
       ErrorKind::unsupported, "no matching host key type"},
      {"/tmp/c: line 1: Bad configuration option: nonsense\n/tmp/c: terminating, 1 bad configuration "
       "options\n",
       ErrorKind::config, "Bad configuration option: nonsense"},
      {"Bad owner or permissions on /root/.ssh/config\n", ErrorKind::config, "Bad owner"},
      {"something new\n", ErrorKind::unreachable, "something new"},
      {"debug1: only talk\n", ErrorKind::unreachable, "without a word"},
      {"", ErrorKind::unreachable, "without a word"},
  };
  for (const auto& test : cases) {
    const Error error = openssh_failure("u@gpu1", test.log);
    EXPECT_EQ(error.kind(), test.kind) << test.log;
    EXPECT_NE(error.message().find(test.part), std::string::npos) << error.message();
    EXPECT_NE(error.message().find("u@gpu1"), std::string::npos) << error.message();
    EXPECT_EQ(error.message().find_first_of("\r\n"), std::string::npos) << error.message();
  }
}

TEST(OpensshFailureTest, a_changed_key_names_the_line_and_the_mend) {
  const Error error = openssh_failure(
      "u@gpu1",
      "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n"
      "The fingerprint for the RSA key sent by the remote host is\nSHA256:FRS9mM6H.\n"
      "Offending ED25519 key in /home/u/.ssh/known_hosts:7\n  remove with:\n"
      "  ssh-keygen -f \"/home/u/.ssh/known_hosts\" -R \"gpu1\"\nHost key verification failed.\n");
  EXPECT_EQ(error.kind(), ErrorKind::host_key);
  EXPECT_NE(error.message().find("has changed: the server sent SHA256:FRS9mM6H, Offending ED25519 key in "
                                 "/home/u/.ssh/known_hosts:7"),
            std::string::npos)
      << error.message();
  EXPECT_NE(error.hint().find("ssh-keygen -f \"/home/u/.ssh/known_hosts\" -R \"gpu1\""), std::string::npos);
}

TEST(OpensshFailureTest, control_characters_of_a_server_do_not_pass) {
  const Error error = openssh_failure("u@gpu1", "\x1b[31mfake\x07 Connection closed by x\n");
  EXPECT_EQ(error.message().find('\x1b'), std::string::npos);
  EXPECT_EQ(error.message().find('\x07'), std::string::npos);
}

TEST(OpensshFailureTest, a_server_that_hangs_up_before_it_greets_is_told_from_one_that_is_not_there) {
  EXPECT_TRUE(
      is_turned_away("debug1: x\nkex_exchange_identification: read: Connection reset by peer\n"
                     "Connection reset by 10.0.0.1 port 22\n"));
  EXPECT_FALSE(
      is_turned_away("channel 0: open failed: administratively prohibited: open failed\n"
                     "stdio forwarding failed\nkex_exchange_identification: Connection closed by remote "
                     "host\n"));
  EXPECT_FALSE(is_turned_away("ssh: connect to host gpu1 port 22: Connection refused\n"));
  EXPECT_FALSE(is_turned_away("u@gpu1: Permission denied (publickey).\n"));
}

TEST(OpensshFailureTest, the_banner_is_what_ssh_did_not_say_itself) {
  const std::string_view log =
      "OpenSSH_9.2p1 Debian\ndebug1: Server host key: ssh-ed25519 SHA256:abc\nWelcome!\n  Only for staff.\n"
      "Warning: Permanently added 'gpu1' (ED25519) to the list of known hosts.\n"
      "Authenticated to gpu1 ([10.0.0.1]:22) using \"publickey\".\n";
  EXPECT_EQ(banner_in_log(log), "Welcome!\n  Only for staff.\n");
  EXPECT_EQ(host_key_in_log(log), "ssh-ed25519 SHA256:abc");
  EXPECT_EQ(banner_in_log("debug1: x\n\n"), "");
  EXPECT_EQ(host_key_in_log(""), "");
}

}  // namespace
}  // namespace re::transport
