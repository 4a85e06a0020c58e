// An OpenSSH connection master that is ours alone: `ssh -M -N` as our child, in a session of its own, with a
// control socket in a private directory.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "re/sys/async.hpp"
#include "re/sys/child.hpp"
#include "re/transport/target.hpp"
#include "transport/askpass_server.hpp"
#include "transport/ssh_config.hpp"

namespace re::transport {

/// A directory made for one connection (0700) and removed with it.
class PrivateDirectory {
 public:
  /// Under `parent`, or under /tmp where a socket in it could not be used: a path too long for an address
  /// (108 bytes), or with characters that ssh would expand. Throws Error (io).
  explicit PrivateDirectory(const std::filesystem::path& parent);
  ~PrivateDirectory();
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return m_path; }

 private:
  std::filesystem::path m_path;
};

/// What a test may replace.
struct OpensshPrograms {
  std::string ssh = "ssh";
  std::filesystem::path askpass;  ///< run by the name k_askpass_name; empty: this program
};

/// Whether ssh may ask.
enum class Questions { answered, refused };

class OpensshMaster {
 public:
  /// Starts ssh and waits until it is authenticated and its socket answers; questions go through the context.
  /// Throws Error as connect() does.
  static Async<std::shared_ptr<OpensshMaster>> start(Target target, ConnectContext context,
                                                     OpensshPrograms programs);
  /// Ends ssh: at most half a second, then by force.
  ~OpensshMaster();
  OpensshMaster(const OpensshMaster&) = delete;
  OpensshMaster& operator=(const OpensshMaster&) = delete;

  [[nodiscard]] std::filesystem::path control_path() const { return m_directory.path() / "ctl"; }
  /// "user@host" or "user@host:port".
  [[nodiscard]] const std::string& destination() const { return m_destination; }
  [[nodiscard]] const std::string& host_key() const { return m_host_key; }
  /// How long a connect or a new channel may take.
  [[nodiscard]] std::chrono::milliseconds limit() const { return m_limit; }

  /// Whether the master still serves: asked over its socket, since its descriptors are closed one by one when
  /// it ends. Never throws.
  Async<bool> is_alive();
  /// Lets the master read the sizes of its channels' terminals again, and waits until it surely does. Never
  /// throws.
  Async<void> announce_resize();
  /// "the connection to X was lost: …", with ssh's last word.
  [[nodiscard]] Error lost() const;
  /// Ends ssh without blocking the thread. Idempotent, never throws.
  Async<void> stop();

 private:
  OpensshMaster(const Target& target, const EffectiveConfig& config, const ConnectContext& context);
  void spawn(const Target& target, const EffectiveConfig& config, const OpensshPrograms& programs,
             Questions answered);
  Async<void> become_ready(const Target& target, const ConnectContext& context);
  [[nodiscard]] std::filesystem::path log_path() const { return m_directory.path() / "log"; }
  [[nodiscard]] std::string log() const;

  PrivateDirectory m_directory;
  std::string m_destination;
  AskpassAnswers::Login m_login;
  std::string m_host_key;
  std::chrono::milliseconds m_limit;
  std::optional<AskpassServer> m_questions;  ///< until it is ready
  std::optional<sys::Child> m_ssh;
  bool m_is_stopped = false;
};

/// The arguments for `ssh` to be such a master. Pure but for asking ssh its defaults. Exposed for tests.
std::vector<std::string> master_arguments(const Target& target, const EffectiveConfig& config,
                                          const std::string& control_path, bool prefer_curve25519,
                                          Questions questions = Questions::answered);

}  // namespace re::transport
