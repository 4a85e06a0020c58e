#include "transport/ssh2_key_file.hpp"

#include <algorithm>
#include <array>

#include "re/base/encoding.hpp"
#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"
#include "re/sys/secret.hpp"
#include "transport/ssh2_wire.hpp"

namespace re::transport {

namespace {

constexpr std::size_t k_largest_key = std::size_t{256} << 10U;
constexpr std::string_view k_openssh_header = "-----BEGIN OPENSSH PRIVATE KEY-----";
constexpr std::string_view k_magic{"openssh-key-v1\0", 15};

// The base64 text between the BEGIN and END lines, decoded.
std::optional<std::string> armoured(std::string_view text) {
  std::string base64;
  for (const auto line : split_lines(text)) {
    if (!line.starts_with("-----")) base64 += trim(line);
  }
  auto decoded = from_base64(base64);
  sys::wipe(base64.data(), base64.size());
  return decoded;
}

// libssh2 decrypts with the ciphers it has for the wire: no GCM, no ChaCha20.
bool is_readable_cipher(std::string_view cipher) {
  return cipher == "none" ||
         (cipher.starts_with("aes") && (cipher.ends_with("-ctr") || cipher.ends_with("-cbc")));
}

KeyFile parse_openssh(std::string_view text) {
  KeyFile key;
  auto decoded = armoured(text);
  if (!decoded || !decoded->starts_with(k_magic)) return key;
  WireReader reader(std::string_view(*decoded).substr(k_magic.size()));
  const auto cipher = reader.text();
  const auto derivation = reader.text();
  reader.text();
  const auto count = reader.number();
  const auto blob = reader.text();
  if (cipher && derivation && count == 1U && blob) {
    key.is_encrypted = *cipher != "none";
    key.public_blob = *blob;
    key.type = key_type(*blob);
    if (is_readable_cipher(*cipher) && !key.type.empty()) key.form = KeyFile::Form::private_key;
  }
  sys::wipe(decoded->data(), decoded->size());
  return key;
}

KeyFile parse_pem(std::string_view text) {
  KeyFile key;
  key.form = KeyFile::Form::private_key;
  key.is_encrypted = text.find("ENCRYPTED") != std::string_view::npos;
  if (text.find("BEGIN RSA PRIVATE KEY") != std::string_view::npos) key.type = "ssh-rsa";
  return key;
}

}  // namespace

std::optional<std::string> unencrypted_private_part(std::string_view text) {
  if (text.find(k_openssh_header) == std::string_view::npos) return std::nullopt;
  auto decoded = armoured(text);
  if (!decoded || !decoded->starts_with(k_magic)) return std::nullopt;
  WireReader reader(std::string_view(*decoded).substr(k_magic.size()));
  const auto cipher = reader.text();
  reader.text();  // the derivation of a key from a passphrase, and its options
  reader.text();
  const auto count = reader.number();
  reader.text();
  const auto part = reader.text();
  std::optional<std::string> found;
  if (cipher == "none" && count == 1U && part) found = *part;
  sys::wipe(decoded->data(), decoded->size());
  return found;
}

std::string key_type(std::string_view public_blob) {
  WireReader reader(public_blob);
  return std::string(reader.text().value_or(std::string_view()));
}

bool is_token_key(std::string_view type) {
  return type.starts_with("sk-") || type.starts_with("webauthn-sk-");
}

bool is_certificate(std::string_view type) {
  return type.ends_with("-cert-v01@openssh.com");
}

KeyFile parse_public_key(std::string_view text) {
  KeyFile key;
  const auto words = split_words(text.substr(0, text.find('\n')));
  if (words.size() < 2) return key;
  auto blob = from_base64(words[1]);
  if (!blob || key_type(*blob) != words[0]) return key;
  key.form = KeyFile::Form::public_key;
  key.type = words[0];
  key.public_blob = std::move(*blob);
  return key;
}

KeyFile parse_key_file(std::string_view text) {
  if (text.find(k_openssh_header) != std::string_view::npos) return parse_openssh(text);
  static constexpr std::array<std::string_view, 5> k_pem = {
      "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----",
      "-----BEGIN ENCRYPTED PRIVATE KEY-----", "-----BEGIN DSA PRIVATE KEY-----"};
  const bool is_pem = std::any_of(k_pem.begin(), k_pem.end(),
                                  [&](auto header) { return text.find(header) != std::string_view::npos; });
  return is_pem ? parse_pem(text) : parse_public_key(text);
}

std::optional<KeyFile> read_key_file(const std::filesystem::path& path) {
  try {
    std::string text = sys::read_file(path, k_largest_key);
    KeyFile key = parse_key_file(text);
    sys::wipe(text.data(), text.size());
    if (!key.public_blob.empty()) return key;
    if (const auto text_beside = sys::read_file_if_exists(path.string() + ".pub")) {
      KeyFile beside = parse_public_key(*text_beside);
      key.type = beside.type.empty() ? key.type : beside.type;
      key.public_blob = std::move(beside.public_blob);
    }
    return key;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace re::transport
