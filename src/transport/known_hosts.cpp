#include "transport/known_hosts.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "re/base/encoding.hpp"
#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/fd.hpp"
#include "re/sys/file.hpp"
#include "transport/pattern.hpp"

namespace re::transport {

namespace {

constexpr std::string_view k_blanks = " \t";
constexpr std::size_t k_sha1_bytes = 20;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

void skip_blanks(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(k_blanks), text.size()));
}

std::string_view take_word(std::string_view& text) {
  const auto word = text.substr(0, text.find_first_of(k_blanks));
  text.remove_prefix(word.size());
  skip_blanks(text);
  return word;
}

// --- the SSH wire format (RFC 4251 section 5)

std::optional<std::string_view> take_string(std::string_view& wire) {
  if (wire.size() < 4) return std::nullopt;
  std::uint32_t size = 0;
  for (std::size_t i = 0; i < 4; ++i) size = (size << 8U) | static_cast<unsigned char>(wire[i]);
  if (wire.size() - 4 < size) return std::nullopt;
  const auto value = wire.substr(4, size);
  wire.remove_prefix(4 + std::size_t{size});
  return value;
}

void put_string(std::string& wire, std::string_view value) {
  const auto size = static_cast<std::uint32_t>(value.size());
  for (const unsigned shift : {24U, 16U, 8U, 0U}) wire += static_cast<char>((size >> shift) & 0xffU);
  wire += value;
}

bool has_top_bit(std::string_view number) {
  return !number.empty() && (static_cast<unsigned char>(number[0]) & 0x80U);
}

// A positive mpint without superfluous leading zeros; OpenSSH drops those, and refuses negative numbers.
std::optional<std::string> canonical_mpint(std::string_view number) {
  if (has_top_bit(number)) return std::nullopt;
  number.remove_prefix(std::min(number.find_first_not_of('\0'), number.size()));
  return (has_top_bit(number) ? std::string(1, '\0') : std::string()) + std::string(number);
}

std::optional<std::string> canonical_rsa(std::string_view type, std::string_view rest) {
  constexpr std::size_t k_minimum_modulus_bytes =
      1024 / 8;  // OpenSSH's SSH_RSA_MINIMUM_MODULUS_SIZE, in bytes
  const auto exponent = take_string(rest);
  const auto modulus = exponent ? take_string(rest) : std::nullopt;
  if (!modulus || !rest.empty()) return std::nullopt;
  const auto e = canonical_mpint(*exponent);
  const auto n = canonical_mpint(*modulus);
  if (!e || !n || e->empty()) return std::nullopt;
  // 1024 bits exactly: 128 bytes with the top bit set, so 129 as an mpint.
  if (n->size() <= k_minimum_modulus_bytes) return std::nullopt;
  std::string blob;
  put_string(blob, type);
  put_string(blob, *e);
  put_string(blob, *n);
  return blob;
}

bool is_ed25519(std::string_view rest) {
  constexpr std::size_t k_key_bytes = 32;
  const auto key = take_string(rest);
  return key && key->size() == k_key_bytes && rest.empty();
}

struct Curve {
  std::string_view type;
  std::string_view name;
  std::size_t point_bytes;  // uncompressed: 0x04, x, y
};

constexpr std::array<Curve, 3> k_curves = {{{"ecdsa-sha2-nistp256", "nistp256", 65},
                                            {"ecdsa-sha2-nistp384", "nistp384", 97},
                                            {"ecdsa-sha2-nistp521", "nistp521", 133}}};

const Curve* find_curve(std::string_view type) {
  const auto* const found =
      std::find_if(k_curves.begin(), k_curves.end(), [&](const Curve& curve) { return curve.type == type; });
  return found == k_curves.end() ? nullptr : found;
}

// Only uncompressed points: OpenSSH reads no others, and a compressed one would be a second spelling of the
// same key.
bool is_ecdsa(const Curve& curve, std::string_view rest) {
  const auto name = take_string(rest);
  const auto point = name ? take_string(rest) : std::nullopt;
  return point && rest.empty() && *name == curve.name && point->size() == curve.point_bytes &&
         point->front() == '\x04';
}

// --- lines

// OpenSSH takes the signature algorithms' names for the key type they belong to.
std::string_view key_type_of(std::string_view field) {
  return field == "rsa-sha2-256" || field == "rsa-sha2-512" ? "ssh-rsa" : field;
}

// OpenSSH's decoder passes over white space, which is how files with CRLF work.
std::optional<std::string> decode_blob(std::string_view field) {
  std::string packed(field);
  std::erase_if(packed, is_space);
  return from_base64(packed);
}

// Nothing for an unknown marker or a second one: OpenSSH drops such a line. A tab after the marker is
// understood here (OpenSSH looks for a space first and may drop the line): that revokes more, and trusts
// nothing more.
std::optional<KnownHostsMarker> take_marker(std::string_view& line) {
  if (!line.starts_with('@')) return KnownHostsMarker::none;
  const auto word = take_word(line);
  if (line.starts_with('@')) return std::nullopt;
  if (word == "@revoked") return KnownHostsMarker::revoked;
  if (word == "@cert-authority") return KnownHostsMarker::cert_authority;
  return std::nullopt;
}

std::optional<KnownHostsLine> parse_line(std::string_view line) {
  line = line.substr(0, line.find('\0'));  // as C strings end
  skip_blanks(line);
  if (line.empty() || line.front() == '#') return std::nullopt;
  const auto marker = take_marker(line);
  if (!marker) return std::nullopt;
  KnownHostsLine entry;
  entry.marker = *marker;
  entry.hosts = take_word(line);
  const auto type = key_type_of(take_word(line));
  const auto blob = decode_blob(take_word(line));
  const auto inner = blob ? key_blob_type(*blob) : std::nullopt;
  if (!inner) return std::nullopt;
  // A revocation with the wrong type beside the key is still a revocation of that key.
  if (*inner != type && entry.marker != KnownHostsMarker::revoked) return std::nullopt;
  auto canonical = canonical_key_blob(*inner, *blob);
  if (!canonical) return std::nullopt;
  entry.type = *inner;
  entry.blob = std::move(*canonical);
  return entry;
}

// --- host names

bool matches_list(std::string_view patterns, std::string_view name) {
  constexpr std::size_t k_pattern_limit =
      1023;  // OpenSSH's buffer: a longer pattern makes the whole list match nothing
  bool found = false;
  while (!patterns.empty()) {
    const bool is_negated = patterns.front() == '!';
    if (is_negated) patterns.remove_prefix(1);
    const auto pattern = patterns.substr(0, patterns.find(','));
    patterns.remove_prefix(std::min(pattern.size() + 1, patterns.size()));
    if (pattern.size() >= k_pattern_limit) return false;
    if (!matches_pattern(to_lower(pattern), name)) continue;
    if (is_negated) return false;
    found = true;
  }
  return found;
}

bool matches_hash(std::string_view hashed, std::string_view name) {
  constexpr std::string_view k_magic = "|1|";
  if (!hashed.starts_with(k_magic)) return false;
  const auto parts = split(hashed.substr(k_magic.size()), '|');
  if (parts.size() != 2) return false;
  const auto salt = from_base64(parts[0]);
  return salt && salt->size() == k_sha1_bytes && hash_name(name, *salt) == hashed;
}

// --- the file

// The file under its name now: ssh-keygen -R renames a new one over it, and what is appended to the old one
// is lost.
sys::Fd open_locked(const std::filesystem::path& file) {
  for (;;) {
    sys::Fd fd = sys::open_file(file, O_RDWR | O_APPEND | O_CREAT, 0600);
    while (::flock(fd.get(), LOCK_EX) != 0) {
      if (errno != EINTR) throw errno_error("lock " + file.string(), errno);
    }
    struct stat opened{};
    struct stat named{};
    if (::fstat(fd.get(), &opened) != 0) throw errno_error("read " + file.string(), errno);
    if (::stat(file.c_str(), &named) == 0 && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev)
      return fd;
  }
}

}  // namespace

std::optional<std::string> key_blob_type(std::string_view blob) {
  const auto type = take_string(blob);
  if (!type || type->empty()) return std::nullopt;
  return std::string(*type);
}

bool is_checkable_key_type(std::string_view type) {
  return type == "ssh-ed25519" || type == "ssh-rsa" || find_curve(type) != nullptr;
}

std::optional<std::string> canonical_key_blob(std::string_view type, std::string_view blob) {
  std::string_view rest = blob;
  const auto inner = take_string(rest);
  if (!inner || *inner != type) return std::nullopt;
  if (type == "ssh-rsa") return canonical_rsa(type, rest);
  if (type == "ssh-ed25519" && !is_ed25519(rest)) return std::nullopt;
  if (const Curve* curve = find_curve(type); curve != nullptr && !is_ecdsa(*curve, rest)) return std::nullopt;
  return std::string(blob);
}

std::vector<KnownHostsLine> parse_known_hosts(std::string_view text) {
  std::vector<KnownHostsLine> lines;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    auto entry = parse_line(line);
    if (!entry) continue;
    entry->number = number;
    lines.push_back(std::move(*entry));
  }
  return lines;
}

bool names_host(std::string_view hosts, std::string_view name) {
  return hosts.starts_with('|') ? matches_hash(hosts, name) : matches_list(hosts, name);
}

std::string lookup_name(std::string_view host, unsigned short port) {
  constexpr unsigned short k_ssh_port = 22;
  std::string name = to_lower(host);
  return port == k_ssh_port ? name : "[" + name + "]:" + std::to_string(port);
}

std::string hash_name(std::string_view name, std::string_view salt) {
  std::array<unsigned char, k_sha1_bytes> digest{};
  unsigned int size = digest.size();
  const auto* const data = reinterpret_cast<const unsigned char*>(name.data());
  if (::HMAC(EVP_sha1(), salt.data(), static_cast<int>(salt.size()), data, name.size(), digest.data(),
             &size) == nullptr) {
    throw Error(ErrorKind::io, "cannot hash a host name: OpenSSL's HMAC-SHA1 failed");
  }
  const std::string_view bytes(reinterpret_cast<const char*>(digest.data()), digest.size());
  return "|1|" + to_base64(salt) + "|" + to_base64(bytes);
}

void append_known_host(const std::filesystem::path& file, std::string_view line) {
  const auto directory = file.parent_path();
  if (!directory.empty() && !std::filesystem::exists(directory)) sys::ensure_private_directory(directory);
  const sys::Fd fd = open_locked(file);
  const std::string present = sys::read_file(file);
  const auto lines = split_lines(present);
  if (std::find(lines.begin(), lines.end(), line) != lines.end()) return;
  std::string added = present.empty() || present.ends_with('\n') ? std::string() : std::string("\n");
  added += line;
  added += '\n';
  sys::write_all(fd.get(), added);
}

}  // namespace re::transport
