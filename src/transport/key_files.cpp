#include "transport/key_files.hpp"

#include <openssl/evp.h>

#include <array>
#include <filesystem>

#include "re/base/error.hpp"
#include "re/sys/file.hpp"
#include "re/sys/secret.hpp"
#include "transport/ssh2_wire.hpp"

namespace re::transport {

namespace {

constexpr std::chrono::seconds k_freshness{5};
constexpr std::size_t k_seed_bytes = 32;
constexpr std::size_t k_signature_bytes = 64;

// The seed in the private part: two equal numbers, the type, the public key, the seed with the public key
// behind it.
std::optional<std::string> seed_of(std::string_view private_part) {
  WireReader reader(private_part);
  const auto first = reader.number();
  const auto second = reader.number();
  const auto type = reader.text();
  const auto public_key = reader.text();
  const auto secret = reader.text();
  const bool is_sound = first && first == second && type == "ssh-ed25519" && public_key && secret &&
                        secret->size() == 2 * k_seed_bytes && secret->substr(k_seed_bytes) == *public_key;
  if (!is_sound) return std::nullopt;
  return std::string(secret->substr(0, k_seed_bytes));
}

}  // namespace

std::shared_ptr<const Ed25519Key> Ed25519Key::parse(std::string_view text) {
  auto private_part = unencrypted_private_part(text);
  if (!private_part) return nullptr;
  auto seed = seed_of(*private_part);
  sys::wipe(private_part->data(), private_part->size());
  if (!seed) return nullptr;
  EVP_PKEY* key = ::EVP_PKEY_new_raw_private_key(
      EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(seed->data()), seed->size());
  sys::wipe(seed->data(), seed->size());
  if (key == nullptr) return nullptr;
  return std::shared_ptr<const Ed25519Key>(new Ed25519Key(key));
}

Ed25519Key::~Ed25519Key() {
  ::EVP_PKEY_free(static_cast<EVP_PKEY*>(m_key));
}

std::optional<std::string> Ed25519Key::sign(std::string_view data) const {
  const std::unique_ptr<EVP_MD_CTX, decltype(&::EVP_MD_CTX_free)> context(::EVP_MD_CTX_new(),
                                                                          &::EVP_MD_CTX_free);
  std::array<unsigned char, k_signature_bytes> signature{};
  std::size_t size = signature.size();
  auto* key = static_cast<EVP_PKEY*>(m_key);
  if (context == nullptr || ::EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key) != 1 ||
      ::EVP_DigestSign(context.get(), signature.data(), &size,
                       reinterpret_cast<const unsigned char*>(data.data()), data.size()) != 1 ||
      size != signature.size()) {
    return std::nullopt;
  }
  return std::string(reinterpret_cast<const char*>(signature.data()), signature.size());
}

const KeyFiles::Entry& KeyFiles::read(const std::string& path) {
  const auto now = std::chrono::steady_clock::now();
  const auto known = m_entries.find(path);
  if (known != m_entries.end() && now - known->second.at < k_freshness) return known->second.entry;
  Read& read = m_entries[path];
  read = {};
  read.at = now;
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return read.entry;
  read.entry.file = read_key_file(path);
  read.entry.has_certificate = std::filesystem::exists(path + "-cert.pub", ignored);
  if (read.entry.file && read.entry.file->type == "ssh-ed25519" && !read.entry.file->is_encrypted) {
    try {
      std::string text = sys::read_file(path);
      read.entry.key = Ed25519Key::parse(text);
      sys::wipe(text.data(), text.size());
    } catch (const Error&) {
      // libssh2 will say what it cannot read
    }
  }
  return read.entry;
}

}  // namespace re::transport
