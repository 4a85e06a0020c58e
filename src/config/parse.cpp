#include "config/parse.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "config/ini.hpp"
#include "config/values.hpp"
#include "re/base/error.hpp"
#include "re/base/strings.hpp"

namespace re::config {

namespace {

constexpr std::string_view k_user_file = "~/.config/re/re.conf";

template <class Owner>
struct Key {
  std::string_view name;
  void (*assign)(Owner&, const RawValue&);
};

template <auto Member, auto Parse, class Owner>
void assign(Owner& owner, const RawValue& raw) {
  (owner.*Member).value = Parse(raw);
  (owner.*Member).origin = raw.origin;
}

void add_identity_files(InstanceSettings& instance, const RawValue& raw) {
  if (!instance.identity_files.is_set()) instance.identity_files.origin = raw.origin;
  for (auto& path : parse_paths(raw)) instance.identity_files.value.push_back(std::move(path));
}

using General = GeneralSettings;
using Instance = InstanceSettings;
using Project = ProjectSettings;

constexpr std::array<Key<General>, 6> k_general_keys = {{
    {"instance", assign<&General::instance, parse_selector>},
    {"remote_home", assign<&General::remote_home, parse_remote_home>},
    {"persist", assign<&General::persist, parse_persist>},
    {"deadline", assign<&General::deadline, parse_time>},
    {"connect_timeout", assign<&General::connect_timeout, parse_timeout>},
    {"ssh_config", assign<&General::ssh_config, parse_path>},
}};

constexpr std::array<Key<Instance>, 13> k_instance_keys = {{
    {"name", assign<&Instance::name, parse_name>},
    {"username", assign<&Instance::username, parse_username>},
    {"host", assign<&Instance::host, parse_host>},
    {"port", assign<&Instance::port, parse_port>},
    {"identity_file", add_identity_files},
    {"password", assign<&Instance::password, parse_password>},
    {"password_command", assign<&Instance::password_command, parse_text>},
    {"transport", assign<&Instance::transport, parse_transport>},
    {"host_key", assign<&Instance::host_key, parse_host_key>},
    {"connect_timeout", assign<&Instance::connect_timeout, parse_timeout>},
    {"tags", assign<&Instance::tags, parse_tags>},
    {"remote_home", assign<&Instance::remote_home, parse_remote_home>},
    {"python", assign<&Instance::python, parse_program>},
}};

constexpr std::array<Key<Project>, 5> k_project_keys = {{
    {"name", assign<&Project::name, parse_project_name>},
    {"instance", assign<&Project::instance, parse_project_selector>},
    {"remote_home", assign<&Project::remote_home, parse_project_remote_home>},
    {"python", assign<&Project::python, parse_program>},
    {"shared", assign<&Project::shared, parse_shared>},
}};

template <class Table>
std::vector<std::string> names_of(const Table& table) {
  std::vector<std::string> names;
  names.reserve(table.size());
  for (const auto& key : table) names.emplace_back(key.name);
  return names;
}

// A mistyped line may hold a password where a key should be ("password hunter2 = …"), and any bytes besides:
// only what looks like a key is repeated.
std::string repeatable(std::string_view word) {
  const bool plain =
      word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-.") == std::string_view::npos;
  return plain && !word.empty() ? " \"" + std::string(word) + "\"" : std::string();
}

std::string_view canonical(std::string_view key) {
  return key == "user" ? "username" : key;
}

class Layer {
 public:
  Layer(std::string_view text, const LayerContext& context)
      : m_context(context), m_document(parse_ini(text, context.file)) {
    refuse_duplicate_sections();
    refuse_cut_value();
  }

  [[nodiscard]] const IniDocument& document() const { return m_document; }
  [[nodiscard]] Origin at(std::size_t line) const { return Origin{m_context.file, line}; }

  [[noreturn]] void fail(std::size_t line, const std::string& what, std::string hint = {}) const {
    throw Error(ErrorKind::config, to_string(at(line)) + ": " + what, std::move(hint));
  }

  /// Assigns every entry of the section; what is in no table is an error.
  template <class Owner, class Table>
  void assign_section(std::size_t section, Owner& owner, const Table& table) const {
    std::map<std::string_view, std::size_t> lines;
    for (const auto& entry : m_document.entries) {
      if (entry.section != section) continue;
      const std::string_view name = canonical(entry.key);
      const auto key =
          std::find_if(table.begin(), table.end(), [&](const auto& k) { return k.name == name; });
      if (key == table.end()) refuse_unknown(entry, names_of(table));
      const auto [earlier, is_first] = lines.emplace(name, entry.line);
      if (!is_first && name != "identity_file") {
        fail(entry.line, std::string(name) + " is set already in line " + std::to_string(earlier->second));
      }
      key->assign(owner, RawValue(name, entry.value, at(entry.line), m_context.home));
    }
  }

 private:
  void refuse_duplicate_sections() const {
    std::map<std::string, std::size_t> lines;
    for (const auto& section : m_document.sections) {
      // "[instance 0]" and "[instance  00]" are one.
      std::string name;
      for (const auto word : split_words(section.name)) {
        const auto number = parse_number<std::size_t>(word);
        name += " " + (number ? std::to_string(*number) : std::string(word));
      }
      const auto [earlier, is_first] = lines.emplace(name, section.line);
      if (!is_first)
        fail(section.line, "this section stands already in line " + std::to_string(earlier->second));
    }
  }

  // A file that was cut short (a full disk, a broken copy) must not name another host than the whole one.
  // recompute.py writes the password last; a cut one is refused by the server.
  void refuse_cut_value() const {
    if (!m_document.unterminated_line || m_document.entries.empty()) return;
    const auto& last = m_document.entries.back();
    if (last.line != *m_document.unterminated_line || last.key == "password") return;
    fail(last.line, "the last line has no line end, so its value may have been cut short",
         "end the file with a newline");
  }

  [[noreturn]] void refuse_unknown(const IniEntry& entry, const std::vector<std::string>& known) const {
    const std::string section = m_document.sections[entry.section].name;
    fail(entry.line, "unknown key" + repeatable(entry.key) + " in [" + section + "]",
         suggestion(entry.key, known));
  }

  const LayerContext& m_context;
  IniDocument m_document;
};

std::optional<std::size_t> instance_index(std::string_view section) {
  const auto words = split_words(section);
  if (words.size() != 2 || words[0] != "instance") return std::nullopt;
  return parse_number<std::size_t>(words[1]);
}

constexpr std::size_t k_highest_index = 999'999;

InstanceSettings parse_instance(const Layer& layer, std::size_t section, std::size_t index) {
  const std::size_t line = layer.document().sections[section].line;
  InstanceSettings instance;
  instance.index = index;
  instance.section = layer.at(line);
  layer.assign_section(section, instance, k_instance_keys);
  const std::string title = "[instance " + std::to_string(index) + "]";
  if (instance.host.value.empty() && instance.transport.value != TransportKind::local) {
    layer.fail(line, title + " has no host", "add host = …, or transport = local for this machine");
  }
  if (instance.password.value && instance.password_command.is_set()) {
    layer.fail(instance.password_command.origin.line, title + " has a password and a password_command",
               "keep one of them");
  }
  return instance;
}

[[noreturn]] void refuse_section(const Layer& layer, const IniSection& section) {
  const std::vector<std::string> known = {"general", "instance"};
  const auto words = split_words(section.name);
  const std::string word = to_lower(words.empty() ? std::string_view() : words.front());
  if (word == "default")
    layer.fail(section.line, "[DEFAULT] is not supported", "write the values into each section");
  if (word == "instance") {
    layer.fail(section.line, "an instance's section is [instance N] with N from 0 to 999999",
               "a name is set by name = …");
  }
  layer.fail(section.line, "unknown section" + repeatable(word), suggestion(word, known));
}

void refuse_duplicate_names(const Layer& layer, const std::vector<InstanceSettings>& instances) {
  std::map<std::string_view, std::size_t> lines;
  for (const auto& instance : instances) {
    if (!instance.name.is_set()) continue;
    const auto [earlier, is_first] = lines.emplace(instance.name.value, instance.name.origin.line);
    if (is_first) continue;
    const std::size_t line = instance.name.origin.line;
    layer.fail(std::max(line, earlier->second), "the name \"" + instance.name.value +
                                                    "\" is taken already in line " +
                                                    std::to_string(std::min(line, earlier->second)));
  }
}

UserLayer read_user_layer(std::string_view text, const LayerContext& context) {
  const Layer layer(text, context);
  UserLayer result;
  const auto& sections = layer.document().sections;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    const auto index = instance_index(sections[i].name);
    if (sections[i].name == "general") {
      layer.assign_section(i, result.general, k_general_keys);
    } else if (index && *index <= k_highest_index) {
      result.instances.push_back(parse_instance(layer, i, *index));
    } else {
      refuse_section(layer, sections[i]);
    }
  }
  std::sort(result.instances.begin(), result.instances.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  refuse_duplicate_names(layer, result.instances);
  for (const auto& instance : result.instances) {
    if (instance.password.value && !result.password) result.password = instance.password.origin;
  }
  return result;
}

bool is_user_key(std::string_view key) {
  const auto has = [&](const auto& table) {
    return std::any_of(table.begin(), table.end(), [&](const auto& k) { return k.name == canonical(key); });
  };
  return has(k_general_keys) || has(k_instance_keys);
}

ProjectSettings read_project_layer(std::string_view text, const LayerContext& context) {
  const Layer layer(text, context);
  const auto& document = layer.document();
  const auto known = names_of(k_project_keys);
  for (const auto& entry : document.entries) {
    if (!is_user_key(entry.key) || std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
    layer.fail(entry.line, "a project cannot set " + entry.key,
               "it belongs in your own configuration, " + std::string(k_user_file));
  }
  ProjectSettings result;
  for (std::size_t i = 0; i < document.sections.size(); ++i) {
    if (document.sections[i].name == "project") {
      layer.assign_section(i, result, k_project_keys);
      continue;
    }
    layer.fail(document.sections[i].line, "the only section of a project's configuration is [project]",
               "instances belong in your own configuration, " + std::string(k_user_file));
  }
  return result;
}

template <class Read>
auto as_result(const Read& read) -> Result<decltype(read())> {
  try {
    return read();
  } catch (const Error& error) {
    return error;
  }
}

}  // namespace

Result<UserLayer> parse_user_layer(std::string_view text, const LayerContext& context) {
  return as_result([&] { return read_user_layer(text, context); });
}

Result<ProjectSettings> parse_project_layer(std::string_view text, const LayerContext& context) {
  return as_result([&] { return read_project_layer(text, context); });
}

std::vector<std::string> general_keys() {
  return names_of(k_general_keys);
}
std::vector<std::string> instance_keys() {
  return names_of(k_instance_keys);
}
std::vector<std::string> project_keys() {
  return names_of(k_project_keys);
}

}  // namespace re::config
