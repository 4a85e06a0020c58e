#include "transport/ssh2_auth.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <cstring>

#include "re/base/strings.hpp"
#include "transport/ssh2_wire.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr int k_attempts = 3;  // OpenSSH's NumberOfPasswordPrompts
constexpr std::array<std::string_view, 3> k_methods = {"publickey", "keyboard-interactive", "password"};

bool offers(std::string_view methods, std::string_view method) {
  const auto list = split(methods, ',');
  return std::find(list.begin(), list.end(), method) != list.end();
}

unsigned length_of(std::string_view text) {
  return static_cast<unsigned>(text.size());
}

bool asks_for_password(std::string_view prompt) {
  return to_lower(prompt).find("password") != std::string::npos;
}

// Otherwise the key could not be read.
bool was_offered(const CallResult& result) {
  return result.code == 0 || result.code == LIBSSH2_ERROR_AUTHENTICATION_FAILED ||
         result.code == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;
}

}  // namespace

Ssh2Authenticator::Ssh2Authenticator(Ssh2Session& session, const Target& target,
                                     const EffectiveConfig& config, Prompter& prompter, KeyFiles& key_files)
    : m_session(session),
      m_target(target),
      m_config(config),
      m_prompter(prompter),
      m_key_files(key_files),
      m_user(config.user) {}

// The user's time is not the server's.
template <class Question>
auto Ssh2Authenticator::ask_user(Question question) {
  struct Pause {
    Ssh2Session& session;
    TimePoint began = std::chrono::steady_clock::now();
    ~Pause() {
      if (session.deadline())
        session.set_deadline(*session.deadline() + (std::chrono::steady_clock::now() - began));
    }
  };
  const Pause pause{m_session};
  return question();
}

// --- the course of it

Async<void> Ssh2Authenticator::run() {
  std::optional<Error> failure;
  try {
    const bool begins_with_key = co_await may_begin_with_key();
    if (!begins_with_key) co_await list_methods();
    Outcome outcome =
        libssh2_userauth_authenticated(m_session.raw()) != 0 ? Outcome::success : Outcome::partial;
    while (outcome == Outcome::partial) outcome = co_await try_methods();
    if (outcome == Outcome::success) co_return;
    failure = denied();
  } catch (const Error& error) {
    failure = error;
  }
  // sshd hangs up on the last attempt instead of refusing it.
  const bool is_hung_up = m_session.disconnect_message().find("authentication failures") != std::string::npos;
  throw is_hung_up ? denied() : *failure;
}

Async<void> Ssh2Authenticator::list_methods() {
  char* methods = nullptr;
  const CallResult result = co_await m_session.run([this, &methods]() -> long {
    methods = libssh2_userauth_list(m_session.raw(), m_user.data(), length_of(m_user));
    return methods != nullptr ? 0 : libssh2_session_last_errno(m_session.raw());
  });
  if (methods != nullptr) m_methods = methods;
  show_banners();
  if (methods == nullptr && libssh2_userauth_authenticated(m_session.raw()) == 0) {
    throw Error(ErrorKind::protocol, m_session.name() + " does not say how to log in: " + result.message);
  }
}

void Ssh2Authenticator::show_banners() {
  const std::string text = m_session.memory().take_banners();
  if (!text.empty()) m_prompter.banner(text);
}

std::vector<std::string> Ssh2Authenticator::method_order() const {
  if (!m_config.preferred_authentications.empty()) return m_config.preferred_authentications;
  return {k_methods.begin(), k_methods.end()};
}

bool Ssh2Authenticator::is_offered(std::string_view method) const {
  return m_methods.empty() ? method == "publickey" : offers(m_methods, method);
}

// A key that will be offered anyway asks for the methods, too: that saves a round trip.
Async<bool> Ssh2Authenticator::may_begin_with_key() {
  const auto order = method_order();
  const auto first = std::find_if(order.begin(), order.end(), [](const std::string& method) {
    return std::find(k_methods.begin(), k_methods.end(), method) != k_methods.end();
  });
  if (first == order.end() || *first != "publickey" || !m_config.publickey_authentication) co_return false;
  co_await collect_candidates();
  const bool has_key = !m_candidates->empty();
  if (!has_key) forget_keys();
  co_return has_key;
}

// No key is wanted yet, and perhaps never: after a password one may be.
void Ssh2Authenticator::forget_keys() {
  m_candidates.reset();
  m_reasons_for_openssh.clear();
  m_notes.clear();
}

Async<Ssh2Authenticator::Outcome> Ssh2Authenticator::try_methods() {
  for (const auto& method : method_order()) {
    if (!is_offered(method) || m_exhausted.contains(method)) continue;
    const Outcome outcome = co_await try_method(method);
    show_banners();
    if (outcome == Outcome::refused && m_methods.empty()) {  // no key could be used, after all
      co_await list_methods();
      if (libssh2_userauth_authenticated(m_session.raw()) != 0) co_return Outcome::success;
    }
    if (outcome == Outcome::success) co_return outcome;
    if (outcome == Outcome::partial) {
      m_exhausted.clear();
      co_return outcome;
    }
    m_exhausted.insert(method);
  }
  co_return Outcome::refused;
}

Async<Ssh2Authenticator::Outcome> Ssh2Authenticator::try_method(std::string method) {
  if (method == "publickey" && m_config.publickey_authentication) co_return co_await try_public_keys();
  if (method == "password" && m_config.password_authentication) co_return co_await try_password();
  if (method == "keyboard-interactive" && m_config.keyboard_interactive_authentication) {
    co_return co_await try_keyboard_interactive();
  }
  co_return Outcome::refused;
}

Ssh2Authenticator::Outcome Ssh2Authenticator::conclude() {
  if (libssh2_userauth_authenticated(m_session.raw()) != 0) return Outcome::success;
  if (m_session.has_opened_hastily())
    throw Error(ErrorKind::protocol, m_session.name() + " wants more to log in");
  const auto failure = m_session.memory().take_auth_failure();
  if (!failure) return Outcome::refused;
  m_methods = failure->methods;
  return failure->partial_success ? Outcome::partial : Outcome::refused;
}

Error Ssh2Authenticator::needs_openssh() const {
  return {ErrorKind::unsupported,
          "libssh2 cannot log in to " + m_session.name() + ": " + m_reasons_for_openssh.front()};
}

Error Ssh2Authenticator::denied() const {
  if (!m_reasons_for_openssh.empty()) return needs_openssh();
  const bool can_try = std::any_of(k_methods.begin(), k_methods.end(),
                                   [this](std::string_view method) { return offers(m_methods, method); });
  if (!can_try && !m_methods.empty()) {
    return {ErrorKind::unsupported,
            m_session.name() + " accepts only " + m_methods + ", which libssh2 cannot do"};
  }
  return {ErrorKind::auth, "permission denied (" + m_methods + ") for " + m_session.name(),
          join(m_notes, "; ")};
}

// What OpenSSH can do without asking comes before a question.
void Ssh2Authenticator::refuse_to_prompt_in_vain() const {
  if (!m_reasons_for_openssh.empty()) throw needs_openssh();
}

// --- public keys

void Ssh2Authenticator::collect_files() {
  for (const auto& path : m_config.certificate_files) {
    if (fs::exists(path)) m_reasons_for_openssh.push_back("a certificate is configured (" + path + ")");
  }
  std::set<std::string> seen;
  for (const auto& path : m_config.identity_files) {
    if (!seen.insert(path).second) continue;
    const auto& entry = m_key_files.read(path);
    const auto& key = entry.file;
    if (!key) {
      const auto& named = m_target.identity_files;
      if (std::find(named.begin(), named.end(), path) != named.end())
        m_notes.push_back("cannot read " + path);
      continue;
    }
    if (entry.has_certificate) m_reasons_for_openssh.push_back(path + " has a certificate");
    if (is_token_key(key->type)) {
      m_reasons_for_openssh.push_back(path + " is a FIDO key");
    } else if (key->form == KeyFile::Form::unreadable) {
      m_reasons_for_openssh.push_back("it cannot read " + path);
    } else {
      const std::string usable = key->form == KeyFile::Form::private_key ? path : "";
      m_candidates->push_back({key->type, key->public_blob, usable, key->is_encrypted, false, entry.key});
    }
  }
}

// The agent's keys come first, those that the configuration names before the others.
void Ssh2Authenticator::add_agent_identities(const std::vector<AgentIdentity>& identities) {
  std::vector<Candidate> others;
  for (const auto& identity : identities) {
    const std::string type = key_type(identity.public_blob);
    const auto named = std::find_if(
        m_candidates->begin(), m_candidates->end(),
        [&](const Candidate& candidate) { return candidate.public_blob == identity.public_blob; });
    if (named != m_candidates->end()) {
      named->is_in_agent = true;
    } else if (m_config.identities_only) {
      continue;
    } else if (is_token_key(type) || is_certificate(type)) {
      m_reasons_for_openssh.push_back("the agent has a " + type + " key");
    } else {
      others.push_back({type, identity.public_blob, "", false, true});
    }
  }
  std::stable_partition(m_candidates->begin(), m_candidates->end(),
                        [](const Candidate& it) { return it.is_in_agent; });
  const auto files = std::find_if(m_candidates->begin(), m_candidates->end(),
                                  [](const Candidate& it) { return !it.is_in_agent; });
  m_candidates->insert(files, others.begin(), others.end());
}

Async<void> Ssh2Authenticator::collect_candidates() {
  m_candidates.emplace();
  collect_files();
  const auto identities = co_await connect_agent();
  add_agent_identities(identities);
  std::erase_if(*m_candidates, [](const Candidate& it) { return it.path.empty() && !it.is_in_agent; });
  // Each refusal counts at the server, and these it most likely refuses.
  if (!has_rsa_sha2()) {
    std::stable_partition(m_candidates->begin(), m_candidates->end(),
                          [](const Candidate& it) { return it.type != "ssh-rsa"; });
  }
}

Async<Ssh2Authenticator::Outcome> Ssh2Authenticator::try_public_keys() {
  if (!m_candidates) co_await collect_candidates();
  while (!m_candidates->empty()) {
    const Candidate candidate = std::move(m_candidates->front());
    m_candidates->pop_front();
    m_session.memory().take_auth_failure();
    const bool is_first_request = m_methods.empty();
    Outcome outcome = Outcome::refused;
    if (candidate.is_in_agent || candidate.key) {
      outcome = co_await try_signing_key(candidate);
    } else if (candidate.is_encrypted) {
      outcome = co_await try_encrypted_key(candidate);
    } else {
      outcome = co_await try_key_file(candidate);
    }
    if (outcome != Outcome::refused) co_return outcome;
    if (is_first_request && !is_offered("publickey")) {
      forget_keys();
      break;
    }
    if (candidate.type == "ssh-rsa" && !has_rsa_sha2()) {
      m_reasons_for_openssh.emplace_back("an RSA key was refused, and libssh2 " LIBSSH2_VERSION
                                         " signs with SHA-1 only");
    }
    if (!is_offered("publickey")) break;
  }
  co_return Outcome::refused;
}

Async<CallResult> Ssh2Authenticator::attempt_key_file(const std::string& path, const char* passphrase) {
  co_return co_await m_session.run([this, &path, passphrase] {
    return libssh2_userauth_publickey_fromfile_ex(m_session.raw(), m_user.data(), length_of(m_user), nullptr,
                                                  path.c_str(), passphrase);
  });
}

Async<Ssh2Authenticator::Outcome> Ssh2Authenticator::try_key_file(Candidate candidate) {
  const CallResult result = co_await attempt_key_file(candidate.path, "");
  if (!was_offered(result)) {
    m_reasons_for_openssh.push_back("it cannot read " + candidate.path + " (" + result.message + ")");
    co_return Outcome::refused;
  }
  co_return conclude();
}

// Asks the server for its opinion of a key without signing.
Async<bool> Ssh2Authenticator::would_accept(const std::string& public_blob) {
  bool is_asked_to_sign = false;
  struct Probe {
    // NOLINTNEXTLINE(readability-function-size): libssh2's signature
    static int sign(LIBSSH2_SESSION*, unsigned char**, size_t*, const unsigned char*, size_t,
                    void** abstract) {
      *static_cast<bool*>(*abstract) = true;
      return -1;
    }
  };
  void* abstract = &is_asked_to_sign;
  const auto* blob = reinterpret_cast<const unsigned char*>(public_blob.data());
  co_await m_session.run([&]() -> long {
    return libssh2_userauth_publickey(m_session.raw(), m_user.c_str(), blob, public_blob.size(), Probe::sign,
                                      &abstract);
  });
  co_return is_asked_to_sign;
}

Async<Ssh2Authenticator::Outcome> Ssh2Authenticator::try_encrypted_key(Candidate candidate) {
  if (!candidate.public_blob.empty()) {
    const bool is_wanted = co_await would_accept(candidate.public_blob);
    if (!is_wanted) co_return conclude();
  }
  const std::string prompt = "Enter passphrase for key '" + candidate.path + "': ";
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    sys::Secret passphrase;
    try {
      passphrase = ask_user([&] { return m_prompter.secret(prompt); });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::auth) throw;
      m_notes.push_back(candidate.path + " needs a passphrase");
      co_return Outcome::refused;
    }
    if (passphrase.is_empty()) break;  // OpenSSH: an empty line skips the key
    // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): a Secret ends in a NUL byte
    const CallResult result = co_await attempt_key_file(candidate.path, passphrase.reveal().data());
    if (was_offered(result)) co_return conclude();
    m_prompter.refused(prompt);
  }
  m_notes.push_back("the passphrase of " + candidate.path + " was wrong");
  co_return Outcome::refused;
}

// --- passwords

sys::Secret Ssh2Authenticator::configured_password() {
  m_is_password_used = true;
  return ask_user([this] { return m_target.password(); });
}

Async<Ssh2Authenticator::Outcome> Ssh2Authenticator::send_password(const sys::Secret& password) {
  const char* text =
      password.reveal().data();  // NOLINT(bugprone-suspicious-stringview-data-usage): ends in a NUL byte
  const unsigned size = length_of(password.reveal());
  m_session.memory().take_auth_failure();
  const CallResult result = co_await m_session.run([this, text, size] {
    return libssh2_userauth_password_ex(m_session.raw(), m_user.data(), length_of(m_user), text, size,
                                        nullptr);
  });
  if (result.code == LIBSSH2_ERROR_PASSWORD_EXPIRED) {
    throw Error(ErrorKind::auth, "the password of " + m_session.name() + " has expired",
                "log in once with ssh and change it");
  }
  co_return conclude();
}

Async<Ssh2Authenticator::Outcome> Ssh2Authenticator::try_password() {
  if (has_unused_password()) {
    const sys::Secret password = configured_password();
    const Outcome outcome = co_await send_password(password);
    if (outcome != Outcome::refused) co_return outcome;
    m_notes.emplace_back("the configured password was refused");
  }
  refuse_to_prompt_in_vain();
  const std::string prompt = m_session.name() + "'s password: ";
  for (int attempt = 0; attempt < k_attempts && offers(m_methods, "password"); ++attempt) {
    sys::Secret password;
    try {
      password = ask_user([&] { return m_prompter.secret(prompt); });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::auth) throw;
      m_notes.push_back(error.message());
      co_return Outcome::refused;
    }
    const Outcome outcome = co_await send_password(password);
    if (outcome != Outcome::refused) co_return outcome;
    m_prompter.refused(prompt);
  }
  co_return Outcome::refused;
}

// As OpenSSH: the user sees who asks. A jump host has its own password.
sys::Secret Ssh2Authenticator::answer_prompt(const LIBSSH2_USERAUTH_KBDINT_PROMPT& prompt, int count) {
  const std::string_view text(reinterpret_cast<const char*>(prompt.text), prompt.length);
  if (count == 1 && prompt.echo == 0 && asks_for_password(text) && has_unused_password())
    return configured_password();
  refuse_to_prompt_in_vain();
  const std::string question = "(" + m_session.name() + ") " + std::string(text);
  if (m_first_prompt.empty()) m_first_prompt = question;
  if (prompt.echo == 0) return ask_user([&] { return m_prompter.secret(question); });
  return sys::Secret(ask_user([&] { return m_prompter.visible(question); }));
}

// Called from within libssh2: no exception may pass through it.
void Ssh2Authenticator::answer_prompts(std::string_view instruction, int count,
                                       const LIBSSH2_USERAUTH_KBDINT_PROMPT* prompts,
                                       LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses) {
  try {
    if (!trim(instruction).empty()) m_prompter.banner(instruction);
    for (int index = 0; index < count && !m_prompt_error; ++index) {
      const sys::Secret answer = answer_prompt(prompts[index], count);
      const std::string_view text = answer.reveal();
      auto* copy =
          static_cast<char*>(m_session.memory().allocate(text.size() + 1));  // wiped and freed by libssh2
      if (copy == nullptr) throw std::bad_alloc();
      if (!text.empty()) std::memcpy(copy, text.data(), text.size());
      responses[index].text = copy;
      responses[index].length = length_of(text);
    }
  } catch (...) {
    m_prompt_error = std::current_exception();
  }
}

Async<Ssh2Authenticator::Outcome> Ssh2Authenticator::interact_once() {
  m_session.memory().take_auth_failure();
  m_prompt_error = nullptr;
  m_first_prompt.clear();
  m_session.set_prompt_handler([this](std::string_view, std::string_view instruction, int count,
                                      const LIBSSH2_USERAUTH_KBDINT_PROMPT* prompts,
                                      LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses) {
    answer_prompts(instruction, count, prompts, responses);
  });
  const auto on_prompts = [](const char* name, int name_size, const char* instruction, int instruction_size,
                             int count, const LIBSSH2_USERAUTH_KBDINT_PROMPT* prompts,
                             LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses, void** abstract) {
    const auto text = [](const char* data, int size) {
      return data != nullptr && size > 0 ? std::string_view(data, static_cast<std::size_t>(size))
                                         : std::string_view();
    };
    const auto& session = *static_cast<Ssh2Session*>(*abstract);
    session.prompt_handler()(text(name, name_size), text(instruction, instruction_size), count, prompts,
                             responses);
  };
  co_await m_session.run([this, on_prompts]() -> long {
    return libssh2_userauth_keyboard_interactive_ex(m_session.raw(), m_user.data(), length_of(m_user),
                                                    on_prompts);
  });
  m_session.set_prompt_handler({});
  if (m_prompt_error) std::rethrow_exception(m_prompt_error);
  co_return conclude();
}

Async<Ssh2Authenticator::Outcome> Ssh2Authenticator::try_keyboard_interactive() {
  if (!has_unused_password()) refuse_to_prompt_in_vain();
  for (int attempt = 0; attempt < k_attempts && offers(m_methods, "keyboard-interactive"); ++attempt) {
    const bool had_password = has_unused_password();
    try {
      const Outcome outcome = co_await interact_once();
      if (outcome != Outcome::refused) co_return outcome;
      if (!m_first_prompt.empty()) m_prompter.refused(m_first_prompt);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::auth) throw;
      m_notes.push_back(error.message());
      co_return Outcome::refused;
    }
    if (had_password && m_is_password_used) m_notes.emplace_back("the configured password was refused");
  }
  co_return Outcome::refused;
}

}  // namespace re::transport
