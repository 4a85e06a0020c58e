// How to reach a host, and how to ask its user.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "re/base/progress.hpp"
#include "re/sys/secret.hpp"
#include "re/transport/connection.hpp"

namespace re::transport {

enum class Kind : unsigned char { automatic, ssh2, openssh, local };
/// "auto", "ssh2", "openssh", "local".
std::optional<Kind> parse_kind(std::string_view text);
std::string_view to_string(Kind kind);

/// What to do with a server whose key no known_hosts file names. A changed or revoked key is always refused.
enum class UnknownHost : unsigned char {
  ask,         ///< ask on the terminal; refuse without one
  accept_new,  ///< add it, say so
  refuse,
};

/// What the configuration says of a host. Empty or unset means: as `ssh -G` says, else OpenSSH's default.
struct Target {
  std::string name;  ///< for messages: the instance's name or destination
  std::string host;  ///< host name, address or an alias of ~/.ssh/config; never begins with '-'
  std::string user;
  std::optional<unsigned short> port;
  std::vector<std::filesystem::path> identity_files;
  std::optional<std::chrono::milliseconds>
      connect_timeout;  ///< for TCP, key exchange and authentication together
  Kind kind = Kind::automatic;
  UnknownHost unknown_host = UnknownHost::ask;
  std::optional<std::string> agent_socket;          ///< in place of $SSH_AUTH_SOCK
  std::optional<std::filesystem::path> ssh_config;  ///< in place of the user's and the system's (`ssh -F`)
  /// Called when the server asks for a password and one is configured; may run a command; may throw Error.
  std::function<sys::Secret()> password;
};

/// Questions to the user. An implementation without a terminal throws Error (auth) or answers "no".
class Prompter {
 public:
  virtual ~Prompter() = default;
  /// A password, a passphrase or a one-time code; the prompt is shown as the server words it (sanitised by
  /// the implementation).
  virtual sys::Secret secret(std::string_view prompt) = 0;
  /// A keyboard-interactive prompt that may be echoed.
  virtual std::string visible(std::string_view prompt) = 0;
  /// "The authenticity of host … can't be established. … Continue?"
  virtual bool confirm(std::string_view question) = 0;
  /// Text from the server before authentication (its banner).
  virtual void banner(std::string_view text) = 0;
  /// Whether there is anybody who could be asked.
  [[nodiscard]] virtual bool can_ask() const { return true; }
  /// The answers from the one to this prompt on were refused. For who keeps answers.
  virtual void refused(std::string_view /*first_prompt*/) {}
};

/// How to find the connection master, and how to start it. ARCHITECTURE.md, "The connection master".
struct MasterOptions {
  std::filesystem::path directory;       ///< of its socket; 0700
  std::chrono::milliseconds persist{0};  ///< idle time before it ends
};

/// What connections learn from one another: ssh's configuration, known_hosts files. For one run, not for a
/// process that lives for hours.
struct ConnectMemory;
/// \param cache_directory  for what is kept between runs; empty: nothing is
std::shared_ptr<ConnectMemory> make_connect_memory(const std::filesystem::path& cache_directory);

enum class Keep : unsigned char {
  while_used,
  open  ///< for whoever comes: a channel is opened ahead
};

/// What a connect needs beside its target. All references outlive the connection.
struct ConnectContext {
  Prompter& prompter;
  Progress& progress;
  std::filesystem::path state_directory;     ///< where "this host needs openssh" is remembered
  std::filesystem::path runtime_directory;   ///< for sockets; 0700
  std::optional<MasterOptions> master = {};  ///< nothing: connect directly
  Keep keep = Keep::while_used;
  std::shared_ptr<ConnectMemory> memory = {};  ///< nothing: each connect asks and reads for itself
};

/// Whether a connection that the master holds will do.
enum class Reuse : unsigned char {
  allowed,
  none,  ///< the last one was found broken
};

/// Connects and authenticates by the target's kind, through the connection master where the context has one
/// and it answers; `automatic` tries ssh2 and falls back to openssh where libssh2 cannot (a reason of kind
/// `unsupported`), says so once through progress, and remembers it for the host. Throws Error: unreachable,
/// timeout, auth, host_key, config.
Async<std::unique_ptr<Connection>> connect(const Target& target, const ConnectContext& context,
                                           Reuse reuse = Reuse::allowed);

}  // namespace re::transport
