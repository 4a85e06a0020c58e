// Texts of the configuration to checked values. Every function throws Error (config) that begins with the
// origin and says what is wrong; none repeats a password.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "re/config/settings.hpp"

namespace re::config {

/// A value on its way: "%%" is resolved already. Wiped when it goes, since it may be a password.
struct RawValue {
  std::string_view key;
  std::string text;
  Origin origin;
  const std::filesystem::path& home;  ///< for "~/"

  RawValue(std::string_view name, std::string_view escaped, Origin where,
           const std::filesystem::path& home_directory);
  ~RawValue();
  RawValue(const RawValue&) = delete;
  RawValue& operator=(const RawValue&) = delete;

  [[noreturn]] void fail(std::string_view what, std::string hint = {}) const;
};

/// Any text without control characters.
std::string parse_text(const RawValue& raw);
std::string parse_username(const RawValue& raw);
std::string parse_host(const RawValue& raw);
std::string parse_name(const RawValue& raw);          ///< of an instance
std::string parse_project_name(const RawValue& raw);  ///< one plain path component
std::string parse_selector(const RawValue& raw);
std::string parse_project_selector(const RawValue& raw);  ///< no user@host
std::string parse_remote_home(const RawValue& raw);
std::string parse_project_remote_home(const RawValue& raw);  ///< inside the home directory, nothing hidden
std::string parse_program(const RawValue& raw);
std::optional<unsigned short> parse_port(const RawValue& raw);
Milliseconds parse_time(const RawValue& raw);
/// The same, or "0".
Milliseconds parse_persist(const RawValue& raw);
std::optional<Milliseconds> parse_timeout(const RawValue& raw);
std::optional<std::filesystem::path> parse_path(const RawValue& raw);
std::vector<std::filesystem::path> parse_paths(const RawValue& raw);
std::vector<std::string> parse_tags(const RawValue& raw);
std::vector<std::string> parse_shared(const RawValue& raw);
std::shared_ptr<const sys::Secret> parse_password(const RawValue& raw);
TransportKind parse_transport(const RawValue& raw);
HostKeyPolicy parse_host_key(const RawValue& raw);

/// What is wrong with it ("begins with '-'"), or nothing. Both rules are at least as strict as OpenSSH's
/// valid_hostname() and valid_ruser() (ssh.c): neither can become an option or, in a ProxyCommand, shell
/// code.
std::optional<std::string> fault_of_host(std::string_view host);
std::optional<std::string> fault_of_username(std::string_view username);
std::optional<std::string> fault_of_name(std::string_view name);

/// "::1" for "[::1]", else the text.
std::string_view without_brackets(std::string_view host);

}  // namespace re::config
