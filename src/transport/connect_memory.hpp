// What the connections of one run learn from one another.
#pragma once

#include <chrono>
#include <filesystem>
#include <set>
#include <string>

#include "re/transport/target.hpp"
#include "transport/key_files.hpp"
#include "transport/known_hosts_files.hpp"
#include "transport/ssh_config_memory.hpp"

namespace re::transport {

struct ConnectMemory {
  /// A run goes by the configuration that it began with; who waits for days to connect again does not.
  static constexpr std::chrono::seconds k_freshness_in_a_run{5};

  /// \param freshness  as SshConfigMemory's
  explicit ConnectMemory(const std::filesystem::path& cache_directory,
                         std::chrono::milliseconds freshness = k_freshness_in_a_run)
      : ssh_configs(cache_directory.empty() ? cache_directory : cache_directory / "ssh-config", freshness) {}

  SshConfigMemory ssh_configs;
  KnownHostsFiles known_hosts;
  KeyFiles keys;
  std::set<std::string> slow_logins;  ///< destinations that want more than one proof
};

}  // namespace re::transport
