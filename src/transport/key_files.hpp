// Identity files, each read and parsed once for all connections of a run.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "transport/ssh2_key_file.hpp"

namespace re::transport {

/// A private key in memory that signs as RFC 8709 section 6 says. libssh2 would read and decode the key's
/// file anew for each connection, which costs more than the rest of the login.
class Ed25519Key {
 public:
  /// Nothing unless the text is an unencrypted Ed25519 key in OpenSSH's format
  /// (openssh/PROTOCOL.key).
  static std::shared_ptr<const Ed25519Key> parse(std::string_view text);
  ~Ed25519Key();
  Ed25519Key(const Ed25519Key&) = delete;
  Ed25519Key& operator=(const Ed25519Key&) = delete;

  /// 64 bytes; nothing when OpenSSL fails.
  [[nodiscard]] std::optional<std::string> sign(std::string_view data) const;

 private:
  explicit Ed25519Key(void* key) : m_key(key) {}
  void* m_key;  ///< an EVP_PKEY
};

class KeyFiles {
 public:
  struct Entry {
    std::optional<KeyFile> file;  ///< nothing: it cannot be read
    std::shared_ptr<const Ed25519Key> key;
    bool has_certificate = false;  ///< one lies beside it
  };

  /// As it was at most some seconds ago. Blocking, short; never throws for what is in a file.
  const Entry& read(const std::string& path);

 private:
  struct Read {
    Entry entry;
    std::chrono::steady_clock::time_point at;
  };
  std::map<std::string, Read> m_entries;
};

}  // namespace re::transport
