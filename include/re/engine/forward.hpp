// TCP ports of a host, and of what it reaches, as ports of this machine (ssh -L).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "re/base/progress.hpp"
#include "re/base/result.hpp"
#include "re/engine/fleet.hpp"

namespace re::engine {

struct ForwardSpec {
  std::string bind;                ///< where to listen here; empty: loopback; "*": every address
  unsigned short local_port = 0;   ///< 0: one that is free
  std::string host = "localhost";  ///< where to connect to, as the place resolves it
  unsigned short remote_port = 0;

  bool operator==(const ForwardSpec&) const = default;
};

/// "[BIND:]LPORT:[HOST:]RPORT" as with ssh -L, or "RPORT"; an address with colons stands in brackets. Error
/// (usage) says what is wrong.
Result<ForwardSpec> parse_forward(std::string_view text);

/// "localhost:80", "[::1]:80".
std::string address_text(const std::string& host, unsigned short port);

/// Listens here, and joins every connection that comes with a stream of the place's connection, of which
/// there is one. That is made anew when it breaks, for as long as it takes; what was joined is lost then, the
/// ports stay, and new connections wait.
class Forwarder {
 public:
  /// All of them outlive this.
  Forwarder(Fleet& fleet, Place place, Progress& progress);
  ~Forwarder();
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  /// Connections are taken from now on, and served by serve(). Returns the local port. Throws Error (io) when
  /// the address cannot be had, (usage) when it is none of this machine.
  unsigned short listen(IoContext& io, const ForwardSpec& spec);
  /// Until it is cancelled: everything is closed then. `connected` is called once, after the first connect.
  /// Through progress it says once when the connection is lost, and once when it is back; a port that refuses
  /// costs the one connection that wanted it. Throws what connecting throws; once it was connected,
  /// unreachable and timeout only lead to the next attempt.
  Async<void> serve(std::function<void()> connected);

 private:
  class Parts;
  std::shared_ptr<Parts> m_parts;
};

}  // namespace re::engine
