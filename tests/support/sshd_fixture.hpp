// A real, private sshd on a free loopback port, and a scripted user. Nothing outside a temporary directory is
// changed (as root, /run/sshd is made where it is missing: sshd insists on it).
#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "re/transport/target.hpp"

namespace re::test {

/// An account that only this sshd sees. A name that /etc/passwd has already gets the password and the shell.
struct SshdAccount {
  std::string name;
  std::string password;
  std::string shell = "/bin/sh";
};

enum class Pam { no, yes };
enum class Home { real, environment, separate };

struct SshdOptions {
  std::vector<std::string> host_key_types = {"ed25519"};  ///< as `ssh-keygen -t` takes them
  std::vector<std::string> extra_lines;                   ///< sshd_config; they come first, so they win
  std::vector<std::string> match_lines;                   ///< sshd_config `Match` blocks; they come last
  std::vector<SshdAccount> accounts;  ///< not empty: needs root (a private mount namespace)
  Pam pam = Pam::no;  ///< yes: needs root; offers keyboard-interactive, checked by pam_unix alone
  /// What the current user's sessions take for their home. environment: $HOME is home(), so that nobody's
  /// start-up files interfere (with accounts of its own: as real). separate: home() is mounted over it; needs
  /// root.
  Home home = Home::environment;
};

/// Started by the constructor, answers when that returns; the destructor ends it, its connections, and all
/// processes that were started through it, also those that made a session of their own. Throws Error when a
/// program is missing or it does not answer.
class SshdFixture {
 public:
  explicit SshdFixture(const SshdOptions& options = {});
  ~SshdFixture();
  SshdFixture(const SshdFixture&) = delete;
  SshdFixture& operator=(const SshdFixture&) = delete;

  [[nodiscard]] unsigned short port() const { return m_port; }
  [[nodiscard]] const std::filesystem::path& directory() const { return m_directory.path(); }
  /// A private key (ed25519, no passphrase) that is authorized for every account.
  [[nodiscard]] std::filesystem::path key() const { return directory() / "id"; }
  [[nodiscard]] std::filesystem::path authorized_keys() const { return directory() / "authorized_keys"; }
  /// Holds the sshd's host keys for "[127.0.0.1]:port".
  [[nodiscard]] std::filesystem::path known_hosts() const { return directory() / "known_hosts"; }
  /// An ssh_config with which `ssh -F FILE 127.0.0.1` logs in (any host name leads here) by the key, without
  /// an agent.
  [[nodiscard]] std::filesystem::path ssh_config() const { return directory() / "ssh_config"; }
  /// The directory that is the user's home unless Home::real was asked for.
  [[nodiscard]] std::filesystem::path home() const { return directory() / "home"; }
  /// Whom the tests run as.
  [[nodiscard]] const std::string& user() const { return m_user; }
  /// What the sshd logged so far.
  [[nodiscard]] std::string log() const;

  /// A target that logs in as user() by the key.
  [[nodiscard]] transport::Target target() const;
  /// Makes one more key pair in directory(); authorizes nothing. Returns the private key's path.
  [[nodiscard]] std::filesystem::path make_key(std::string_view name, std::string_view type = "ed25519",
                                               std::string_view passphrase = {}) const;
  void authorize(const std::filesystem::path& private_key) const;

  /// SIGSTOP / SIGCONT for the sshd and its connections (not for what runs in them).
  void freeze() const;
  void thaw() const;
  /// SIGKILL for the connections; the sshd goes on listening.
  void kill_connections() const;
  /// Ends all, as the destructor does. Idempotent.
  void stop();

 private:
  void prepare_keys(const SshdOptions& options) const;
  void prepare_accounts(const SshdOptions& options) const;
  void write_config(const SshdOptions& options) const;
  void write_client_files(const SshdOptions& options) const;
  void start(const SshdOptions& options);
  [[nodiscard]] bool answers() const;
  [[nodiscard]] std::vector<pid_t> connection_processes() const;

  sys::TemporaryDirectory m_directory;
  std::string m_user;
  std::string m_marker;
  unsigned short m_port = 0;
  std::optional<sys::Child> m_sshd;
};

/// Why the options that need root (accounts, Pam::yes, Home::separate) cannot work here; nothing when they
/// can.
std::optional<std::string> why_no_private_accounts();

/// An ssh-agent of its own, ended by the destructor.
class SshAgentFixture {
 public:
  SshAgentFixture();
  ~SshAgentFixture();
  SshAgentFixture(const SshAgentFixture&) = delete;
  SshAgentFixture& operator=(const SshAgentFixture&) = delete;

  [[nodiscard]] std::filesystem::path socket() const { return m_directory.path() / "agent"; }
  /// Adds a key without a passphrase.
  void add(const std::filesystem::path& private_key) const;

 private:
  sys::TemporaryDirectory m_directory;
  std::optional<sys::Child> m_agent;
};

/// Answers from a script and records what it was asked. A question without an answer left is Error (auth).
class FakePrompter final : public transport::Prompter {
 public:
  std::deque<std::string> secrets;  ///< answers to secret(), in order
  std::deque<std::string> lines;    ///< answers to visible()
  std::deque<bool> confirmations;   ///< answers to confirm()
  std::vector<std::string> asked;   ///< every prompt and question, in order
  std::string banners;              ///< all banner text

  sys::Secret secret(std::string_view prompt) override;
  std::string visible(std::string_view prompt) override;
  bool confirm(std::string_view question) override;
  void banner(std::string_view text) override;
};

}  // namespace re::test
