// The effective ssh configuration of a host: what the user's ssh client would do, from `ssh -G` (ssh(1),
// ssh_config(5)).
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "re/base/result.hpp"
#include "re/sys/async.hpp"
#include "re/transport/target.hpp"

namespace re::transport {

enum class AddressFamily { any, ipv4, ipv6 };

/// Defaults are OpenSSH's, except where a comment says otherwise. An empty algorithm list means "no
/// restriction".
struct EffectiveConfig {
  std::string hostname;
  std::string user;
  unsigned short port = 22;
  std::vector<std::string> identity_files;  ///< "~" and tokens as they were written, until expand_paths()
  std::vector<std::string> certificate_files;
  bool identities_only = false;
  std::optional<std::string> identity_agent;  ///< unset: $SSH_AUTH_SOCK; "none"; else a socket's path
  std::string proxy_jump;                     ///< empty: none
  std::string proxy_command;                  ///< empty: none
  std::vector<std::string> user_known_hosts;
  std::vector<std::string> global_known_hosts;
  std::string strict_host_key_checking = "ask";
  std::string host_key_alias;
  std::optional<std::chrono::seconds> connect_timeout;
  std::chrono::seconds server_alive_interval{0};  ///< 0: not set
  unsigned server_alive_count_max = 3;
  bool gssapi_authentication = false;
  bool password_authentication = true;
  bool keyboard_interactive_authentication = true;
  bool publickey_authentication = true;
  std::vector<std::string> preferred_authentications;  ///< empty: OpenSSH's order
  std::vector<std::string> kex_algorithms;
  std::vector<std::string> ciphers;
  std::vector<std::string> macs;
  std::vector<std::string> host_key_algorithms;
  AddressFamily address_family = AddressFamily::any;
  std::string bind_address;
  bool hash_known_hosts = false;
};

/// Reads the output of `ssh -G`: one lower-case keyword and its value per line. Unknown keywords are left
/// alone; a known one whose value cannot be right is Error (config). Pure; any text is safe.
Result<EffectiveConfig> parse_ssh_config(std::string_view text);

/// The lines whose keywords parse_ssh_config() knows.
std::string known_ssh_config_lines(std::string_view text);

/// What a host resolves to when there is no ssh client: OpenSSH's defaults.
EffectiveConfig default_ssh_config(const Target& target, const std::filesystem::path& home);

/// What the tokens of ssh_config(5) stand for ("TOKENS"); only those that are known before connecting.
struct PathTokens {
  std::string home;        ///< %d and "~"
  std::string local_user;  ///< %u
  std::string local_host;  ///< %l
  std::string host;        ///< %h, the resolved name
  std::string original;    ///< %n, as given
  std::string user;        ///< %r
  std::string port;        ///< %p
};

/// "~/.ssh/%h" as a path; nothing when it holds a token that is not supported.
std::optional<std::string> expand_path(std::string_view path, const PathTokens& tokens);

class SshConfigMemory;

/// The effective configuration of the target, its own keys laid over it, paths expanded. Throws Error
/// (config) when ssh refuses the configuration or host or user begin with '-'.
Async<EffectiveConfig> effective_ssh_config(Target target, SshConfigMemory& memory);

/// One hop of ProxyJump: "[user@]host[:port]" or "ssh://[user@]host[:port]".
struct JumpHost {
  std::string user;
  std::string host;
  std::optional<unsigned short> port;
};
/// The hops of ProxyJump, first hop first.
Result<std::vector<JumpHost>> parse_proxy_jump(std::string_view text);

}  // namespace re::transport
