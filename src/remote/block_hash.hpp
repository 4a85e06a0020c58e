// The hashes that a host can compute with its own programs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

// OpenSSL's name for its type (openssl/types.h).
struct evp_md_ctx_st;  // NOLINT(readability-identifier-naming)

namespace re::remote {

enum class Digest {
  blake2b,  ///< b2sum: BLAKE2b, 512 bits; half the price of SHA-256 where a program computes that by itself
  sha256    ///< sha256sum, shasum -a 256
};
/// "blake2b", "sha256".
std::optional<Digest> parse_digest(std::string_view name);

/// The hash of one piece of data after the other.
class BlockHash {
 public:
  explicit BlockHash(Digest digest);
  void add(std::string_view data);
  /// Of what was added since the last call, in lower-case hexadecimal digits.
  std::string take();

 private:
  void begin();

  Digest m_digest;
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> m_context;
};

}  // namespace re::remote
