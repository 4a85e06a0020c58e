// Authentication (RFC 4252): agent and key files, keyboard-interactive, password, in the configuration's
// order; partial success goes on with what the server still wants. Where no key comes first, "none" asks for
// the methods; else the answer to the first key names them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "re/sys/async.hpp"
#include "re/transport/target.hpp"
#include "transport/key_files.hpp"
#include "transport/ssh2_agent.hpp"
#include "transport/ssh2_key_file.hpp"
#include "transport/ssh2_session.hpp"
#include "transport/ssh_config.hpp"

namespace re::transport {

class Ssh2Authenticator {
 public:
  /// All references outlive run().
  Ssh2Authenticator(Ssh2Session& session, const Target& target, const EffectiveConfig& config,
                    Prompter& prompter, KeyFiles& key_files);

  /// Returns when the server accepted. Throws Error: auth (refused, with the server's methods), unsupported
  /// (refused, but OpenSSH could do more), unreachable, timeout; and what the prompter or the target's
  /// password throw. Time spent on the user does not count for the session's deadline.
  Async<void> run();

 private:
  enum class Outcome { success, partial, refused };

  /// A public key to offer.
  struct Candidate {
    std::string type;
    std::string public_blob;  ///< empty: only the private key tells
    std::string path;         ///< empty: the agent's
    bool is_encrypted = false;
    bool is_in_agent = false;
    std::shared_ptr<const Ed25519Key> key = {};  ///< set: no file needs to be read
  };
  struct Signing;

  Async<void> list_methods();
  Async<bool> may_begin_with_key();
  void forget_keys();
  [[nodiscard]] std::vector<std::string> method_order() const;
  [[nodiscard]] bool is_offered(std::string_view method) const;
  Async<Outcome> try_methods();
  Async<Outcome> try_method(std::string method);
  Async<Outcome> try_public_keys();
  Async<Outcome> try_password();
  Async<Outcome> try_keyboard_interactive();

  Async<void> collect_candidates();
  Async<std::vector<AgentIdentity>> connect_agent();
  void collect_files();
  void add_agent_identities(const std::vector<AgentIdentity>& identities);
  Async<Outcome> try_signing_key(Candidate candidate);
  Async<void> sign(const Candidate& candidate, Signing& signing);
  Async<Outcome> try_key_file(Candidate candidate);
  Async<Outcome> try_encrypted_key(Candidate candidate);
  Async<CallResult> attempt_key_file(const std::string& path, const char* passphrase);
  Async<bool> would_accept(const std::string& public_blob);
  Async<Outcome> send_password(const sys::Secret& password);
  Async<Outcome> interact_once();
  void answer_prompts(std::string_view instruction, int count, const LIBSSH2_USERAUTH_KBDINT_PROMPT* prompts,
                      LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses);
  sys::Secret answer_prompt(const LIBSSH2_USERAUTH_KBDINT_PROMPT& prompt, int count);

  Outcome conclude();
  void show_banners();
  void refuse_to_prompt_in_vain() const;
  [[nodiscard]] bool has_unused_password() const { return m_target.password && !m_is_password_used; }
  sys::Secret configured_password();
  [[nodiscard]] Error denied() const;
  [[nodiscard]] Error needs_openssh() const;
  template <class Question>
  auto ask_user(Question question);

  Ssh2Session& m_session;
  const Target& m_target;
  const EffectiveConfig& m_config;
  Prompter& m_prompter;
  KeyFiles& m_key_files;
  std::string m_user;
  std::string m_methods;              ///< the server's latest list; empty: it has not been asked
  std::set<std::string> m_exhausted;  ///< methods with nothing left to try
  std::optional<std::deque<Candidate>> m_candidates;
  std::unique_ptr<Ssh2Agent> m_agent;
  std::vector<std::string> m_reasons_for_openssh;
  std::vector<std::string> m_notes;  ///< what may explain a refusal
  bool m_is_password_used = false;
  std::exception_ptr m_prompt_error;
  std::string m_first_prompt;  ///< that the user was asked in this round of keyboard-interactive
};

}  // namespace re::transport
