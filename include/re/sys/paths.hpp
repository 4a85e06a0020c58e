// Where a user's files are (XDG Base Directory Specification 0.8, with our name as the last part).
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace re::sys {

/// Looks a variable up; empty counts as unset.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;
/// The process's own environment.
Environment process_environment();

struct UserPaths {
  std::filesystem::path home;
  std::filesystem::path config;   ///< $XDG_CONFIG_HOME/re, else ~/.config/re
  std::filesystem::path state;    ///< $XDG_STATE_HOME/re, else ~/.local/state/re
  std::filesystem::path cache;    ///< $XDG_CACHE_HOME/re, else ~/.cache/re
  std::filesystem::path runtime;  ///< $XDG_RUNTIME_DIR/re, else /tmp/re-<uid>
};

/// Throws Error (config) when there is no home directory. Makes nothing.
UserPaths user_paths(const Environment& environment);

/// The program as found in PATH (an absolute path), or nothing.
std::optional<std::filesystem::path> find_program(std::string_view name, const Environment& environment);
/// This program's own file (/proc/self/exe).
std::filesystem::path own_executable();
std::string user_name();
/// gethostname(2).
std::string host_name();

}  // namespace re::sys
