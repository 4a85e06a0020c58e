#include <algorithm>

#include "config/values.hpp"
#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/config/settings.hpp"

namespace re::config {

namespace {

constexpr std::string_view k_digits = "0123456789";
constexpr std::size_t k_names_shown = 12;

bool is_index(std::string_view text) {
  return !text.empty() && text.find_first_not_of(k_digits) == std::string_view::npos;
}

std::string in_url_form(std::string_view host) {
  return host.find(':') == std::string_view::npos ? std::string(host) : "[" + std::string(host) + "]";
}

// An unset value inherits; its origin comes along.
template <class T>
void inherit(Value<T>& value, const Value<T>& from) {
  if (!value.is_set()) value = from;
}

template <class T>
void override_with(Value<T>& value, const Value<T>& stronger) {
  if (stronger.is_set()) value = stronger;
}

InstanceSettings completed(const Settings& settings, InstanceSettings instance) {
  inherit(instance.remote_home, settings.general.remote_home);
  inherit(instance.connect_timeout, settings.general.connect_timeout);
  inherit(instance.ssh_config, settings.general.ssh_config);
  override_with(instance.remote_home, settings.project.remote_home);
  override_with(instance.python, settings.project.python);
  return instance;
}

InstanceSettings local_instance() {
  InstanceSettings instance;
  instance.name.value = "local";
  instance.transport.value = TransportKind::local;
  return instance;
}

InstanceSettings at_destination(const Settings& settings, const Destination& wanted) {
  const auto& all = settings.instances;
  const auto found = std::find_if(all.begin(), all.end(), [&](const InstanceSettings& instance) {
    return instance.username.value == wanted.username &&
           to_lower(instance.host.value) == to_lower(wanted.host) && instance.port.value == wanted.port;
  });
  if (found != all.end()) return *found;
  InstanceSettings instance;
  instance.username.value = wanted.username;
  instance.host.value = wanted.host;
  instance.port.value = wanted.port;
  return instance;
}

// "0 (gpu1), 1, local"
std::string list_of_names(const Settings& settings) {
  std::vector<std::string> names;
  for (const auto& instance : settings.instances) {
    if (names.size() == k_names_shown) {
      names.emplace_back("…");
      break;
    }
    names.push_back(std::to_string(*instance.index) + " (" + instance.label() + ")");
  }
  names.emplace_back("local");
  return join(names, ", ");
}

std::string hint_for(const Settings& settings, std::string_view selector) {
  for (const auto& instance : settings.instances) {
    if (instance.host.value == selector)
      return "the instance with this host is " + std::to_string(*instance.index);
  }
  std::vector<std::string> names = {"all", "local"};
  for (const auto& instance : settings.instances) {
    if (instance.name.is_set()) names.push_back(instance.name.value);
    names.insert(names.end(), instance.tags.value.begin(), instance.tags.value.end());
  }
  const std::string near = is_index(selector) ? std::string() : suggestion(selector, names);
  return near.empty() ? "add it with re sshadd, or write user@host" : near;
}

[[noreturn]] void refuse_unknown(const Settings& settings, std::string_view selector) {
  const bool showable = !selector.empty() && std::all_of(selector.begin(), selector.end(),
                                                         [](char c) { return c > ' ' && c < 0x7f; });
  const std::string shown = showable ? " " + std::string(selector) : std::string();
  throw Error(ErrorKind::not_found,
              "there is no instance" + shown + " (there are: " + list_of_names(settings) + ")",
              hint_for(settings, selector));
}

std::optional<InstanceSettings> find_one(const Settings& settings, std::string_view selector) {
  if (selector == "local") return local_instance();
  if (selector.find('@') != std::string_view::npos)
    return at_destination(settings, parse_destination(selector));
  const auto& all = settings.instances;
  const bool by_index = is_index(selector);
  const auto found = std::find_if(all.begin(), all.end(), [&](const InstanceSettings& instance) {
    if (by_index) return parse_number<std::size_t>(selector) == instance.index;
    return instance.name.is_set() && instance.name.value == selector;
  });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

InstanceSettings one(const Settings& settings, std::string_view selector) {
  auto found = find_one(settings, selector);
  if (!found) refuse_unknown(settings, selector);
  return *std::move(found);
}

std::vector<InstanceSettings> with_tag(const Settings& settings, std::string_view tag) {
  std::vector<InstanceSettings> tagged;
  for (const auto& instance : settings.instances) {
    const auto& tags = instance.tags.value;
    if (std::find(tags.begin(), tags.end(), tag) != tags.end()) tagged.push_back(instance);
  }
  return tagged;
}

// What one word between commas names.
std::vector<InstanceSettings> chosen_by(const Settings& settings, std::string_view word) {
  if (word == "all") {
    return settings.instances.empty() ? std::vector{local_instance()} : settings.instances;
  }
  if (auto found = find_one(settings, word)) return {*std::move(found)};
  auto tagged = with_tag(settings, word);
  if (tagged.empty()) refuse_unknown(settings, word);
  return tagged;
}

// Configured instances are told apart by their index; others by what they are called.
bool is_same(const InstanceSettings& a, const InstanceSettings& b) {
  return a.index == b.index && (a.index || a.label() == b.label());
}

InstanceSettings one_from(const Settings& settings, const Value<std::string>& selector) {
  try {
    return one(settings, selector.value);
  } catch (const Error& error) {
    throw Error(error).within(to_string(selector.origin));
  }
}

InstanceSettings default_instance(const Settings& settings) {
  const auto& general = settings.general.instance;
  if (settings.project.instance.is_set()) return one_from(settings, settings.project.instance);
  // recompute.py's files always say "instance = 0", also before there is one.
  if (settings.instances.empty() && is_index(general.value)) return local_instance();
  if (general.is_set()) return one_from(settings, general);
  return settings.instances.front();
}

}  // namespace

std::string InstanceSettings::label() const {
  if (!name.value.empty()) return name.value;
  if (host.value.empty()) return "local";
  const std::string user = username.value.empty() ? std::string() : username.value + "@";
  if (!port.value) return user + host.value;
  return user + in_url_form(host.value) + ":" + std::to_string(*port.value);
}

Destination parse_destination(std::string_view text) {
  const auto refuse = [](const std::string& what) {
    throw Error(ErrorKind::usage, "the destination " + what,
                "write user@host, user@host:port or user@[address]:port");
  };
  const auto at = text.rfind('@');  // as ssh does: a user name may hold an '@'
  if (at == std::string_view::npos) refuse("has no '@'");
  Destination result;
  result.username = text.substr(0, at);
  std::string_view host = text.substr(at + 1);
  const auto colon = host.rfind(':');
  const bool bracketed = host.starts_with('[');
  const bool has_port =
      colon != std::string_view::npos && (bracketed ? host.find(']') + 1 == colon : host.find(':') == colon);
  if (has_port) {
    result.port = parse_number<unsigned short>(host.substr(colon + 1));
    if (!result.port || *result.port == 0) refuse("has no port from 1 to 65535 after its ':'");
    host = host.substr(0, colon);
  }
  result.host = without_brackets(host);
  if (const auto fault = fault_of_username(result.username)) refuse("is wrong: the user name " + *fault);
  if (const auto fault = fault_of_host(result.host)) refuse("is wrong: the host " + *fault);
  return result;
}

std::vector<InstanceSettings> resolve(const Settings& settings, std::optional<std::string_view> selector) {
  std::vector<InstanceSettings> chosen;
  if (!selector) chosen.push_back(default_instance(settings));
  const auto words = selector ? split(*selector, ',') : std::vector<std::string_view>();
  for (const auto word : words) {
    for (auto& instance : chosen_by(settings, trim(word))) {
      const bool is_chosen = std::any_of(chosen.begin(), chosen.end(),
                                         [&](const auto& other) { return is_same(instance, other); });
      if (!is_chosen) chosen.push_back(std::move(instance));
    }
  }
  for (auto& instance : chosen) instance = completed(settings, std::move(instance));
  return chosen;
}

}  // namespace re::config
