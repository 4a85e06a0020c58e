// EVP, which replaces these functions, looks an algorithm up in providers and configuration first: that costs
// a short command more than all else that it does.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "re/base/sha256.hpp"

#include <openssl/sha.h>

#include "re/base/encoding.hpp"

namespace re {

void Sha256::Free::operator()(SHA256state_st* state) const {
  delete state;  // NOLINT(cppcoreguidelines-owning-memory): unique_ptr's deleter of a type that is complete
                 // only here
}

// These functions always return 1.
Sha256::Sha256() : m_state(new SHA256state_st) {
  ::SHA256_Init(m_state.get());
}

void Sha256::add(std::string_view data) {
  ::SHA256_Update(m_state.get(), data.data(), data.size());
}

std::string Sha256::finish() {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  ::SHA256_Final(reinterpret_cast<unsigned char*>(digest.data()), m_state.get());
  return digest;
}

std::string sha256(std::string_view data) {
  Sha256 hash;
  hash.add(data);
  return hash.finish();
}

std::string sha256_hex(std::string_view data) {
  return to_hex(sha256(data));
}

}  // namespace re
