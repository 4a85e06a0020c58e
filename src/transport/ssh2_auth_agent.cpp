// Public keys that an agent holds.
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
using namespace std::chrono_literals;

constexpr auto k_agent_patience = 120s;  // a confirmation or a touch

// The algorithm is named in the data that is signed (RFC 4252 section 7); libssh2 does not hand it over.
std::uint32_t agent_flags(std::string_view signed_data) {
  WireReader reader(signed_data);
  reader.text();  // session identifier
  reader.byte();
  reader.text();  // user
  reader.text();  // service
  reader.text();  // "publickey"
  reader.byte();
  const auto algorithm = reader.text();
  if (algorithm == "rsa-sha2-256") return 2;
  return algorithm == "rsa-sha2-512" ? 4 : 0;
}

}  // namespace

Async<std::vector<AgentIdentity>> Ssh2Authenticator::connect_agent() {
  std::vector<AgentIdentity> none;
  std::string socket = m_config.identity_agent.value_or("SSH_AUTH_SOCK");
  if (socket == "SSH_AUTH_SOCK") socket = "$SSH_AUTH_SOCK";
  if (socket.starts_with('$')) {
    const char* value = std::getenv(socket.c_str() + 1);
    const bool is_given = socket == "$SSH_AUTH_SOCK" && m_target.agent_socket.has_value();
    socket = is_given ? *m_target.agent_socket : std::string(value != nullptr ? value : "");
  }
  if (socket.empty() || socket == "none") co_return none;
  try {
    m_agent = std::make_unique<Ssh2Agent>(co_await asio::this_coro::executor, socket);
    const TimePoint deadline =
        m_session.deadline().value_or(std::chrono::steady_clock::now() + k_agent_patience);
    co_return co_await m_agent->identities(deadline);
  } catch (const Error& error) {
    m_notes.push_back(error.message());
    m_agent.reset();
  }
  co_return none;
}

// Carries a signature into libssh2, which asks for it by a callback.
struct Ssh2Authenticator::Signing {
  Ssh2Memory& memory;
  std::string data;  // what is to be signed, once the server has accepted the key
  std::optional<std::string> signature;
  bool is_refused = false;

  // NOLINTNEXTLINE(readability-function-size): libssh2's signature
  static int sign(LIBSSH2_SESSION*, unsigned char** signature, size_t* size, const unsigned char* data,
                  size_t data_size, void** abstract) {
    auto& self = *static_cast<Signing*>(*abstract);
    if (self.is_refused) return -1;
    if (!self.signature) {
      self.data.assign(reinterpret_cast<const char*>(data), data_size);
      return LIBSSH2_ERROR_EAGAIN;
    }
    *size = self.signature->size();
    *signature = static_cast<unsigned char*>(self.memory.allocate(*size));
    if (*signature == nullptr) return -1;
    std::memcpy(*signature, self.signature->data(), *size);
    return 0;
  }
};

// By the agent, or with a key that was read. Its time is not the server's.
Async<void> Ssh2Authenticator::sign(const Candidate& candidate, Signing& signing) {
  if (!candidate.is_in_agent) {
    signing.signature = candidate.key->sign(signing.data);
    signing.is_refused = !signing.signature;
    co_return;
  }
  const TimePoint began = std::chrono::steady_clock::now();
  try {
    const std::uint32_t flags = agent_flags(signing.data);
    signing.signature =
        co_await m_agent->sign(candidate.public_blob, signing.data, flags, began + k_agent_patience);
  } catch (const Error& error) {
    m_notes.push_back(error.message());
    signing.is_refused = true;
  }
  const auto waited = std::chrono::steady_clock::now() - began;
  if (m_session.deadline()) m_session.set_deadline(*m_session.deadline() + waited);
}

Async<Ssh2Authenticator::Outcome> Ssh2Authenticator::try_signing_key(Candidate candidate) {
  Signing signing{m_session.memory(), {}, {}, false};
  void* abstract = &signing;
  const auto* blob = reinterpret_cast<const unsigned char*>(candidate.public_blob.data());
  const Ssh2Session::Call call = [&]() -> long {
    return libssh2_userauth_publickey(m_session.raw(), m_user.c_str(), blob, candidate.public_blob.size(),
                                      Signing::sign, &abstract);
  };
  while (m_session.attempt(call).code == LIBSSH2_ERROR_EAGAIN) {
    const bool is_asked = !signing.data.empty() && !signing.signature;
    if (is_asked) {
      co_await sign(candidate, signing);
      continue;
    }
    if (signing.signature)
      m_session.open_hastily();  // the server has accepted the key, and the signature is on its way
    co_await m_session.wait_for_change();
  }
  co_return conclude();
}

}  // namespace re::transport
