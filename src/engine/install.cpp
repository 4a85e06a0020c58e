#include "re/engine/install.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <set>

#include "engine/scripts.hpp"
#include "re/base/error.hpp"
#include "re/base/sha256.hpp"
#include "re/base/shell.hpp"
#include "re/base/strings.hpp"
#include "re/project/manifest.hpp"
#include "re/project/resolve.hpp"
#include "re/sys/file.hpp"

namespace re::engine {

namespace {

using How = InstallPlan::How;

constexpr std::string_view k_requirements = "requirements.txt";
// The first line of a requirements.txt that is ours to write anew.
constexpr std::string_view k_mark = "# Made by `re install` from the project's imports.";
constexpr std::string_view k_mark_more = " Without this line it is yours, and stays as it is.\n";

// What a set may depend on; format 1 of the hash is these files' names and texts.
constexpr std::array<std::string_view, 6> k_inputs = {"uv.lock",        "environment.yml", k_requirements,
                                                      "pyproject.toml", "setup.py",        "setup.cfg"};

std::string_view name_of(How how) {
  switch (how) {
    case How::packages:
      return "packages";
    case How::requirements:
      return "requirements";
    case How::project:
      return "project";
    case How::uv:
      return "uv";
    case How::conda:
      return "conda";
    case How::nothing:
      return "nothing";
  }
  return "nothing";
}

std::optional<std::string> read(const project::Project& project, std::string_view name) {
  return sys::read_file_if_exists(project.root / name);
}

bool is_generated(std::string_view requirements) {
  return requirements.starts_with(k_mark);
}

// A pyproject.toml may hold the settings of tools only.
bool describes_a_project(std::string_view pyproject) {
  constexpr std::array<std::string_view, 3> k_tables = {"[project]", "[build-system]", "[tool.poetry]"};
  const auto lines = split_lines(pyproject);
  return std::any_of(lines.begin(), lines.end(), [&](std::string_view line) {
    return std::find(k_tables.begin(), k_tables.end(), trim(line)) != k_tables.end();
  });
}

How find_way(const project::Project& project) {
  if (read(project, "uv.lock")) return How::uv;
  if (read(project, "environment.yml")) return How::conda;
  const auto requirements = read(project, k_requirements);
  if (requirements && !is_generated(*requirements)) return How::requirements;
  if (describes_a_project(read(project, "pyproject.toml").value_or(""))) return How::project;
  if (read(project, "setup.py")) return How::project;
  return How::nothing;
}

// The requirements of the imports. One that is only tried is taken when it is installed here.
std::string generate(const project::Project& project, const project::FileSet& files,
                     std::vector<std::string>& notes) {
  const auto scanned = project::scan_files(project.root, files);
  const auto places = project::site_packages(project.root);
  auto report = project::resolve_imports(project.root, scanned, project::read_installed(places));
  std::erase_if(report.requirements, [](const auto& one) { return one.optional && !one.version; });
  notes = std::move(report.unresolved);
  if (report.requirements.empty()) return {};
  return std::string(k_mark).append(k_mark_more) + project::format_requirements(report.requirements);
}

std::string hash_of(const project::Project& project, const InstallPlan& plan) {
  std::string text = "1\n" + std::string(name_of(plan.how)) + "\n";
  for (const auto name : k_inputs) {
    auto content = name == k_requirements && !plan.generated.empty() ? plan.generated : read(project, name);
    if (content) text += std::string(name) + "\n" + sha256_hex(*content) + "\n";
  }
  return sha256_hex(text);
}

bool is_requirement(std::string_view word) {
  const char first = word.empty() ? '-' : word.front();
  return (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || (first >= '0' && first <= '9');
}

}  // namespace

InstallPlan plan_install(const project::Project& project, const project::FileSet& files) {
  InstallPlan plan{find_way(project)};
  if (plan.how == How::nothing) {
    plan.generated = generate(project, files, plan.notes);
    if (plan.generated.empty()) return plan;
    plan.how = How::requirements;
  }
  if (plan.how == How::requirements) plan.words.emplace_back(k_requirements);
  plan.hash = hash_of(project, plan);
  return plan;
}

InstallPlan plan_packages(std::vector<std::string> words) {
  for (const auto& word : words) {
    if (!is_requirement(word))
      throw Error(ErrorKind::usage, "not a package as pip takes it: \"" + word + "\"",
                  "re install \"torch>=2\" tqdm");
  }
  return {How::packages, std::move(words)};
}

void write_requirements(const project::Project& project, const InstallPlan& plan) {
  if (plan.generated.empty() || read(project, k_requirements) == plan.generated) return;
  constexpr unsigned k_mode = 0644;
  sys::write_file_atomic(project.root / k_requirements, plan.generated, k_mode, sys::Link::replace);
}

Async<bool> is_installed(remote::Host& host, const InstallPlace& place, const InstallPlan& plan,
                         std::chrono::milliseconds deadline) {
  remote::ScriptCall call{
      scripts::install, "re_install_state", {place.directory, place.python, place.project_id, plan.hash}};
  const auto answer = co_await host.run(std::move(call), deadline);
  co_return trim(answer.output) == "UNCHANGED";
}

void set_install(model::JobSpec& spec, const InstallPlan& plan, const InstallPlace& place) {
  std::vector<std::string> words = {"re_install", place.python, place.project_id, plan.hash,
                                    std::string(name_of(plan.how))};
  words.insert(words.end(), plan.words.begin(), plan.words.end());
  std::string script(scripts::install);
  script += shell_join(words) + " >&2\n";  // how far it is, not a result
  std::vector<std::string> shown = {"re", "install"};
  if (plan.how == How::packages) shown.insert(shown.end(), plan.words.begin(), plan.words.end());
  model::set_own_script(spec, "INSTALL", std::move(script), shown);
}

}  // namespace re::engine
