// The contract every transport keeps (local, ssh2, openssh; later the connection master's client). One
// contract suite, tests/unit/transport/contract_test.cpp, runs over all of them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "re/base/error.hpp"
#include "re/sys/async.hpp"
#include "re/sys/child.hpp"
#include "re/sys/terminal.hpp"

namespace re::transport {

/// One piece of a channel's output.
struct Chunk {
  enum class Stream { output, error, end };
  Stream stream = Stream::end;  ///< `end`: both streams are closed; nothing follows
  std::string data;             ///< never empty unless stream is `end`
};

struct PtyRequest {
  std::string term = "xterm";  ///< the TERM value to ask for
  sys::WindowSize size;

  bool operator==(const PtyRequest&) const = default;
};

/// A POSIX shell that reads a script from its input, in the words that every login shell reads alike.
inline constexpr std::string_view k_shell_command = "exec /bin/sh -s";

struct ExecRequest {
  /// Given to the user's login shell as it is; must therefore be what every login shell reads alike:
  /// k_shell_command, or words without a character that means something to one.
  std::string command;
  std::optional<PtyRequest> pty;
  /// A connection that starts such a process ahead, for the next request that has a preamble too and is equal
  /// but for that, gives it this input first (Channel::has_preamble); otherwise it is not sent. Empty: the
  /// process is not to be started ahead.
  std::string preamble = {};

  bool operator==(const ExecRequest&) const = default;
};

/// One remote process (or one forwarded TCP stream: then output only, and wait() gives code 0).
///
/// All calls on one channel come from one thread. One read() and one write() may be in flight at the same
/// time; not two of either. Awaiting is cancelled by Asio's cancellation signals (total): the operation is
/// then without effect for the caller and the channel must only be closed. Every call throws Error
/// (unreachable) when the connection is lost.
class Channel {
 public:
  virtual ~Channel() = default;

  /// Whether the process was started ahead and was given the preamble of the very request that has got it.
  [[nodiscard]] virtual bool has_preamble() const { return false; }
  /// The next output, in order within each stream, at most 64 KiB. Applies back-pressure: what is not read is
  /// not taken from the peer beyond a bounded window.
  virtual Async<Chunk> read() = 0;
  /// Sends all of it to the process's input; waits while the peer's window is full. When the process has
  /// closed its input the data is dropped.
  virtual Async<void> write(std::string_view data) = 0;
  /// End of file on the process's input. Idempotent.
  virtual Async<void> close_input() = 0;
  /// The terminal's new size; without a pty nothing.
  virtual Async<void> resize(sys::WindowSize size) = 0;
  /// How the process ended; reads and drops what output is left. A code the peer did not report is Error
  /// (unreachable).
  virtual Async<sys::ExitStatus> wait() = 0;
  /// Gives the channel up. The remote process is not killed; it sees its pipes closed. Idempotent, never
  /// throws.
  virtual Async<void> close() = 0;
};

/// What is known of a live connection, for messages and facts.
struct ConnectionInfo {
  std::string destination;  ///< "user@host" or "user@host:port" as the user would write it; "local"
  std::string transport;    ///< "ssh2", "openssh", "local"
  std::string host_key;     ///< "ssh-ed25519 SHA256:…", empty for local
};

/// An authenticated connection to one host. Several channels may be open at once.
class Connection {
 public:
  virtual ~Connection() = default;

  /// Starts a command. Throws Error: unreachable (lost, or no channel within the connect timeout), remote
  /// (the server refused the channel or the pty).
  virtual Async<std::unique_ptr<Channel>> exec(ExecRequest request) = 0;
  /// A TCP stream from the host to host:port as the remote side sees it (direct-tcpip, RFC 4254 section 7.2).
  /// Either end may say that it has ended while the other goes on; with openssh, the far end's ends both (the
  /// ssh program's -W does). Throws Error as exec() does: remote when there is nobody, or it is not allowed.
  virtual Async<std::unique_ptr<Channel>> open_forward(std::string host, unsigned short port) = 0;
  [[nodiscard]] virtual const ConnectionInfo& info() const = 0;
  /// Ends all channels and the connection. Idempotent, never throws.
  virtual Async<void> close() = 0;
};

}  // namespace re::transport
