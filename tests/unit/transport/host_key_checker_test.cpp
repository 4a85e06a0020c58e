#include "transport/host_key_checker.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "re/base/encoding.hpp"
#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"
#include "support/sshd_fixture.hpp"

namespace re::transport {
namespace {

class RecordedProgress final : public Progress {
 public:
  std::vector<std::string> notes;
  void step(std::string_view) override {}
  void advance(std::uint64_t, std::uint64_t) override {}
  void note(std::string_view text) override { notes.emplace_back(text); }
};

std::string wire(std::string_view value) {
  std::string text;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) text += static_cast<char>((value.size() >> shift) & 0xffU);
  return text + std::string(value);
}

HostKey ed25519(char fill) {
  return {"ssh-ed25519", wire("ssh-ed25519") + wire(std::string(32, fill))};
}

HostKey rsa(std::string_view leading_zeros = {}) {
  const std::string modulus = std::string(leading_zeros) + '\0' + std::string(256, '\x93');
  return {"ssh-rsa", wire("ssh-rsa") + wire({"\1\0\1", 3}) + wire(modulus)};
}

std::string line(std::string_view hosts, const HostKey& key) {
  return std::string(hosts) + " " + key.type + " " + to_base64(key.blob) + "\n";
}

class HostKeyCheckerTest : public ::testing::Test {
 protected:
  std::filesystem::path write(std::string_view name, std::string_view text) {
    const auto path = m_directory.path() / name;
    sys::write_file_atomic(path, text);
    return path;
  }
  HostKeyPolicy policy(UnknownHost unknown_host, std::string_view text = {}) {
    HostKeyPolicy policy;
    policy.host = "GPU1.example";
    policy.unknown_host = unknown_host;
    policy.user_files = {write("known_hosts", text)};
    return policy;
  }
  /// The Error's text, or "trusted".
  std::string verdict(const HostKeyPolicy& policy, const HostKey& key) {
    try {
      KnownHostsFiles files;
      HostKeyChecker(policy, files).check(key, m_prompter, m_progress);
      return "trusted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::host_key);
      return error.what();
    }
  }
  std::string stored() const { return sys::read_file(m_directory.path() / "known_hosts"); }

  sys::TemporaryDirectory m_directory{"re-host-key"};
  test::FakePrompter m_prompter;
  RecordedProgress m_progress;
};

TEST_F(HostKeyCheckerTest, the_fingerprint_is_that_of_ssh_keygen) {
  const auto blob = from_base64("AAAAC3NzaC1lZDI1NTE5AAAAIALLLmgZdZ7iqcS/1NZsFdroFde6VfwrQMMgDPjVOyRD");
  EXPECT_EQ(fingerprint({"ssh-ed25519", *blob}), "SHA256:I7dq4+Vkd48nS/1lw16l08PI50mpowdPM8J7fsKbU9I");
}

TEST_F(HostKeyCheckerTest, a_known_key_is_trusted_without_a_question) {
  const auto key = ed25519('a');
  EXPECT_EQ(verdict(policy(UnknownHost::refuse, line("gpu1.example", key)), key), "trusted");
  EXPECT_TRUE(m_prompter.asked.empty());
  EXPECT_TRUE(m_progress.notes.empty());
}

TEST_F(HostKeyCheckerTest, one_of_several_keys_is_enough) {
  const auto key = ed25519('b');
  const auto text = line("gpu1.example", ed25519('a')) + line("gpu1.example", rsa()) + line("*.example", key);
  EXPECT_EQ(verdict(policy(UnknownHost::refuse, text), key), "trusted");
}

TEST_F(HostKeyCheckerTest, a_global_file_counts_as_much) {
  auto asked = policy(UnknownHost::refuse);
  asked.global_files = {m_directory.path() / "missing", write("global", line("gpu1.example", ed25519('a')))};
  EXPECT_EQ(verdict(asked, ed25519('a')), "trusted");
}

TEST_F(HostKeyCheckerTest, a_changed_key_is_refused_under_every_policy) {
  for (const auto unknown : {UnknownHost::ask, UnknownHost::accept_new, UnknownHost::refuse}) {
    const auto text = "# one\n" + line("gpu1.example", ed25519('a'));
    const auto message = verdict(policy(unknown, text), ed25519('b'));
    const auto file = (m_directory.path() / "known_hosts").string();
    EXPECT_NE(message.find("has changed"), std::string::npos) << message;
    EXPECT_NE(message.find(file + ":2"), std::string::npos) << message;
    EXPECT_NE(message.find(fingerprint(ed25519('a'))), std::string::npos) << message;
    EXPECT_NE(message.find(fingerprint(ed25519('b'))), std::string::npos) << message;
    EXPECT_NE(message.find("ssh-keygen -R gpu1.example -f " + file), std::string::npos) << message;
    EXPECT_EQ(stored(), text);
  }
  EXPECT_TRUE(m_prompter.asked.empty());
}

TEST_F(HostKeyCheckerTest, a_host_known_by_another_key_type_is_never_added) {
  for (const auto unknown : {UnknownHost::ask, UnknownHost::accept_new, UnknownHost::refuse}) {
    const auto text = line("gpu1.example", rsa());
    const auto message = verdict(policy(unknown, text), ed25519('a'));
    EXPECT_NE(message.find("type not known"), std::string::npos) << message;
    EXPECT_EQ(stored(), text);
  }
}

TEST_F(HostKeyCheckerTest, the_mend_for_a_port_is_quoted_for_a_shell) {
  auto asked = policy(UnknownHost::ask, line("[gpu1.example]:2222", ed25519('a')));
  asked.port = 2222;
  const auto message = verdict(asked, ed25519('b'));
  EXPECT_NE(message.find("ssh-keygen -R '[gpu1.example]:2222' -f "), std::string::npos) << message;
}

TEST_F(HostKeyCheckerTest, a_revoked_key_is_refused_even_when_it_is_known_too) {
  const auto key = ed25519('a');
  auto asked = policy(UnknownHost::accept_new, line("gpu1.example", key));
  asked.global_files = {write("global", "\n@revoked " + line("*", key))};
  const auto message = verdict(asked, key);
  EXPECT_NE(message.find("revoked by " + asked.global_files[0].string() + ":2"), std::string::npos)
      << message;
}

TEST_F(HostKeyCheckerTest, a_revoked_key_is_not_let_in_by_another_spelling) {
  const auto text = "@revoked " + line("*", rsa({"\0\0", 2}));
  EXPECT_NE(verdict(policy(UnknownHost::accept_new, text), rsa()).find("revoked"), std::string::npos);
  EXPECT_NE(verdict(policy(UnknownHost::accept_new, text), rsa({"\0", 1})).find("cannot be checked"),
            std::string::npos);
}

TEST_F(HostKeyCheckerTest, a_revocation_for_the_host_without_its_port_counts) {
  auto asked = policy(UnknownHost::accept_new, "@revoked " + line("gpu1.example", ed25519('a')));
  asked.port = 2222;
  EXPECT_NE(verdict(asked, ed25519('a')).find("revoked"), std::string::npos);
}

TEST_F(HostKeyCheckerTest, a_certificate_authority_trusts_no_plain_key) {
  const auto key = ed25519('a');
  const auto message = verdict(policy(UnknownHost::refuse, "@cert-authority " + line("*", key)), key);
  EXPECT_NE(message.find("not known"), std::string::npos) << message;
}

TEST_F(HostKeyCheckerTest, a_key_of_a_type_that_is_not_checked_is_refused) {
  const HostKey key{"ssh-dss", wire("ssh-dss") + wire("whatever")};
  const auto message = verdict(policy(UnknownHost::accept_new, line("gpu1.example", key)), key);
  EXPECT_NE(message.find("cannot be checked"), std::string::npos) << message;
}

TEST_F(HostKeyCheckerTest, another_port_falls_back_to_the_key_of_the_host_as_in_openssh) {
  auto asked = policy(UnknownHost::refuse, line("gpu1.example", ed25519('a')));
  asked.port = 2222;
  EXPECT_EQ(verdict(asked, ed25519('a')), "trusted");
  EXPECT_NE(verdict(asked, ed25519('b')).find("[gpu1.example]:2222 is not known"), std::string::npos);
}

TEST_F(HostKeyCheckerTest, a_line_with_the_port_leaves_no_fallback) {
  const auto text = line("gpu1.example", ed25519('a')) + line("[gpu1.example]:2222", ed25519('b'));
  auto asked = policy(UnknownHost::accept_new, text);
  asked.port = 2222;
  EXPECT_NE(verdict(asked, ed25519('a')).find("has changed"), std::string::npos);
  asked.port = 22;
  EXPECT_EQ(verdict(asked, ed25519('a')), "trusted");
}

TEST_F(HostKeyCheckerTest, an_unknown_key_is_asked_for_and_kept_when_the_answer_is_yes) {
  m_prompter.confirmations = {true};
  EXPECT_EQ(verdict(policy(UnknownHost::ask), ed25519('a')), "trusted");
  ASSERT_EQ(m_prompter.asked.size(), 1U);
  EXPECT_EQ(m_prompter.asked[0],
            "The authenticity of host 'gpu1.example' can't be established.\n"
            "ED25519 key fingerprint is " +
                fingerprint(ed25519('a')) + ".\nAre you sure you want to continue connecting?");
  EXPECT_EQ(stored(), line("gpu1.example", ed25519('a')));
}

TEST_F(HostKeyCheckerTest, an_unknown_key_is_not_kept_when_the_answer_is_no) {
  m_prompter.confirmations = {false};
  EXPECT_NE(verdict(policy(UnknownHost::ask), ed25519('a')).find("was not accepted"), std::string::npos);
  EXPECT_EQ(stored(), "");
}

TEST_F(HostKeyCheckerTest, accept_new_adds_the_key_and_says_so) {
  auto asked = policy(UnknownHost::accept_new);
  asked.port = 2222;
  EXPECT_EQ(verdict(asked, ed25519('a')), "trusted");
  EXPECT_TRUE(m_prompter.asked.empty());
  ASSERT_EQ(m_progress.notes.size(), 1U);
  EXPECT_NE(m_progress.notes[0].find(fingerprint(ed25519('a'))), std::string::npos);
  EXPECT_EQ(stored(), line("[gpu1.example]:2222", ed25519('a')));
  EXPECT_NE(verdict(asked, ed25519('b')).find("was not"), 0U);
}

TEST_F(HostKeyCheckerTest, a_hashed_line_hides_the_name_and_is_found_again) {
  auto asked = policy(UnknownHost::accept_new);
  asked.new_names = HostNames::hashed;
  EXPECT_EQ(verdict(asked, ed25519('a')), "trusted");
  const auto text = stored();
  EXPECT_TRUE(text.starts_with("|1|"));
  EXPECT_EQ(to_lower(text).find("gpu1"), std::string::npos);
  EXPECT_EQ(verdict(policy(UnknownHost::refuse, text), ed25519('a')), "trusted");
}

TEST_F(HostKeyCheckerTest, a_name_that_would_be_a_pattern_is_never_added) {
  for (const char* host : {"*", "gpu?", "a,b", "!a", "|1|a|b", "#a", "@a", "a b", "a\nb", ""}) {
    auto asked = policy(UnknownHost::accept_new);
    asked.host = host;
    EXPECT_NE(verdict(asked, ed25519('a')).find("cannot stand"), std::string::npos) << host;
    EXPECT_EQ(stored(), "");
  }
}

TEST_F(HostKeyCheckerTest, a_file_that_cannot_be_read_is_an_error_and_not_an_empty_file) {
  auto asked = policy(UnknownHost::accept_new);
  asked.global_files = {m_directory.path()};  // a directory
  EXPECT_NE(verdict(asked, ed25519('a')).find("cannot check"), std::string::npos);
}

TEST_F(HostKeyCheckerTest, a_key_that_cannot_be_kept_is_said_and_used) {
  auto asked = policy(UnknownHost::accept_new);
  write("file", "");
  asked.user_files = {m_directory.path() / "file" / "known_hosts"};
  EXPECT_NE(verdict(asked, ed25519('a')).find("cannot check"), std::string::npos);  // ENOTDIR on reading
  asked.user_files = {"/proc/no-such-directory/known_hosts"};
  EXPECT_EQ(verdict(asked, ed25519('a')), "trusted");
  ASSERT_EQ(m_progress.notes.size(), 1U);
  EXPECT_NE(m_progress.notes[0].find("could not be kept"), std::string::npos);
}

TEST_F(HostKeyCheckerTest, known_types_come_once_each_in_order_and_without_markers) {
  const auto text = "@revoked " + line("*", {"ssh-dss", wire("ssh-dss")}) + line("gpu1.example", rsa()) +
                    line("gpu1.example", ed25519('a')) + line("gpu1.example", ed25519('b')) +
                    line("other", {"ssh-dss", wire("ssh-dss")});
  KnownHostsFiles files;
  const HostKeyChecker checker(policy(UnknownHost::refuse, text), files);
  EXPECT_EQ(checker.known_types(), (std::vector<std::string>{"ssh-rsa", "ssh-ed25519"}));
}

}  // namespace
}  // namespace re::transport
