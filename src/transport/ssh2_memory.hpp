// libssh2's memory. Every block is wiped before it is freed, so that passwords, passphrases and session keys
// do not stay behind in the heap; and what libssh2 1.10 knows but has no call to ask for is read from the
// packets it holds.
#pragma once

#include <libssh2.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace re::transport {

/// SSH_MSG_USERAUTH_FAILURE (RFC 4252 section 5.1).
struct AuthFailure {
  std::string methods;  ///< that can continue, comma-separated
  bool partial_success = false;
};

/// The allocator of one session. libssh2 keeps each packet's payload as one block, from its message number
/// on; the blocks are looked at when they are freed (handled) or, for the banner, while they lie in the
/// queue.
class Ssh2Memory {
 public:
  Ssh2Memory() = default;
  /// Frees what libssh2 forgot (1.10 does so after some failures); the session is gone by then.
  ~Ssh2Memory();
  Ssh2Memory(const Ssh2Memory&) = delete;
  Ssh2Memory& operator=(const Ssh2Memory&) = delete;

  void* allocate(std::size_t size);
  void* reallocate(void* block, std::size_t size);
  void release(void* block) noexcept;
  /// Of the session libssh2 sets every byte to zero and uses a quarter: pages without anything else take no
  /// memory any more until they are written to.
  void give_back_zeros() noexcept;

  /// The latest refusal since the last call; libssh2 tells neither partial success nor the methods that
  /// remain.
  std::optional<AuthFailure> take_auth_failure();
  /// Our number of the channel whose opening was confirmed last.
  [[nodiscard]] std::uint32_t opened_channel() const { return m_opened_channel; }
  /// Whether an exit-status request came for our channel of this number: libssh2 gives 0 when none came.
  [[nodiscard]] bool has_exit_status(std::uint32_t channel) const;
  /// The channel is gone.
  void forget_channel(std::uint32_t channel) { m_exit_status.erase(channel); }
  /// Text of SSH_MSG_CHANNEL_OPEN_FAILURE (RFC 4254 section 5.1) since the last call, or empty.
  std::string take_open_failure();
  /// Text of the SSH_MSG_USERAUTH_BANNER packets in the queue (RFC 4252 section 5.4), unsanitised. Each is
  /// given once.
  std::string take_banners();

 private:
  struct Block;
  void inspect(std::string_view payload);

  Block* m_first = nullptr;
  std::optional<AuthFailure> m_auth_failure;
  std::uint32_t m_opened_channel = 0;
  std::map<std::uint32_t, bool> m_exit_status;  ///< of the open channels
  std::string m_open_failure;
};

}  // namespace re::transport
