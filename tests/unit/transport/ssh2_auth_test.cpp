#include "transport/ssh2_auth.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "re/base/strings.hpp"
#include "unit/transport/ssh2_client.hpp"

namespace re::transport {
namespace {

using test::SshAgentFixture;
using test::SshdFixture;
using test::SshdOptions;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// The fixture's ssh_config with other lines in front (the first value counts).
std::filesystem::path config_with(const SshdFixture& sshd, const std::string& lines) {
  const auto path = sshd.directory() / "ssh_config.changed";
  sys::write_file_atomic(path, "Host *\n" + lines + "\n" + sys::read_file(sshd.ssh_config()));
  return path;
}

/// A client that has no key that the server knows.
Target without_key(const SshdFixture& sshd, const std::string& lines = "") {
  Target target = sshd.target();
  target.ssh_config = config_with(sshd, lines);
  const std::string text = sys::read_file(*target.ssh_config);
  sys::write_file_atomic(*target.ssh_config,
                         replace_all(text, "IdentityFile " + sshd.key().string(), "IdentityFile none"));
  return target;
}

TEST(Ssh2Auth, denies_with_the_methods_that_the_server_named) {
  const SshdFixture sshd;
  Target target = without_key(sshd);
  target.identity_files = {sshd.make_key("stranger")};
  Client client(target);
  const Error error = client.failure_of_connect();
  EXPECT_EQ(error.kind(), ErrorKind::auth);
  EXPECT_THAT(error.what(), HasSubstr("permission denied (publickey,password"));
  EXPECT_THAT(error.what(), HasSubstr(sshd.user() + "@127.0.0.1"));
}

TEST(Ssh2Auth, names_a_key_file_that_is_not_there) {
  const SshdFixture sshd;
  Target target = without_key(sshd, "PasswordAuthentication no");
  target.identity_files = {"/nonexistent/key"};
  Client client(target);
  EXPECT_THAT(client.failure_of_connect().what(), HasSubstr("cannot read /nonexistent/key"));
}

TEST(Ssh2Auth, logs_in_with_every_kind_of_key_that_libssh2_can_use) {
  [[maybe_unused]] const LibraryLeak tolerated;
  const SshdFixture sshd;
  for (const std::string type : {"ed25519", "ecdsa"}) {
    Target target = without_key(sshd);
    const auto key = sshd.make_key("key_" + type, type);
    sshd.authorize(key);
    target.identity_files = {key};
    Client client(target);
    client.connect();
    EXPECT_EQ(client.runner.run(client.exec("exit 3")->wait()).code, 3) << type;
  }
}

TEST(Ssh2Auth, sends_rsa_keys_to_openssh_when_the_server_refuses_sha1) {
  if (has_rsa_sha2()) GTEST_SKIP() << "this libssh2 signs with SHA-2";
  const SshdFixture sshd;
  Target target = without_key(sshd);
  target.identity_files = {sshd.make_key("rsa", "rsa")};
  sshd.authorize(target.identity_files.front());
  Client client(target);
  const Error error = client.failure_of_connect();
  EXPECT_EQ(error.kind(), ErrorKind::unsupported) << error.what();
  EXPECT_THAT(client.prompter.asked, IsEmpty());
}

TEST(Ssh2Auth, logs_in_with_an_agent) {
  const SshdFixture sshd;
  const SshAgentFixture agent;
  agent.add(sshd.key());
  agent.add(sshd.make_key("ecdsa_of_agent", "ecdsa"));
  Client client(without_key(sshd, "IdentitiesOnly no\nIdentityAgent " + agent.socket().string()));
  client.connect();
  EXPECT_EQ(client.runner.run(client.exec("exit 3")->wait()).code, 3);
}

TEST(Ssh2Auth, signs_ecdsa_by_an_agent) {
  const SshdFixture sshd;
  const SshAgentFixture agent;
  const auto key = sshd.make_key("ecdsa_of_agent", "ecdsa");
  sshd.authorize(key);
  agent.add(key);
  Client client(without_key(sshd, "IdentitiesOnly no\nIdentityAgent " + agent.socket().string()));
  client.connect();
}

TEST(Ssh2Auth, uses_only_the_configured_keys_of_an_agent_with_identities_only) {
  const SshdFixture sshd;
  const SshAgentFixture agent;
  agent.add(sshd.key());
  const std::string lines =
      "IdentitiesOnly yes\nPasswordAuthentication no\nIdentityAgent " + agent.socket().string();
  {
    Client client(without_key(sshd, lines));
    EXPECT_EQ(client.failure_of_connect().kind(), ErrorKind::auth);
  }
  Target target = without_key(sshd, lines);
  target.identity_files = {sshd.key().string() + ".pub"};  // the private half is the agent's
  Client client(target);
  client.connect();
}

TEST(Ssh2Auth, goes_on_with_key_files_when_the_agent_is_gone) {
  const SshdFixture sshd;
  Target target = sshd.target();
  target.ssh_config = config_with(sshd, "IdentityAgent /nonexistent/agent");
  Client client(target);
  client.connect();
}

TEST(Ssh2Auth, asks_for_the_passphrase_of_a_key_that_the_server_wants) {
  [[maybe_unused]] const LibraryLeak tolerated;
  const SshdFixture sshd;
  for (const std::string type : {"ed25519", "ecdsa"}) {
    Target target = without_key(sshd);
    const auto key = sshd.make_key("locked_" + type, type, "open sesame");
    sshd.authorize(key);
    target.identity_files = {key};
    Client client(target);
    client.prompter.secrets = {"wrong", "open sesame"};
    client.connect();
    const std::string prompt = "Enter passphrase for key '" + key.string() + "': ";
    EXPECT_THAT(client.prompter.asked, ElementsAre(prompt, prompt));
  }
}

TEST(Ssh2Auth, does_not_ask_for_the_passphrase_of_a_key_that_the_server_does_not_want) {
  const SshdFixture sshd;
  Target target = without_key(sshd, "PasswordAuthentication no");
  target.identity_files = {sshd.make_key("locked", "ed25519", "open sesame")};
  Client client(target);
  EXPECT_EQ(client.failure_of_connect().kind(), ErrorKind::auth);
  EXPECT_THAT(client.prompter.asked, IsEmpty());
}

TEST(Ssh2Auth, gives_up_a_key_after_three_wrong_passphrases) {
  const SshdFixture sshd;
  Target target = without_key(sshd, "PasswordAuthentication no");
  const auto key = sshd.make_key("locked", "ed25519", "open sesame");
  sshd.authorize(key);
  target.identity_files = {key};
  Client client(target);
  client.prompter.secrets = {"a", "b", "c", "open sesame"};
  const Error error = client.failure_of_connect();
  EXPECT_EQ(error.kind(), ErrorKind::auth);
  EXPECT_THAT(error.what(), HasSubstr("the passphrase of " + key.string() + " was wrong"));
  EXPECT_EQ(client.prompter.asked.size(), 3U);
}

TEST(Ssh2Auth, leaves_certificates_to_openssh) {
  const SshdFixture sshd;
  Target target =
      without_key(sshd, "CertificateFile " + (sshd.key().string() + ".pub") + "\nPasswordAuthentication no");
  Client client(target);
  const Error error = client.failure_of_connect();
  EXPECT_EQ(error.kind(), ErrorKind::unsupported) << error.what();
}

TEST(Ssh2Auth, passes_the_banner_on) {
  SshdOptions options;
  const sys::TemporaryDirectory directory;
  sys::write_file_atomic(directory.path() / "banner", "Authorised users only.\nAll else is logged.\n");
  options.extra_lines = {"Banner " + (directory.path() / "banner").string()};
  const SshdFixture sshd(options);
  Client client(sshd.target());
  client.connect();
  EXPECT_EQ(client.prompter.banners, "Authorised users only.\nAll else is logged.\n");
}

/// Accounts with passwords exist only in a mount namespace of the sshd.
class Ssh2Password : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = test::why_no_private_accounts()) GTEST_SKIP() << *reason;
  }
  static SshdOptions options() {
    SshdOptions options;
    options.accounts = {{"alice", "correct horse", "/bin/sh"}};
    return options;
  }
  static SshdOptions pam_options() {
    SshdOptions changed = options();
    changed.pam = test::Pam::yes;
    changed.extra_lines = {"KbdInteractiveAuthentication yes", "PasswordAuthentication no"};
    return changed;
  }
  static Target alice(const SshdFixture& sshd, const std::string& lines = "") {
    Target target = without_key(sshd, lines);
    target.user = "alice";
    return target;
  }
};

TEST_F(Ssh2Password, logs_in_with_a_configured_password_without_asking) {
  const SshdFixture sshd(options());
  Target target = alice(sshd);
  target.password = [] { return sys::Secret("correct horse"); };
  Client client(target);
  client.connect();
  EXPECT_EQ(client.runner.run(client.exec("test \"$(id -un)\" = alice")->wait()).code, 0);
  EXPECT_THAT(client.prompter.asked, IsEmpty());
}

TEST_F(Ssh2Password, asks_three_times_and_takes_the_right_answer) {
  const SshdFixture sshd(options());
  Client client(alice(sshd));
  client.prompter.secrets = {"wrong", "wrong again", "correct horse"};
  client.connect();
  EXPECT_EQ(client.prompter.asked.size(), 3U);
  EXPECT_EQ(client.prompter.asked.front(), "alice@127.0.0.1's password: ");
}

TEST_F(Ssh2Password, tries_a_wrong_configured_password_only_once) {
  const SshdFixture sshd(options());
  Target target = alice(sshd);
  int calls = 0;
  target.password = [&calls] {
    ++calls;
    return sys::Secret("wrong");
  };
  Client client(target);
  const Error error = client.failure_of_connect();
  EXPECT_EQ(error.kind(), ErrorKind::auth);
  EXPECT_THAT(error.what(), HasSubstr("permission denied (publickey,password"));
  EXPECT_THAT(error.what(), HasSubstr("the configured password was refused"));
  EXPECT_EQ(calls, 1);
}

TEST_F(Ssh2Password, says_permission_denied_when_the_server_hangs_up_after_too_many_tries) {
  SshdOptions strict = options();
  strict.extra_lines = {"MaxAuthTries 2"};
  const SshdFixture sshd(strict);
  Client client(alice(sshd));
  client.prompter.secrets = {"a", "b", "c"};
  const Error error = client.failure_of_connect();
  EXPECT_EQ(error.kind(), ErrorKind::auth) << error.what();
}

TEST_F(Ssh2Password, passes_an_error_of_the_password_command_on) {
  const SshdFixture sshd(options());
  Target target = alice(sshd);
  target.password = []() -> sys::Secret { throw Error(ErrorKind::config, "the password command failed"); };
  Client client(target);
  EXPECT_EQ(client.failure_of_connect().kind(), ErrorKind::config);
}

TEST_F(Ssh2Password, shows_keyboard_interactive_prompts_and_who_asks) {
  const SshdFixture sshd(pam_options());
  Client client(alice(sshd));
  client.prompter.secrets = {"wrong", "correct horse"};
  client.connect();
  EXPECT_THAT(client.prompter.asked,
              ElementsAre("(alice@127.0.0.1) Password: ", "(alice@127.0.0.1) Password: "));
}

TEST_F(Ssh2Password, answers_a_single_password_prompt_from_the_configuration) {
  const SshdFixture sshd(pam_options());
  Target target = alice(sshd);
  target.password = [] { return sys::Secret("correct horse"); };
  Client client(target);
  client.connect();
  EXPECT_THAT(client.prompter.asked, IsEmpty());
}

TEST_F(Ssh2Password, goes_on_after_partial_success) {
  SshdOptions two_factors = pam_options();
  two_factors.extra_lines.emplace_back("AuthenticationMethods publickey,keyboard-interactive");
  const SshdFixture sshd(two_factors);
  Target target = sshd.target();
  target.user = "alice";
  Client client(target);
  client.prompter.secrets = {"correct horse"};
  client.connect();
  EXPECT_EQ(client.prompter.asked.size(), 1U);
  EXPECT_EQ(client.runner.run(client.exec("exit 3")->wait()).code, 3);
}

TEST_F(Ssh2Password, goes_on_after_partial_success_of_an_agent_key_and_a_password) {
  SshdOptions two_factors = options();
  two_factors.extra_lines = {"AuthenticationMethods publickey,password"};
  const SshdFixture sshd(two_factors);
  const SshAgentFixture agent;
  agent.add(sshd.key());
  Target target = alice(sshd, "IdentitiesOnly no\nIdentityAgent " + agent.socket().string());
  target.password = [] { return sys::Secret("correct horse"); };
  Client client(target);
  client.connect();
}

TEST_F(Ssh2Password, goes_from_a_password_to_a_key) {
  SshdOptions two_factors = options();
  two_factors.extra_lines = {"AuthenticationMethods password,publickey"};
  const SshdFixture sshd(two_factors);
  Target target = sshd.target();
  target.user = "alice";
  target.password = [] { return sys::Secret("correct horse"); };
  Client client(target);
  client.connect();
}

}  // namespace
}  // namespace re::transport
