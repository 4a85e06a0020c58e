#pragma once

#include <memory>
#include <string>
#include <string_view>

// OpenSSL's name for its type (openssl/sha.h).
struct SHA256state_st;  // NOLINT(readability-identifier-naming)

namespace re {

/// SHA-256 (FIPS 180-4) of what is added.
class Sha256 {
 public:
  Sha256();
  void add(std::string_view data);
  /// The 32 bytes. Nothing can be added after that.
  std::string finish();

 private:
  struct Free {
    void operator()(SHA256state_st* state) const;
  };
  std::unique_ptr<SHA256state_st, Free> m_state;
};

/// The 32 bytes of one piece.
std::string sha256(std::string_view data);
/// In 64 lower-case digits.
std::string sha256_hex(std::string_view data);

}  // namespace re
