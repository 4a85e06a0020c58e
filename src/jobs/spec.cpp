#include "jobs/spec.hpp"

#include <algorithm>
#include <array>
#include <set>

#include "re/base/encoding.hpp"
#include "re/base/shell.hpp"
#include "re/base/strings.hpp"
#include "re/jobs/job_host.hpp"

namespace re::jobs {

namespace {

using model::JobSpec;

// Read-only in bash, which is /bin/sh on many hosts: setting one would end the shell.
constexpr std::array<std::string_view, 6> k_readonly_variables = {"BASHOPTS", "BASH_VERSINFO", "EUID",
                                                                  "PPID",     "SHELLOPTS",     "UID"};

bool needs_escape(char letter) {
  const auto code = static_cast<unsigned char>(letter);
  return code < 0x20 || code == 0x7f || letter == '%';
}

std::string escape(std::string_view value) {
  constexpr std::string_view k_digits = "0123456789abcdef";
  std::string text;
  for (const char letter : value) {
    if (!needs_escape(letter)) {
      text += letter;
      continue;
    }
    const auto code = static_cast<unsigned char>(letter);
    text += '%';
    text += k_digits[code >> 4U];
    text += k_digits[code & 0xfU];
  }
  return text;
}

std::optional<std::string> unescape(std::string_view text) {
  std::string value;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      value += text[at];
      continue;
    }
    const auto byte = text.size() - at > 2 ? from_hex(text.substr(at + 1, 2)) : std::nullopt;
    if (!byte) return std::nullopt;
    value += *byte;
    at += 2;
  }
  return value;
}

class Writer {
 public:
  void add(std::string_view key, std::string_view value) {
    m_text.append(key).append("=").append(escape(value)).append("\n");
  }
  void add_if_set(std::string_view key, std::string_view value) {
    if (!value.empty()) add(key, value);
  }
  std::string take() { return std::move(m_text); }

 private:
  std::string m_text = "re-spec=1\n";
};

bool take_id(std::optional<JobId>& id, std::string_view value) {
  id = JobId::parse(value);
  return id.has_value();
}

bool take_index(std::uint32_t& index, std::string_view value) {
  const auto number = parse_number<std::uint32_t>(value);
  index = number.value_or(0);
  return number.has_value();
}

bool take_work_tree(model::WorkTree& work_tree, std::string_view value) {
  work_tree = value == "live" ? model::WorkTree::live : model::WorkTree::own;
  return value == "live" || value == "own";
}

constexpr std::array<std::string_view, 3> k_streams = {"merged", "split", "terminal"};

std::string_view name_of(model::Streams streams) {
  return k_streams.at(static_cast<std::size_t>(streams));
}

bool take_streams(model::Streams& streams, std::string_view value) {
  const auto* const found = std::find(k_streams.begin(), k_streams.end(), value);
  if (found == k_streams.end()) return false;
  streams = static_cast<model::Streams>(found - k_streams.begin());
  return true;
}

std::string* text_field(JobSpec& spec, std::string_view key) {
  const std::array<std::pair<std::string_view, std::string*>, 8> fields = {{
      {"name", &spec.name},
      {"command", &spec.command},
      {"project_id", &spec.project_id},
      {"project_name", &spec.project_name},
      {"project_path", &spec.project_path},
      {"snapshot", &spec.snapshot},
      {"submitted_from", &spec.submitted_from},
      {"git_commit", &spec.git_commit},
  }};
  const auto* const found =
      std::find_if(fields.begin(), fields.end(), [&](const auto& field) { return field.first == key; });
  return found == fields.end() ? nullptr : found->second;
}

bool take(JobSpec& spec, std::string_view key, std::string value) {
  if (auto* const field = text_field(spec, key)) {
    *field = std::move(value);
    return true;
  }
  if (key == "index") return take_index(spec.index, value);
  if (key == "work") return take_work_tree(spec.work_tree, value);
  if (key == "streams") return take_streams(spec.streams, value);
  if (key == "continues") return take_id(spec.continues, value);
  if (key == "shared") spec.shared.push_back(std::move(value));
  return true;
}

// All members are named because the compiler warns of those that are left out.
JobSpec empty_spec(const JobId& id) {
  return {id, 0,  {}, {}, {}, {}, {}, {}, model::WorkTree::own, model::Streams::merged,
          {}, {}, {}, {}, {}, {}};
}

Error bad_spec(const std::string& reason) {
  return {ErrorKind::protocol, "a job's spec cannot be read: " + reason};
}

struct Line {
  std::string_view key;
  std::string value;
};

Result<std::vector<Line>> parse_lines(std::string_view text) {
  std::vector<Line> lines;
  std::set<std::string_view> seen;
  if (!text.starts_with("re-spec=1\n") || !text.ends_with('\n')) return bad_spec("not version 1, or cut off");
  text.remove_suffix(1);
  for (const auto line : split(text, '\n')) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return bad_spec("a line without '='");
    const auto key = line.substr(0, equals);
    auto value = unescape(line.substr(equals + 1));
    if (!value) return bad_spec("a wrong escape in " + std::string(key));
    if (!seen.insert(key).second && key != "shared") return bad_spec(std::string(key) + " stands twice");
    lines.push_back({key, std::move(*value)});
  }
  return lines;
}

bool is_variable_name(std::string_view name) {
  const auto is_letter = [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_';
  };
  const auto is_part = [&](char letter) { return is_letter(letter) || (letter >= '0' && letter <= '9'); };
  return !name.empty() && is_letter(name.front()) && std::all_of(name.begin(), name.end(), is_part);
}

void require_no_nul(std::string_view what, std::string_view value) {
  if (value.find('\0') == std::string_view::npos) return;
  throw Error(ErrorKind::usage, "the " + std::string(what) + " of a job holds a NUL byte");
}

void require_variable(const std::string& name, const std::string& value) {
  const bool is_readonly =
      std::find(k_readonly_variables.begin(), k_readonly_variables.end(), name) != k_readonly_variables.end();
  if (is_readonly || !is_variable_name(name)) {
    throw Error(ErrorKind::usage, "\"" + name + "\" cannot be set in the environment of a job");
  }
  require_no_nul("environment", value);
}

std::string assignment(std::string_view name, std::string_view value) {
  return std::string(name) + "=" + shell_quote(value) + "\n";
}

}  // namespace

void require_valid(const JobSpec& spec) {
  if (spec.command.size() > k_command_limit) {
    throw Error(ErrorKind::usage, "the command is longer than 120,000 bytes", "put it in a script");
  }
  if (spec.work_tree == model::WorkTree::own && spec.snapshot.empty()) {
    throw Error(ErrorKind::usage, "a job with a work tree of its own needs a snapshot");
  }
  require_no_nul("command", spec.command);
  require_no_nul("name", spec.name);
  require_no_nul("project path", spec.project_path);
  for (const auto& directory : spec.shared) require_no_nul("shared directory", directory);
  for (const auto& [name, value] : spec.environment) require_variable(name, value);
}

std::string render_spec(const JobSpec& spec) {
  Writer writer;
  writer.add("id", spec.id.text());
  writer.add("index", std::to_string(spec.index));
  writer.add("name", spec.name);
  writer.add("command", spec.command);
  writer.add("project_id", spec.project_id);
  writer.add("project_name", spec.project_name);
  writer.add("project_path", spec.project_path);
  writer.add("work", spec.work_tree == model::WorkTree::own ? "own" : "live");
  writer.add("streams", name_of(spec.streams));
  writer.add_if_set("snapshot", spec.snapshot);
  writer.add_if_set("continues", spec.continues ? spec.continues->text() : std::string());
  for (const auto& directory : spec.shared) writer.add("shared", directory);
  writer.add_if_set("submitted_from", spec.submitted_from);
  writer.add_if_set("git_commit", spec.git_commit);
  return writer.take();
}

Result<JobSpec> parse_spec(std::string_view text) {
  auto lines = parse_lines(text);
  if (!lines) return lines.error();
  const auto id_line =
      std::find_if(lines->begin(), lines->end(), [](const Line& line) { return line.key == "id"; });
  const auto id = id_line == lines->end() ? std::nullopt : JobId::parse(id_line->value);
  if (!id) return bad_spec("no id");
  JobSpec spec = empty_spec(*id);
  for (auto& [key, value] : *lines) {
    if (!take(spec, key, std::move(value))) return bad_spec("a wrong " + std::string(key));
  }
  return spec;
}

namespace {

// "~/a b" as a word that the host's shell expands.
std::string below_home(std::string_view path) {
  if (path.starts_with('/')) return shell_quote(path);
  if (path.starts_with("~/")) path.remove_prefix(2);
  return "\"$HOME\"/" + shell_quote(path);
}

// Puts the interpreter that the job is to use first in PATH, as an environment's `activate` does.
std::string render_python(const JobSpec& spec) {
  const bool is_named = spec.python.find('/') != std::string::npos;
  std::string text = "re_env=" + below_home(is_named ? spec.python : spec.project_path + "/.venv") + "\n";
  if (is_named) text += "[ -d \"$re_env\" ] || re_env=${re_env%/bin/*}\n";
  return text +
         "if [ -x \"$re_env/bin/python\" ]; then\n"
         "if [ -d \"$re_env/conda-meta\" ]; then export CONDA_PREFIX=\"$re_env\"; "
         "else export VIRTUAL_ENV=\"$re_env\"; fi\n"
         "export PATH=\"$re_env/bin:$PATH\"\nfi\nunset re_env\n";
}

}  // namespace

std::string render_environment(const JobSpec& spec) {
  std::string text = render_python(spec) + "export PYTHONUNBUFFERED=\"${PYTHONUNBUFFERED-1}\"\n";
  text += "export " + assignment("RE_JOB_ID", spec.id.text());
  text += "export " + assignment("RE_JOB_INDEX", std::to_string(spec.index));
  text += "export " + assignment("RE_JOB_NAME", spec.name);
  text += "export " + assignment("RE_PROJECT", spec.project_name);
  for (const auto& [name, value] : spec.environment) text += "export " + assignment(name, value);
  return text;
}

std::string render_plan(const JobSpec& spec) {
  std::string text;
  text += assignment("re_id", spec.id.text());
  text += assignment("re_work", spec.work_tree == model::WorkTree::own ? "own" : "live");
  text += assignment("re_streams", std::string(name_of(spec.streams)));
  text += assignment("re_snapshot", spec.snapshot);
  text += assignment("re_project", spec.project_path);
  text += assignment("re_continue", spec.continues ? spec.continues->text() : std::string());
  text += assignment("re_command", spec.command);
  text += assignment("re_environment", render_environment(spec));
  text += "set -- " + shell_join(spec.shared) + "\n";
  return text;
}

}  // namespace re::jobs
