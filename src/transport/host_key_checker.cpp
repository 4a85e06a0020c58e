#include "transport/host_key_checker.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "re/base/encoding.hpp"
#include "re/base/error.hpp"
#include "re/base/sha256.hpp"
#include "re/base/shell.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"
#include "re/sys/random.hpp"

namespace re::transport {

namespace {

// "ED25519", "ECDSA", "RSA": the words of OpenSSH's own messages, which users know.
std::string_view type_word(std::string_view type) {
  if (type == "ssh-ed25519") return "ED25519";
  if (type == "ssh-rsa") return "RSA";
  if (type.starts_with("ecdsa-sha2-")) return "ECDSA";
  return type;
}

std::string describe(std::string_view type, std::string_view blob) {
  return std::string(type) + " " + fingerprint({std::string(type), std::string(blob)});
}

std::string place(const std::filesystem::path& file, std::size_t line) {
  return file.string() + ":" + std::to_string(line);
}

std::string new_line(const HostKey& key, std::string_view name, HostNames names) {
  constexpr std::size_t k_salt_bytes = 20;  // OpenSSH takes exactly the length of a SHA-1
  std::string field(name);
  if (names == HostNames::hashed) {
    std::array<unsigned char, k_salt_bytes> salt{};
    sys::fill_random(salt);
    field = hash_name(name, {reinterpret_cast<const char*>(salt.data()), salt.size()});
  }
  return field + " " + key.type + " " + to_base64(key.blob);
}

// What would change the meaning of the line that is written for this host.
bool is_safe_name(std::string_view name) {
  return !name.empty() && std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == 0x7f ||
           std::string_view("*?!,#|@").find(c) != std::string_view::npos;
  });
}

}  // namespace

std::string fingerprint(const HostKey& key) {
  std::string text = to_base64(sha256(key.blob));
  text.resize(std::min(text.find('='), text.size()));
  return "SHA256:" + text;
}

HostKeyChecker::HostKeyChecker(HostKeyPolicy policy, KnownHostsFiles& files)
    : m_policy(std::move(policy)),
      m_name(lookup_name(m_policy.host, m_policy.port)),
      m_short_name(to_lower(m_policy.host)) {
  for (const auto& file : m_policy.user_files) look_up(file, files);
  for (const auto& file : m_policy.global_files) look_up(file, files);
}

void HostKeyChecker::look_up(const std::filesystem::path& path, KnownHostsFiles& files) {
  std::vector<Entry> found;
  try {
    const KnownHostsIndex& index = files.read(path);
    for (const auto* line : index.find(m_name)) found.push_back({*line, path, Match::full});
    if (m_name != m_short_name) {
      for (const auto* line : index.find(m_short_name)) found.push_back({*line, path, Match::without_port});
    }
  } catch (const Error& error) {
    // Without the file a revocation in it would go unseen.
    throw Error(ErrorKind::host_key, "cannot check the host key of " + m_name + ": " + error.message());
  }
  // In the file's order; a line that names the host both ways counts once, in full.
  std::stable_sort(found.begin(), found.end(),
                   [](const Entry& a, const Entry& b) { return a.line.number < b.line.number; });
  const auto last = std::unique(found.begin(), found.end(), [](const Entry& a, const Entry& b) {
    return a.line.number == b.line.number;
  });
  m_entries.insert(m_entries.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(last));
}

HostKeyChecker::Entries HostKeyChecker::plain_entries(Match match) const {
  Entries entries;
  for (const Entry& entry : m_entries) {
    if (entry.match == match && entry.line.marker == KnownHostsMarker::none) entries.push_back(&entry);
  }
  return entries;
}

std::vector<std::string> HostKeyChecker::known_types() const {
  Entries known = plain_entries(Match::full);
  if (known.empty()) known = plain_entries(Match::without_port);
  std::vector<std::string> types;
  for (const Entry* entry : known) {
    if (std::find(types.begin(), types.end(), entry->line.type) == types.end())
      types.push_back(entry->line.type);
  }
  return types;
}

void HostKeyChecker::check(const HostKey& key, Prompter& prompter, Progress& progress) const {
  if (!is_checkable_key_type(key.type) || canonical_key_blob(key.type, key.blob) != key.blob) {
    throw Error(ErrorKind::host_key, m_name + " sent a host key that cannot be checked (" + key.type + ")",
                "use transport = openssh if the server has only such keys");
  }
  refuse_revoked(key);
  const auto is_same = [&](const Entry* entry) { return entry->line.blob == key.blob; };
  const Entries known = plain_entries(Match::full);
  if (std::any_of(known.begin(), known.end(), is_same)) return;
  if (!known.empty()) refuse_changed(key, known);
  // As OpenSSH: "[host]:port" without a line of its own may have the key of plain "host". Another key of
  // "host" says nothing of this port.
  const Entries without_port = plain_entries(Match::without_port);
  if (std::any_of(without_port.begin(), without_port.end(), is_same)) return;
  accept_unknown(key, prompter, progress);
}

void HostKeyChecker::refuse_revoked(const HostKey& key) const {
  for (const Entry& entry : m_entries) {
    if (entry.line.marker != KnownHostsMarker::revoked || entry.line.blob != key.blob) continue;
    throw Error(ErrorKind::host_key,
                "the host key of " + m_name + " (" + describe(key.type, key.blob) + ") is revoked by " +
                    place(entry.file, entry.line.number),
                "do not connect; ask the host's administrator for its new key");
  }
}

void HostKeyChecker::refuse_changed(const HostKey& key, const Entries& known) const {
  const auto same_type = std::find_if(known.begin(), known.end(),
                                      [&](const Entry* entry) { return entry->line.type == key.type; });
  const bool is_other_type = same_type == known.end();
  const Entry& offending = is_other_type ? *known.front() : **same_type;
  const std::string expected = describe(offending.line.type, offending.line.blob);
  const std::string where = place(offending.file, offending.line.number);
  const std::string what = is_other_type ? "the host key of " + m_name + " is of a type not known for it"
                                         : "the host key of " + m_name + " has changed";
  throw Error(ErrorKind::host_key,
              what + ": the server sent " + describe(key.type, key.blob) + ", " + where + " has " + expected +
                  "; somebody may be listening in",
              "if the change is expected, remove the old key: ssh-keygen -R " + shell_quote(m_name) + " -f " +
                  shell_quote(offending.file.string()));
}

void HostKeyChecker::accept_unknown(const HostKey& key, Prompter& prompter, Progress& progress) const {
  if (!is_safe_name(m_short_name)) {
    throw Error(ErrorKind::host_key,
                "the host name " + shell_quote(m_short_name) + " cannot stand in a known_hosts file");
  }
  if (m_policy.unknown_host == UnknownHost::refuse) {
    throw Error(ErrorKind::host_key,
                "the host key of " + m_name + " is not known (" + describe(key.type, key.blob) + ")",
                "compare the fingerprint with the host's own, then connect once with ssh to add it");
  }
  if (m_policy.unknown_host == UnknownHost::ask) {
    const std::string question = "The authenticity of host '" + m_name + "' can't be established.\n" +
                                 std::string(type_word(key.type)) + " key fingerprint is " +
                                 fingerprint(key) + ".\nAre you sure you want to continue connecting?";
    if (!prompter.confirm(question)) {
      throw Error(ErrorKind::host_key,
                  "the host key of " + m_name + " (" + describe(key.type, key.blob) + ") was not accepted",
                  "answer yes on a terminal, or connect once with ssh to add it");
    }
  }
  add(key, progress);
}

void HostKeyChecker::add(const HostKey& key, Progress& progress) const {
  const std::string whom = m_name + " (" + describe(key.type, key.blob) + ")";
  if (m_policy.user_files.empty()) {
    progress.note("no known_hosts file is configured: the host key of " + whom + " is not kept");
    return;
  }
  const auto& file = m_policy.user_files.front();
  try {
    append_known_host(file, new_line(key, m_name, m_policy.new_names));
    progress.note("added the host key of " + whom + " to " + file.string());
  } catch (const Error& error) {
    // As OpenSSH: the key was accepted; that it cannot be kept is said and is no reason to stop.
    progress.note("the host key of " + whom + " could not be kept: " + error.message());
  }
}

}  // namespace re::transport
