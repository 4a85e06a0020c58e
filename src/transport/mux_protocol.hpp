// The messages with which a client speaks to an OpenSSH connection master over its control socket (OpenSSH's
// PROTOCOL.mux, protocol version 4, unchanged since OpenSSH 5.9). Pure; every message here is framed (length
// first), ready to send.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace re::transport::mux {

enum class Type : std::uint32_t {
  hello = 0x00000001,
  new_session = 0x10000002,
  alive_check = 0x10000004,
  new_stdio_forward = 0x10000008,
  ok = 0x80000001,
  permission_denied = 0x80000002,
  failure = 0x80000003,
  exit_message = 0x80000004,
  alive = 0x80000005,
  session_opened = 0x80000006,
  tty_alloc_failed = 0x80000008,
};

/// The longest reply that is read; OpenSSH's own limit is 256 KiB, real ones are under 1 KiB.
inline constexpr std::uint32_t k_reply_limit = 64U << 10U;

std::string hello();
std::string alive_check();

struct SessionRequest {
  std::string command;
  bool wants_tty = false;
  std::string term;
};
/// To be followed by three descriptors: the session's stdin, stdout and stderr.
std::string new_session(const SessionRequest& request);
/// To be followed by two descriptors: what is sent and what is received.
std::string stdio_forward(std::string_view host, unsigned short port);

struct Reply {
  Type type = Type::ok;
  std::uint32_t value = 0;  ///< exit_message: the code; hello: the version; alive: the master's pid
  std::string reason;       ///< failure, permission_denied
};

/// A payload (without its length), or nothing when it cannot be understood.
std::optional<Reply> parse_reply(std::string_view payload);

}  // namespace re::transport::mux
