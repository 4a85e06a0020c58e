// The decision whether a server's key may be trusted, by OpenSSH's known_hosts rules (sshd(8),
// "SSH_KNOWN_HOSTS FILE FORMAT"; ssh_config(5), StrictHostKeyChecking). Never more permissive than `ssh -o
// StrictHostKeyChecking=yes`.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "re/transport/target.hpp"
#include "transport/known_hosts.hpp"
#include "transport/known_hosts_files.hpp"

namespace re::transport {

/// A server's public key as it came in the key exchange.
struct HostKey {
  std::string
      type;  ///< "ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa", …: the key's own type, not the signature's
  std::string blob;  ///< RFC 4253 section 6.6 wire format
};

/// "SHA256:" and unpadded base64, as ssh-keygen -l prints it.
std::string fingerprint(const HostKey& key);

/// Whether a new line hides the host's name (ssh_config(5), HashKnownHosts).
enum class HostNames { plain, hashed };

struct HostKeyPolicy {
  /// What known_hosts is searched for: HostKeyAlias, else the host name as the user gave it, resolved by the
  /// configuration's HostName; matched in lower case.
  std::string host;
  /// Other than 22 is searched as "[host]:port", and then, as OpenSSH does, as "host". Must be 22 with a
  /// HostKeyAlias.
  unsigned short port = 22;
  std::vector<std::filesystem::path> user_files;  ///< the first is the one a new key is added to
  std::vector<std::filesystem::path> global_files;
  UnknownHost unknown_host = UnknownHost::ask;
  HostNames new_names = HostNames::plain;
};

class HostKeyChecker {
 public:
  /// Reads the files (a missing one is empty; an unreadable one is Error (host_key)). Blocking, short.
  HostKeyChecker(HostKeyPolicy policy, KnownHostsFiles& files);
  /// The types of the plain keys known for this host, in the files' order, without duplicates: a client asks
  /// the server for these first, so that a known host is not taken for one with another key type.
  [[nodiscard]] std::vector<std::string> known_types() const;
  /// Returns when the key may be used; may ask, may add it to the first user file. Throws Error (host_key)
  /// otherwise, naming the file and line of a changed or revoked key and the command that removes it
  /// (ssh-keygen -R). A host that is known by keys of other types only counts as changed, as in OpenSSH: it
  /// is never added silently. A key that OpenSSH could not read, or of a type that is not checked here, is
  /// refused.
  void check(const HostKey& key, Prompter& prompter, Progress& progress) const;

 private:
  /// `without_port`: the line names only "host" where "[host]:port" was looked for.
  enum class Match { full, without_port };
  /// A line that names this host, and how.
  struct Entry {
    KnownHostsLine line;
    std::filesystem::path file;
    Match match = Match::full;
  };
  using Entries = std::vector<const Entry*>;

  void look_up(const std::filesystem::path& path, KnownHostsFiles& files);
  [[nodiscard]] Entries plain_entries(Match match) const;
  void refuse_revoked(const HostKey& key) const;
  [[noreturn]] void refuse_changed(const HostKey& key, const Entries& known) const;
  void accept_unknown(const HostKey& key, Prompter& prompter, Progress& progress) const;
  void add(const HostKey& key, Progress& progress) const;

  HostKeyPolicy m_policy;
  std::string m_name;        ///< as lookup_name() spells it
  std::string m_short_name;  ///< without the port
  std::vector<Entry> m_entries;
};

}  // namespace re::transport
