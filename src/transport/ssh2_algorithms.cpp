#include "transport/ssh2_algorithms.hpp"

#include <libssh2.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "re/base/strings.hpp"

namespace re::transport {

namespace {

// Cheap ones first: sntrup761 is not in libssh2, nistp384 and the finite-field groups cost ten times as much.
constexpr std::array<std::string_view, 9> k_kex = {"curve25519-sha256",
                                                   "curve25519-sha256@libssh.org",
                                                   "ecdh-sha2-nistp256",
                                                   "ecdh-sha2-nistp384",
                                                   "ecdh-sha2-nistp521",
                                                   "diffie-hellman-group14-sha256",
                                                   "diffie-hellman-group16-sha512",
                                                   "diffie-hellman-group18-sha512",
                                                   "diffie-hellman-group-exchange-sha256"};
constexpr std::array<std::string_view, 3> k_ciphers = {"aes128-ctr", "aes192-ctr", "aes256-ctr"};
constexpr std::array<std::string_view, 3> k_macs = {"hmac-sha2-256", "hmac-sha2-512", "hmac-sha1"};
constexpr std::array<std::string_view, 6> k_host_keys = {"ssh-ed25519",         "ecdsa-sha2-nistp256",
                                                         "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
                                                         "rsa-sha2-512",        "rsa-sha2-256"};

bool holds(std::span<const std::string> list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string intersect(std::string_view what, std::span<const std::string_view> ours,
                      std::span<const std::string> allowed) {
  std::vector<std::string> chosen;
  for (const auto name : ours) {
    if (allowed.empty() || holds(allowed, name)) chosen.emplace_back(name);
  }
  if (!chosen.empty()) return join(chosen, ",");
  throw Error(ErrorKind::unsupported,
              "the ssh configuration allows no " + std::string(what) + " that libssh2 has");
}

bool is_rsa(std::string_view algorithm) {
  return algorithm.starts_with("rsa-sha2-");
}

std::string_view key_type_of(std::string_view algorithm) {
  return is_rsa(algorithm) ? "ssh-rsa" : algorithm;
}

std::string choose_host_keys(const EffectiveConfig& config, const std::vector<std::string>& known_types) {
  std::vector<std::string_view> ours;
  std::copy_if(k_host_keys.begin(), k_host_keys.end(), std::back_inserter(ours),
               [](std::string_view name) { return has_rsa_sha2() || !is_rsa(name); });
  const auto is_known = [&](std::string_view name) { return holds(known_types, key_type_of(name)); };
  if (!known_types.empty() && std::none_of(ours.begin(), ours.end(), is_known)) {
    throw Error(ErrorKind::unsupported,
                "libssh2 cannot verify the host's known key (" + join(known_types, ", ") + ")");
  }
  std::stable_partition(ours.begin(), ours.end(), is_known);
  return intersect("host key algorithm", ours, config.host_key_algorithms);
}

}  // namespace

bool has_rsa_sha2() {
  return libssh2_version(0x010b00) != nullptr;
}

AlgorithmOffer choose_algorithms(const EffectiveConfig& config, const std::vector<std::string>& known_types) {
  return {intersect("key exchange", k_kex, config.kex_algorithms), choose_host_keys(config, known_types),
          intersect("cipher", k_ciphers, config.ciphers), intersect("MAC", k_macs, config.macs)};
}

}  // namespace re::transport
