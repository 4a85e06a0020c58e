#include "re/sys/paths.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"

namespace re::sys {

namespace fs = std::filesystem;

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  };
}

UserPaths user_paths(const Environment& environment) {
  UserPaths paths;
  paths.home = environment("HOME").value_or("");
  if (paths.home.empty()) {
    const passwd* entry = ::getpwuid(::geteuid());
    if (entry == nullptr) throw Error(ErrorKind::config, "no home directory: HOME is not set", "set HOME");
    paths.home = entry->pw_dir;
  }
  const auto place = [&](std::string_view variable, const fs::path& fallback) {
    const fs::path base =
        environment(variable).value_or("");  // a relative path is to be ignored, says the standard
    return base.is_absolute() ? base / "re" : fallback;
  };
  paths.config = place("XDG_CONFIG_HOME", paths.home / ".config/re");
  paths.state = place("XDG_STATE_HOME", paths.home / ".local/state/re");
  paths.cache = place("XDG_CACHE_HOME", paths.home / ".cache/re");
  paths.runtime = place("XDG_RUNTIME_DIR", "/tmp/re-" + std::to_string(::geteuid()));
  return paths;
}

std::optional<fs::path> find_program(std::string_view name, const Environment& environment) {
  const std::string path = environment("PATH").value_or("/usr/local/bin:/usr/bin:/bin");
  for (const auto directory : split(path, ':')) {
    fs::path candidate = fs::path(directory.empty() ? "." : directory) / name;
    std::error_code error;
    if (fs::is_regular_file(candidate, error) && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

fs::path own_executable() {
  return fs::read_symlink("/proc/self/exe");
}

std::string user_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : std::to_string(::geteuid());
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

}  // namespace re::sys
