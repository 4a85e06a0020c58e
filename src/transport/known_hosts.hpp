// The known_hosts format (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"), read as OpenSSH's hostfile.c reads it.
// Pure functions of text but for append_known_host(). Where OpenSSH reads a line of doubt as no line, we do
// too, but a revocation is taken wherever it can be understood.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace re::transport {

enum class KnownHostsMarker { none, cert_authority, revoked };

/// One usable line.
struct KnownHostsLine {
  std::size_t number = 0;  ///< counted from 1
  KnownHostsMarker marker = KnownHostsMarker::none;
  std::string hosts;  ///< the pattern list or hashed name, as written
  std::string type;   ///< the key's own type, as inside the blob ("rsa-sha2-512" is written "ssh-rsa")
  std::string blob;   ///< RFC 4253 section 6.6, canonical (canonical_key_blob)
};

/// All usable lines, in order. Comments, blank lines and lines that make no sense are left out and hide no
/// other line. Never throws on any text.
std::vector<KnownHostsLine> parse_known_hosts(std::string_view text);

/// Whether a host field (a comma list of patterns with * ? and !, or |1|salt|hash) names this host.
/// \param name as lookup_name() gives it
bool names_host(std::string_view hosts, std::string_view name);

/// What known_hosts is searched for: the host in lower case, as "[host]:port" for a port other than 22.
std::string lookup_name(std::string_view host, unsigned short port);

/// "|1|salt|hash": HMAC-SHA1 with the salt (20 bytes) as key.
std::string hash_name(std::string_view name, std::string_view salt);

/// The one encoding of a public key that OpenSSH takes for equal to this one, or nothing where OpenSSH
/// refuses to read the blob (lengths, curve, compressed points, RSA below 1024 bits). Two keys are the same
/// when their canonical blobs are: a server must not get around a revocation by spelling its key otherwise.
/// Of types that are never negotiated here (DSA, FIDO, certificates) only the outer frame is checked.
/// \param type must equal the type inside the blob
std::optional<std::string> canonical_key_blob(std::string_view type, std::string_view blob);

/// Whether a server's plain key of this type can be checked: ssh-ed25519, ecdsa-sha2-nistp*, ssh-rsa.
bool is_checkable_key_type(std::string_view type);

/// The type that stands inside a key blob, or nothing.
std::optional<std::string> key_blob_type(std::string_view blob);

/// Appends one line (without '\n') unless the file holds it already. Makes a missing file with mode 0600, a
/// missing directory with 0700; a last line without '\n' is ended first. Safe against others that append at
/// the same time, and against `ssh-keygen -R` putting a new file in place. Throws Error (io).
void append_known_host(const std::filesystem::path& file, std::string_view line);

}  // namespace re::transport
