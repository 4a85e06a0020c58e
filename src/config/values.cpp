#include "config/values.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <span>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/base/units.hpp"

namespace re::config {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view k_shell_specials = "'`\"$\\;&<>|(){}";
constexpr std::string_view k_digits = "0123456789";
constexpr std::string_view k_name_letters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
constexpr std::size_t k_longest_name = 64;
constexpr std::array<std::string_view, 2> k_reserved_names = {"all", "local"};
constexpr Milliseconds k_longest_time = std::chrono::hours(24 * 366);

struct TransportName {
  std::string_view name;
  TransportKind kind;
};
constexpr std::array<TransportName, 4> k_transports = {{{"auto", TransportKind::automatic},
                                                        {"ssh2", TransportKind::ssh2},
                                                        {"openssh", TransportKind::openssh},
                                                        {"local", TransportKind::local}}};
struct PolicyName {
  std::string_view name;
  HostKeyPolicy policy;
};
constexpr std::array<PolicyName, 3> k_policies = {{{"ask", HostKeyPolicy::ask},
                                                   {"accept-new", HostKeyPolicy::accept_new},
                                                   {"strict", HostKeyPolicy::strict}}};

bool is_control(char letter) {
  const auto byte = static_cast<unsigned char>(letter);
  return byte < 0x20 || byte == 0x7f;
}

template <class Table>
std::vector<std::string> names_of(const Table& table) {
  std::vector<std::string> names;
  names.reserve(table.size());
  for (const auto& row : table) names.emplace_back(row.name);
  return names;
}

template <class Table>
const auto& choose(const Table& table, const RawValue& raw) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const auto& row) { return row.name == raw.text; });
  if (found != table.end()) return *found;
  const auto names = names_of(table);
  raw.fail("must be one of " + join(names, ", "), suggestion(raw.text, names));
}

std::optional<std::string> fault_of_word(std::string_view word) {
  if (word.empty()) return "is empty";
  if (word.front() == '-') return "begins with '-'";
  for (const char letter : word) {
    if (letter == ' ' || is_control(letter)) return "holds a blank or a control character";
    if (k_shell_specials.find(letter) != std::string_view::npos) return std::string("holds a ") + letter;
  }
  return std::nullopt;
}

bool is_ipv6(std::string_view host) {
  in6_addr address{};
  const std::string bare(host.substr(0, host.find('%')));  // without the zone
  return ::inet_pton(AF_INET6, bare.c_str(), &address) == 1;
}

std::vector<std::string> parse_list(const RawValue& raw) {
  const std::string text = parse_text(raw);
  std::vector<std::string> items;
  for (const auto part : split(text, ',')) {
    if (trim(part).empty()) raw.fail("has an empty item");
    items.emplace_back(trim(part));
  }
  return items;
}

fs::path expand_path(const RawValue& raw, std::string_view text) {
  if (text.starts_with("~/")) return raw.home / text.substr(2);
  if (text == "~") return raw.home;
  if (text.starts_with('/')) return fs::path(text);
  raw.fail("is not an absolute path", "write /… or ~/…");
}

// A relative path that stays below where it begins and names nothing hidden (~/.ssh).
bool is_tame_path(std::string_view path) {
  if (path.empty() || path.front() == '/') return false;
  for (auto part : split(path, '/')) {
    if (part.starts_with('.') || part.starts_with('~') || part.starts_with('-')) return false;
  }
  return true;
}

}  // namespace

RawValue::RawValue(std::string_view name, std::string_view escaped, Origin where,
                   const fs::path& home_directory)
    : key(name), origin(std::move(where)), home(home_directory) {
  text.reserve(escaped.size());  // one buffer, so that one wipe finds all of it
  for (std::size_t i = 0; i < escaped.size(); ++i) {
    text += escaped[i];
    if (escaped[i] != '%' || i + 1 == escaped.size()) continue;
    if (escaped[i + 1] == '(') fail("uses %( ), which is not supported", "write %%( for a plain %(");
    if (escaped[i + 1] == '%') ++i;
  }
}

RawValue::~RawValue() {
  sys::wipe(text.data(), text.size());
}

void RawValue::fail(std::string_view what, std::string hint) const {
  throw Error(ErrorKind::config, to_string(origin) + ": " + std::string(key) + " " + std::string(what),
              std::move(hint));
}

std::string parse_text(const RawValue& raw) {
  if (raw.text.empty()) raw.fail("has no value");
  if (std::any_of(raw.text.begin(), raw.text.end(), is_control)) raw.fail("holds a control character");
  return raw.text;
}

std::optional<std::string> fault_of_username(std::string_view username) {
  return fault_of_word(username);
}

std::string parse_username(const RawValue& raw) {
  if (const auto fault = fault_of_username(parse_text(raw))) raw.fail(*fault);
  return raw.text;
}

std::optional<std::string> fault_of_host(std::string_view host) {
  if (auto fault = fault_of_word(host)) return fault;
  if (host.find_first_of("@/,") != std::string_view::npos) return "is not a host name";
  if (host.find_first_of("[]:") != std::string_view::npos && !is_ipv6(host))
    return "is not a host name or an IP address";
  return std::nullopt;
}

std::string_view without_brackets(std::string_view host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

std::string parse_host(const RawValue& raw) {
  const std::string text = parse_text(raw);
  const std::string_view host = without_brackets(text);
  const auto fault = fault_of_host(host);
  if (!fault) return std::string(host);
  std::string hint;
  if (host.find(" ;") != std::string_view::npos || host.find(" #") != std::string_view::npos) {
    hint = "a comment stands on a line of its own";
  } else if (host.find('@') != std::string_view::npos) {
    hint = "write username = … beside it";
  } else if (std::count(host.begin(), host.end(), ':') == 1) {
    hint = "write port = … beside it";
  }
  raw.fail(*fault, hint);
}

std::optional<std::string> fault_of_name(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > k_longest_name) return "is longer than 64 characters";
  if (name.find_first_not_of(k_name_letters) != std::string_view::npos)
    return "may hold only letters, digits, '.', '_' and '-'";
  if (name.front() == '.' || name.front() == '-') return "begins with '.' or '-'";
  if (name.find_first_not_of(k_digits) == std::string_view::npos)
    return "is a number, which would be taken for an index";
  if (std::find(k_reserved_names.begin(), k_reserved_names.end(), name) != k_reserved_names.end()) {
    return "has a meaning of its own (\"all\", \"local\")";
  }
  return std::nullopt;
}

std::string parse_name(const RawValue& raw) {
  if (const auto fault = fault_of_name(parse_text(raw))) raw.fail(*fault);
  return raw.text;
}

std::string parse_project_name(const RawValue& raw) {
  if (!is_tame_path(parse_text(raw)) || raw.text.find('/') != std::string::npos) {
    raw.fail("is not a plain directory name");
  }
  return raw.text;
}

std::string parse_selector(const RawValue& raw) {
  const std::string text = parse_text(raw);
  if (text == "all") raw.fail("must be one instance, not all");
  const bool is_index = text.find_first_not_of(k_digits) == std::string::npos;
  if (is_index || text == "local") return text;
  if (text.find('@') != std::string::npos) {
    try {
      parse_destination(text);
    } catch (const Error& error) {
      raw.fail("is wrong: " + error.message());
    }
  } else if (const auto fault = fault_of_name(text)) {
    raw.fail(*fault);
  }
  return text;
}

std::string parse_project_selector(const RawValue& raw) {
  if (raw.text.find('@') != std::string::npos) {
    raw.fail("may only name a configured instance: a project cannot set a host",
             "re sshadd --instance=" + raw.text);
  }
  return parse_selector(raw);
}

std::string parse_remote_home(const RawValue& raw) {
  std::string text = parse_text(raw);
  if (text == "~") return ".";
  if (text.starts_with("~/")) text.erase(0, text.find_first_not_of('/', 1));
  if (text.empty()) return ".";
  if (text.front() == '~') raw.fail("names another user's home directory");
  if (text.front() == '-') raw.fail("begins with '-'");
  return text;
}

std::string parse_project_remote_home(const RawValue& raw) {
  std::string text = parse_remote_home(raw);
  if (!is_tame_path(text)) {
    raw.fail("must lie in the home directory on the host when a project sets it, with no hidden part or ..");
  }
  return text;
}

std::string parse_program(const RawValue& raw) {
  if (parse_text(raw).front() == '-') raw.fail("begins with '-'");
  return raw.text;
}

std::optional<unsigned short> parse_port(const RawValue& raw) {
  const auto port = parse_number<unsigned short>(raw.text);
  if (!port || *port == 0) raw.fail("must be a number from 1 to 65535");
  return port;
}

Milliseconds parse_time(const RawValue& raw) {
  const auto time = parse_duration(raw.text);
  if (!time || *time <= Milliseconds(0) || *time > k_longest_time)
    raw.fail("must be a time such as 90s, 10min or 1h30m");
  return *time;
}

Milliseconds parse_persist(const RawValue& raw) {
  if (raw.text == "0") return Milliseconds(0);
  return parse_time(raw);
}

std::optional<Milliseconds> parse_timeout(const RawValue& raw) {
  return parse_time(raw);
}

std::optional<fs::path> parse_path(const RawValue& raw) {
  return expand_path(raw, parse_text(raw));
}

std::vector<fs::path> parse_paths(const RawValue& raw) {
  std::vector<fs::path> paths;
  for (const auto& item : parse_list(raw)) paths.push_back(expand_path(raw, item));
  return paths;
}

std::vector<std::string> parse_tags(const RawValue& raw) {
  auto tags = parse_list(raw);
  for (const auto& tag : tags) {
    if (tag.find_first_not_of(k_name_letters) != std::string::npos) {
      raw.fail("may hold only letters, digits, '.', '_' and '-', with commas between tags");
    }
  }
  return tags;
}

std::vector<std::string> parse_shared(const RawValue& raw) {
  auto directories = parse_list(raw);
  for (auto& directory : directories) {
    while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
    if (!is_tame_path(directory))
      raw.fail("must name directories inside the project, with no hidden part or ..");
  }
  return directories;
}

std::shared_ptr<const sys::Secret> parse_password(const RawValue& raw) {
  if (raw.text.empty()) return nullptr;  // "password =": recompute.py wants the line even where a key serves
  if (raw.text.find_first_of("\r\n") != std::string::npos) raw.fail("holds a line end");
  return std::make_shared<const sys::Secret>(raw.text);
}

TransportKind parse_transport(const RawValue& raw) {
  return choose(k_transports, raw).kind;
}
HostKeyPolicy parse_host_key(const RawValue& raw) {
  return choose(k_policies, raw).policy;
}

std::string_view to_string(TransportKind kind) {
  const auto* row =
      std::find_if(k_transports.begin(), k_transports.end(), [&](const auto& r) { return r.kind == kind; });
  return row->name;
}

std::string_view to_string(HostKeyPolicy policy) {
  const auto* row =
      std::find_if(k_policies.begin(), k_policies.end(), [&](const auto& r) { return r.policy == policy; });
  return row->name;
}

}  // namespace re::config
