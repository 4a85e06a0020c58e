#include "remote/block_hash.hpp"

#include <openssl/evp.h>

#include <array>

#include "re/base/encoding.hpp"
#include "re/base/error.hpp"

namespace re::remote {

namespace {

void require(int result) {
  if (result != 1) throw Error(ErrorKind::io, "libcrypto cannot compute a hash");
}

}  // namespace

std::optional<Digest> parse_digest(std::string_view name) {
  if (name == "blake2b") return Digest::blake2b;
  if (name == "sha256") return Digest::sha256;
  return std::nullopt;
}

BlockHash::BlockHash(Digest digest) : m_digest(digest), m_context(::EVP_MD_CTX_new(), ::EVP_MD_CTX_free) {
  require(m_context ? 1 : 0);
  begin();
}

void BlockHash::begin() {
  const EVP_MD* const algorithm = m_digest == Digest::blake2b ? ::EVP_blake2b512() : ::EVP_sha256();
  require(::EVP_DigestInit_ex(m_context.get(), algorithm, nullptr));
}

void BlockHash::add(std::string_view data) {
  require(::EVP_DigestUpdate(m_context.get(), data.data(), data.size()));
}

std::string BlockHash::take() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  require(::EVP_DigestFinal_ex(m_context.get(), bytes.data(), &size));
  begin();
  return to_hex({reinterpret_cast<const char*>(bytes.data()), size});
}

}  // namespace re::remote
