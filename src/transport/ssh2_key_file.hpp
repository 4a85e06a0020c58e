// What can be told of a private key file without its passphrase (OpenSSH's PROTOCOL.key; RFC 1421 and PKCS#8
// for PEM).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace re::transport {

struct KeyFile {
  enum class Form {
    private_key,
    public_key,  ///< the private half is elsewhere (an agent)
    unreadable,  ///< not a key, or in a format that libssh2 does not read
  };
  Form form = Form::unreadable;
  bool is_encrypted = false;
  std::string type;         ///< "ssh-ed25519", "ssh-rsa", …; empty when the file does not tell
  std::string public_blob;  ///< RFC 4253 section 6.6; empty when the file does not tell
};

/// Pure; any text is safe.
KeyFile parse_key_file(std::string_view text);
/// One line "type base64 [comment]"; the result's form is public_key or unreadable.
KeyFile parse_public_key(std::string_view text);
/// The file, and what "<path>.pub" adds; nothing when there is no such file or it may not be read.
std::optional<KeyFile> read_key_file(const std::filesystem::path& path);
/// The private part of an unencrypted key in OpenSSH's format, to be wiped; nothing for any other text.
std::optional<std::string> unencrypted_private_part(std::string_view text);
/// The type that a public key blob names, or empty.
std::string key_type(std::string_view public_blob);
/// A key on a FIDO token, or a certificate: libssh2 1.10 can use neither.
bool is_token_key(std::string_view type);
bool is_certificate(std::string_view type);

}  // namespace re::transport
