// The configuration: the user's file and the project's, as typed values that know where they were set.
//
// The user's file is INI as Python's configparser reads it, because recompute.py's ~/.recompute.conf is read
// as it is: "key = value" and "key: value", '#' and ';' begin a comment only at the start of a line, quotes
// are literal, "%%" is one '%' (configparser's interpolation). What configparser reads in a way that we do
// not support (a value over several lines, "%(name)s", [DEFAULT]) is refused, never read differently.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "re/sys/paths.hpp"
#include "re/sys/secret.hpp"

namespace re::config {

/// Where a value was set.
struct Origin {
  std::string file;      ///< as shown to the user ("~/.recompute.conf"); empty: built in
  std::size_t line = 0;  ///< from 1

  bool operator==(const Origin&) const = default;
};

/// "~/.recompute.conf:7", or "built-in default".
std::string to_string(const Origin& origin);

template <class T>
struct Value {
  T value{};
  Origin origin;

  [[nodiscard]] bool is_set() const { return !origin.file.empty(); }
};

enum class TransportKind { automatic, ssh2, openssh, local };
/// What to do with a server whose key no known_hosts file names.
enum class HostKeyPolicy { ask, accept_new, strict };

/// "auto", "ssh2", "openssh", "local".
std::string_view to_string(TransportKind kind);
/// "ask", "accept-new", "strict".
std::string_view to_string(HostKeyPolicy policy);

using Milliseconds = std::chrono::milliseconds;

/// [general]
struct GeneralSettings {
  Value<std::string> instance{"0", {}};  ///< a selector as resolve() takes it, but not "all"
  Value<std::string> remote_home{"projects/", {}};
  Value<Milliseconds> persist{std::chrono::minutes(10), {}};  ///< idle time before the connection master ends
  Value<Milliseconds> deadline{std::chrono::seconds(20), {}};  ///< for one host among several (probe, list)
  Value<std::optional<Milliseconds>> connect_timeout;
  Value<std::optional<std::filesystem::path>> ssh_config;  ///< in place of ~/.ssh/config and the system's
};

/// [instance N]. A copy shares the password's one holder.
struct InstanceSettings {
  std::optional<std::size_t> index;  ///< N; unset for `local` and for a user@host that is not configured
  Value<std::string> name;           ///< empty: none
  Value<std::string> username;       ///< empty: as ssh decides
  Value<std::string> host;           ///< empty only for transport local; an IPv6 address without brackets
  Value<std::optional<unsigned short>> port;
  Value<std::vector<std::filesystem::path>> identity_files;
  Value<std::shared_ptr<const sys::Secret>> password;  ///< null: none
  Value<std::string> password_command;  ///< for the local shell; its first line is the password
  Value<TransportKind> transport{TransportKind::automatic, {}};
  Value<HostKeyPolicy> host_key{HostKeyPolicy::ask, {}};
  Value<std::optional<Milliseconds>> connect_timeout;
  Value<std::vector<std::string>> tags;
  Value<std::string> remote_home;  ///< relative to the home directory on the host, or absolute
  Value<std::string> python;       ///< the interpreter there; empty: python3
  Value<std::optional<std::filesystem::path>> ssh_config;  ///< from [general]
  Origin section;                                          ///< the [instance N] line

  /// The name, else "user@host[:port]", else "local": what messages and tables call it.
  [[nodiscard]] std::string label() const;
};

/// .recompute/config: [project]. A project is often somebody else's directory, so it can name nothing that
/// decides where we connect, as whom, or what runs on this machine.
struct ProjectSettings {
  Value<std::string> name;
  Value<std::string> instance;  ///< the index or name of a configured instance
  Value<std::string> remote_home;
  Value<std::string> python;
  Value<std::vector<std::string>>
      shared;  ///< directories of the project that all jobs share, relative, normal
};

struct Settings {
  GeneralSettings general;
  std::vector<InstanceSettings> instances;  ///< by rising index; gaps are allowed
  ProjectSettings project;
  std::optional<std::filesystem::path> user_file;  ///< what was read
};

/// Which files to read.
struct Sources {
  sys::UserPaths paths;
  std::optional<std::filesystem::path>
      explicit_file;  ///< --config FILE: in place of the user's own, must exist
  std::optional<std::filesystem::path> project_file;  ///< <root>/.recompute/config; may be missing
};

/// The user's file: the explicit one, else $XDG_CONFIG_HOME/re/re.conf if it exists, else ~/.recompute.conf
/// if that exists, else re.conf again (where a new one belongs).
std::filesystem::path user_file(const Sources& sources);

/// Reads and checks both layers. A missing user file is no error. Blocking, short.
/// Throws Error (config), naming file and line: a mistake in a file; a user file that others can write; a
/// password in a file that others can read; a key in the project's file that a project may not set.
Settings load_settings(const Sources& sources);

/// "user@host", "user@host:port", "user@[::1]:22" in its parts.
struct Destination {
  std::string username;
  std::string host;
  std::optional<unsigned short> port = {};
};
/// Throws Error (usage) where the text is none; a host or user name that could be an option or shell code is
/// refused.
Destination parse_destination(std::string_view text);

/// The instances that a selector names, complete: what an instance leaves open is filled in from [general];
/// the project's remote_home and python win over both. Never empty.
///
/// A selector is an index; a name; "user@host[:port]" (the configured instance with just these, else one of
/// its own); "all" (every configured instance, else `local`); "local" (this machine); a tag (every instance
/// that has it, unless one of the former is meant); or several of these with commas between them, each
/// instance once, in the order in which they are named. Without one: the project's instance, else that of
/// [general], else (none set) the one with the lowest index, else `local`.
/// Throws Error (not_found) with a suggestion and the names there are; (usage) for a malformed destination.
std::vector<InstanceSettings> resolve(const Settings& settings,
                                      std::optional<std::string_view> selector = {});

}  // namespace re::config
