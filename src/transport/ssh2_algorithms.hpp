// Which algorithms are offered to a server: those that libssh2 has, are safe, and the user's configuration
// allows.
#pragma once

#include <string>
#include <vector>

#include "transport/ssh_config.hpp"

namespace re::transport {

/// Comma-separated lists, the preferred first; never empty.
struct AlgorithmOffer {
  std::string kex;
  std::string host_keys;
  std::string ciphers;
  std::string macs;
};

/// \param known_types  the types of the host's keys in known_hosts (HostKeyChecker::known_types()); they come
/// first Throws Error (unsupported) when nothing is left of a list, or when only keys of types that libssh2
/// cannot verify are known.
AlgorithmOffer choose_algorithms(const EffectiveConfig& config, const std::vector<std::string>& known_types);

/// libssh2 verifies and makes rsa-sha2 signatures from 1.11 on (RFC 8332); before, only SHA-1 ones.
bool has_rsa_sha2();

}  // namespace re::transport
