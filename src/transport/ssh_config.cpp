#include "transport/ssh_config.hpp"

#include <array>
#include <boost/asio/awaitable.hpp>
#include <cstdlib>
#include <map>
#include <utility>

#include "re/base/strings.hpp"
#include "re/sys/paths.hpp"
#include "transport/ssh_config_memory.hpp"

namespace re::transport {

namespace {

namespace fs = std::filesystem;

Error bad_value(std::string_view key, std::string_view value) {
  return {ErrorKind::config,
          "the ssh configuration has " + std::string(key) + " = \"" + std::string(value) +
              "\", which cannot be read",
          "look at the output of `ssh -G`"};
}

using Setter = bool (*)(EffectiveConfig&, std::string_view value);

bool parse_flag(std::string_view value, bool& flag) {
  if (value == "yes" || value == "true") {
    flag = true;
  } else if (value == "no" || value == "false") {
    flag = false;
  } else {
    return value == "unbound" || value == "host-bound";  // PubkeyAuthentication's further values keep "yes"
  }
  return true;
}

template <class Number>
bool parse_into(std::string_view value, Number& number) {
  const auto parsed = parse_number<Number>(value);
  if (parsed) number = *parsed;
  return parsed.has_value();
}

bool parse_list(std::string_view value, std::vector<std::string>& list) {
  const auto parts = split(value, ',');
  list.assign(parts.begin(), parts.end());
  return true;
}

bool parse_words(std::string_view value, std::vector<std::string>& list) {
  const auto words = split_words(value);
  list.assign(words.begin(), words.end());
  return true;
}

bool assign(std::string_view value, std::string& text) {
  text = value;
  return true;
}

// "none" switches the option off.
bool assign_unless_none(std::string_view value, std::string& text) {
  return assign(value == "none" ? "" : value, text);
}

template <bool EffectiveConfig::* Member>
bool set_flag(EffectiveConfig& config, std::string_view value) {
  return parse_flag(value, config.*Member);
}

template <std::vector<std::string> EffectiveConfig::* Member>
bool set_list(EffectiveConfig& config, std::string_view value) {
  return parse_list(value, config.*Member);
}

template <std::vector<std::string> EffectiveConfig::* Member>
bool set_words(EffectiveConfig& config, std::string_view value) {
  return parse_words(value, config.*Member);
}

template <std::vector<std::string> EffectiveConfig::* Member>
bool append(EffectiveConfig& config, std::string_view value) {
  (config.*Member).emplace_back(value);
  return true;
}

template <std::string EffectiveConfig::* Member>
bool set_text(EffectiveConfig& config, std::string_view value) {
  return assign(value, config.*Member);
}

template <std::string EffectiveConfig::* Member>
bool set_text_or_none(EffectiveConfig& config, std::string_view value) {
  return assign_unless_none(value, config.*Member);
}

bool set_port(EffectiveConfig& config, std::string_view value) {
  return parse_into(value, config.port) && config.port != 0;
}

bool parse_seconds(std::string_view value, std::chrono::seconds& seconds) {
  std::int32_t number = 0;
  if (!parse_into(value, number) || number < 0) return false;
  seconds = std::chrono::seconds(number);
  return true;
}

bool set_connect_timeout(EffectiveConfig& config, std::string_view value) {
  if (value == "none" || value == "0") return true;
  std::chrono::seconds seconds{0};
  if (!parse_seconds(value, seconds)) return false;
  config.connect_timeout = seconds;
  return true;
}

bool set_alive_interval(EffectiveConfig& config, std::string_view value) {
  return parse_seconds(value, config.server_alive_interval);
}

bool set_alive_count(EffectiveConfig& config, std::string_view value) {
  return parse_into(value, config.server_alive_count_max);
}

bool set_identity_agent(EffectiveConfig& config, std::string_view value) {
  config.identity_agent = std::string(value);
  return true;
}

bool set_address_family(EffectiveConfig& config, std::string_view value) {
  static const std::map<std::string_view, AddressFamily> k_families = {
      {"any", AddressFamily::any}, {"inet", AddressFamily::ipv4}, {"inet6", AddressFamily::ipv6}};
  const auto found = k_families.find(value);
  if (found == k_families.end()) return false;
  config.address_family = found->second;
  return true;
}

using Config = EffectiveConfig;

const std::map<std::string_view, Setter>& setters() {
  static const std::map<std::string_view, Setter> k_setters = {
      {"addressfamily", set_address_family},
      {"bindaddress", set_text_or_none<&Config::bind_address>},
      {"certificatefile", append<&Config::certificate_files>},
      {"ciphers", set_list<&Config::ciphers>},
      {"connecttimeout", set_connect_timeout},
      {"globalknownhostsfile", set_words<&Config::global_known_hosts>},
      {"gssapiauthentication", set_flag<&Config::gssapi_authentication>},
      {"hashknownhosts", set_flag<&Config::hash_known_hosts>},
      {"hostkeyalgorithms", set_list<&Config::host_key_algorithms>},
      {"hostkeyalias", set_text_or_none<&Config::host_key_alias>},
      {"hostname", set_text<&Config::hostname>},
      {"identitiesonly", set_flag<&Config::identities_only>},
      {"identityagent", set_identity_agent},
      {"identityfile", append<&Config::identity_files>},
      {"kbdinteractiveauthentication", set_flag<&Config::keyboard_interactive_authentication>},
      {"kexalgorithms", set_list<&Config::kex_algorithms>},
      {"macs", set_list<&Config::macs>},
      {"passwordauthentication", set_flag<&Config::password_authentication>},
      {"port", set_port},
      {"preferredauthentications", set_list<&Config::preferred_authentications>},
      {"proxycommand", set_text_or_none<&Config::proxy_command>},
      {"proxyjump", set_text_or_none<&Config::proxy_jump>},
      {"pubkeyauthentication", set_flag<&Config::publickey_authentication>},
      {"serveralivecountmax", set_alive_count},
      {"serveraliveinterval", set_alive_interval},
      {"stricthostkeychecking", set_text<&Config::strict_host_key_checking>},
      {"user", set_text<&Config::user>},
      {"userknownhostsfile", set_words<&Config::user_known_hosts>},
  };
  return k_setters;
}

void refuse_option_like(std::string_view what, std::string_view value) {
  if (!value.starts_with('-')) return;
  throw Error(ErrorKind::config,
              "the " + std::string(what) + " \"" + std::string(value) + "\" begins with '-'");
}

void check_target(const Target& target) {
  refuse_option_like("host", target.host);
  refuse_option_like("user", target.user);
  if (target.host.empty()) throw Error(ErrorKind::config, "the host of " + target.name + " is empty");
}

PathTokens tokens_of(const Target& target, const EffectiveConfig& config, const Surroundings& here) {
  return {here.home,
          here.user,
          here.host,
          config.hostname,
          target.host,
          config.user,
          std::to_string(config.port)};
}

// Paths with a token that only ssh can resolve are dropped: what they name is then not tried.
void expand_paths(std::vector<std::string>& paths, const PathTokens& tokens) {
  std::vector<std::string> expanded;
  for (const auto& path : paths) {
    if (path == "none") continue;
    if (auto full = expand_path(path, tokens)) expanded.push_back(std::move(*full));
  }
  paths = std::move(expanded);
}

std::optional<std::string> expand_token(char token, const PathTokens& tokens) {
  switch (token) {
    case '%':
      return "%";
    case 'd':
      return tokens.home;
    case 'h':
    case 'k':
      return tokens.host;
    case 'i':
      return std::nullopt;
    case 'l':
      return tokens.local_host;
    case 'L':
      return tokens.local_host.substr(0, tokens.local_host.find('.'));
    case 'n':
      return tokens.original;
    case 'p':
      return tokens.port;
    case 'r':
      return tokens.user;
    case 'u':
      return tokens.local_user;
    default:
      return std::nullopt;
  }
}

}  // namespace

Result<EffectiveConfig> parse_ssh_config(std::string_view text) {
  EffectiveConfig config;
  for (const auto line : split_lines(text)) {
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos) continue;
    const auto key = line.substr(0, blank);
    const auto value = trim(line.substr(blank + 1));
    const auto setter = setters().find(key);
    if (setter == setters().end()) continue;
    if (value.find('\0') != std::string_view::npos || !setter->second(config, value))
      return bad_value(key, value);
  }
  return config;
}

std::string known_ssh_config_lines(std::string_view text) {
  std::string known;
  for (const auto line : split_lines(text)) {
    if (!setters().contains(line.substr(0, line.find(' ')))) continue;
    known += line;
    known += '\n';
  }
  return known;
}

EffectiveConfig default_ssh_config(const Target& target, const fs::path& home) {
  EffectiveConfig config;
  config.hostname = target.host;
  config.user = target.user.empty() ? sys::user_name() : target.user;
  config.port = target.port.value_or(22);
  for (const auto* name : {"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"}) {
    config.identity_files.push_back(home / ".ssh" / name);
  }
  config.user_known_hosts = {home / ".ssh" / "known_hosts", home / ".ssh" / "known_hosts2"};
  config.global_known_hosts = {"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"};
  return config;
}

std::optional<std::string> expand_path(std::string_view path, const PathTokens& tokens) {
  std::string expanded;
  if (path == "~" || path.starts_with("~/")) {
    expanded = tokens.home;
    path.remove_prefix(1);
  } else if (path.starts_with('~')) {
    return std::nullopt;  // another user's home
  }
  for (std::size_t at = 0; at < path.size(); ++at) {
    if (path[at] == '%') {
      const auto value = at + 1 < path.size() ? expand_token(path[at + 1], tokens) : std::nullopt;
      if (!value) return std::nullopt;
      expanded += *value;
      ++at;
    } else if (path.substr(at).starts_with("${")) {
      const auto end = path.find('}', at);
      if (end == std::string_view::npos) return std::nullopt;
      const char* value = std::getenv(std::string(path.substr(at + 2, end - at - 2)).c_str());
      if (value == nullptr) return std::nullopt;
      expanded += value;
      at = end;
    } else {
      expanded += path[at];
    }
  }
  return expanded;
}

namespace {

// What the target itself says is laid over what ssh says.
EffectiveConfig complete(EffectiveConfig config, const Target& target, const Surroundings& here) {
  if (!target.user.empty()) config.user = target.user;
  if (target.port) config.port = *target.port;
  refuse_option_like("host", config.hostname);
  refuse_option_like("user", config.user);
  if (target.connect_timeout) config.connect_timeout.reset();
  const PathTokens tokens = tokens_of(target, config, here);
  expand_paths(config.identity_files, tokens);
  expand_paths(config.certificate_files, tokens);
  expand_paths(config.user_known_hosts, tokens);
  expand_paths(config.global_known_hosts, tokens);
  if (!target.identity_files.empty()) {
    // As with `ssh -i`: named keys come before those of the configuration.
    std::vector<std::string> named;
    named.reserve(target.identity_files.size());
    for (const auto& file : target.identity_files)
      named.push_back(expand_path(file.string(), tokens).value_or(file.string()));
    config.identity_files.insert(config.identity_files.begin(), named.begin(), named.end());
  }
  return config;
}

}  // namespace

Async<EffectiveConfig> effective_ssh_config(Target target, SshConfigMemory& memory) {
  check_target(target);
  const Surroundings here = memory.surroundings();
  if (!here.ssh) co_return complete(default_ssh_config(target, here.home), target, here);
  const std::string answer = co_await memory.answer(target, *here.ssh);
  co_return complete(parse_ssh_config(answer).value(), target, here);
}

namespace {

// Splits "host:port" or "[address]:port"; false when it is neither.
bool parse_host_port(std::string_view text, JumpHost& hop) {
  std::string_view rest;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return false;
    hop.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return false;
  } else {
    const auto colon = text.find(':');
    hop.host = text.substr(0, colon);
    if (colon != std::string_view::npos) rest = text.substr(colon);
  }
  if (!rest.empty()) {
    hop.port = parse_number<unsigned short>(rest.substr(1));
    if (!hop.port || *hop.port == 0) return false;
  }
  return !hop.host.empty() && !hop.host.starts_with('-');
}

}  // namespace

Result<std::vector<JumpHost>> parse_proxy_jump(std::string_view text) {
  std::vector<JumpHost> hops;
  for (auto part : split(text, ',')) {
    const auto whole = part;
    if (part.starts_with("ssh://")) part.remove_prefix(6);
    while (part.ends_with('/')) part.remove_suffix(1);
    JumpHost hop;
    const auto at = part.rfind('@');
    if (at != std::string_view::npos) {
      hop.user = part.substr(0, at);
      part.remove_prefix(at + 1);
    }
    if (!parse_host_port(part, hop) || hop.user.starts_with('-')) return bad_value("proxyjump", whole);
    hops.push_back(std::move(hop));
  }
  return hops;
}

}  // namespace re::transport
