#include "transport/openssh_failure.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "re/base/strings.hpp"
#include "transport/turned_away.hpp"

namespace re::transport {

namespace {

constexpr std::size_t k_message_limit = 400;
constexpr std::string_view k_no_greeting = "kex_exchange_identification";

struct Sign {
  std::string_view text;
  ErrorKind kind;
  std::string_view hint;
};

// The first that is found counts: the messages of a refused host key end in the general "verification
// failed", and those of a refused login in "Connection closed".
constexpr std::array<Sign, 22> k_signs = {{
    {"REVOKED HOST KEY DETECTED", ErrorKind::host_key,
     "do not connect; ask the host's administrator for its new key"},
    {"is marked as revoked", ErrorKind::host_key,
     "do not connect; ask the host's administrator for its new key"},
    {"REMOTE HOST IDENTIFICATION HAS CHANGED", ErrorKind::host_key,
     "if the change is expected, remove the old key with ssh-keygen -R"},
    {"host key is known for", ErrorKind::host_key,
     "compare the fingerprint with the host's own, then connect once with ssh to add it"},
    {"Host key verification failed", ErrorKind::host_key,
     "compare the fingerprint with the host's own, then connect once with ssh to add it"},
    {"Bad configuration option", ErrorKind::config, "mend the ssh configuration"},
    {"bad configuration options", ErrorKind::config, "mend the ssh configuration"},
    {"Bad owner or permissions on", ErrorKind::config, "the file must be yours and not writable by others"},
    {"Can't open user config file", ErrorKind::config, "check ssh_config"},
    {"Bad key types", ErrorKind::config, "mend the ssh configuration"},
    {"Permission denied (", ErrorKind::auth, "check the user name and the key or password"},
    {"Too many authentication failures", ErrorKind::auth,
     "the agent offers too many keys: name one with identity_file and set IdentitiesOnly"},
    {"no matching", ErrorKind::unsupported, "the server offers only algorithms that ssh here refuses"},
    {"Could not resolve hostname", ErrorKind::unreachable, "check the host name"},
    {"Connection refused", ErrorKind::unreachable, "check that sshd runs there and the port is right"},
    {"timed out", ErrorKind::unreachable, "check that the host is up and not behind a firewall"},
    {"No route to host", ErrorKind::unreachable, "check the network"},
    {"Network is unreachable", ErrorKind::unreachable, "check the network"},
    {k_no_greeting, ErrorKind::unreachable, k_turned_away_hint},
    {"Connection reset", ErrorKind::unreachable, ""},
    {"Connection closed", ErrorKind::unreachable, ""},
    {"stdio forwarding failed", ErrorKind::unreachable, "the jump host does not forward"},
}};

std::string printable(std::string_view text) {
  std::string clean(trim(text));
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
      ' ');
  if (clean.size() > k_message_limit) clean.resize(k_message_limit);
  while (clean.ends_with('.')) clean.pop_back();
  return clean;
}

bool is_debug(std::string_view line) {
  return line.starts_with("debug1: ") || line.starts_with("debug2: ") || line.starts_with("debug3: ") ||
         line.starts_with("OpenSSH_");
}

std::vector<std::string_view> messages(std::string_view log) {
  std::vector<std::string_view> lines = split_lines(log);
  std::erase_if(lines, [](std::string_view line) { return is_debug(line) || trim(line).empty(); });
  return lines;
}

std::optional<std::string_view> line_with(const std::vector<std::string_view>& lines, std::string_view text) {
  const auto found = std::find_if(lines.begin(), lines.end(), [&](std::string_view line) {
    return line.find(text) != std::string_view::npos;
  });
  if (found == lines.end()) return std::nullopt;
  return *found;
}

// ssh spreads it over lines: the sent fingerprint, "Offending ED25519 key in FILE:LINE", and the command that
// mends it.
Error changed_host_key(const std::string& destination, const std::vector<std::string_view>& lines) {
  std::string message = "the host key of " + destination + " has changed";
  if (const auto sent = line_with(lines, "SHA256:")) message += ": the server sent " + printable(*sent);
  if (const auto offending = line_with(lines, "Offending ")) message += ", " + printable(*offending);
  message += "; somebody may be listening in";
  const auto mend = line_with(lines, "ssh-keygen -f");
  return {ErrorKind::host_key, std::move(message),
          "if the change is expected, remove the old key: " +
              (mend ? printable(*mend) : std::string("ssh-keygen -R"))};
}

bool is_ssh_talk(std::string_view line) {
  constexpr std::array<std::string_view, 6> k_starts = {
      "Warning: Permanently added ", "Authenticated to ", "** ", "Pseudo-terminal ", "Warning: ", "@@@"};
  return is_debug(line) || std::any_of(k_starts.begin(), k_starts.end(),
                                       [&](std::string_view start) { return line.starts_with(start); });
}

}  // namespace

Error openssh_failure(std::string_view destination, std::string_view log) {
  const std::string whom(destination);
  const auto lines = messages(log);
  for (const Sign& sign : k_signs) {
    const auto line = line_with(lines, sign.text);
    if (!line) continue;
    if (sign.text == "REMOTE HOST IDENTIFICATION HAS CHANGED") return changed_host_key(whom, lines);
    return {sign.kind, "cannot connect to " + whom + ": " + printable(*line), std::string(sign.hint)};
  }
  const std::string last = lines.empty() ? "ssh ended without a word" : printable(lines.back());
  return {ErrorKind::unreachable, "cannot connect to " + whom + ": " + last};
}

std::string host_key_in_log(std::string_view log) {
  constexpr std::string_view k_start = "debug1: Server host key: ";
  std::string key;
  // The last one: with ProxyJump the jump host's ssh writes to the same log, and comes first.
  for (const auto line : split_lines(log)) {
    if (line.starts_with(k_start)) key = printable(line.substr(k_start.size()));
  }
  return key;
}

bool is_turned_away(std::string_view log) {
  const auto lines = messages(log);
  const auto* const first = std::find_if(k_signs.begin(), k_signs.end(),
                                         [&](const Sign& sign) { return line_with(lines, sign.text); });
  // A jump host that cannot reach it says so before.
  return first != k_signs.end() && first->text == k_no_greeting &&
         !line_with(lines, "stdio forwarding failed");
}

std::size_t refusals_in_log(std::string_view log) {
  const auto lines = split_lines(log);
  return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [](std::string_view line) {
    return line.starts_with("debug1: Authentications that can continue");
  }));
}

std::string banner_in_log(std::string_view log) {
  std::string banner;
  for (const auto line : split_lines(log)) {
    if (!is_ssh_talk(line)) banner.append(line).append("\n");
  }
  return trim(banner).empty() ? std::string() : banner;
}

}  // namespace re::transport
