#include "cli/files.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/json.hpp"
#include "re/base/units.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

std::vector<std::string> shared_directories(Context& context) {
  const auto& shared = context.settings().project.shared;
  return shared.is_set() ? shared.value : std::vector<std::string>{"data"};
}

engine::RemoteProject remote_project(Context& context, const engine::Place& place,
                                     const project::Project& project) {
  const auto& name = context.settings().project.name;
  return {place.key, project_path(place, name.is_set() ? name.value : project.name),
          shared_directories(context)};
}

project::Project project_with_id(Context& context) {
  const auto& project = context.require_project();
  return project.id.empty() ? project::init_project(project.root) : project;
}

engine::ProjectFiles project_files(Context& context, project::Project project) {
  engine::ProjectMemory memory{context.paths().cache, context.paths().state};
  return {std::move(project), std::move(memory), context.progress()};
}

std::optional<jobs::RegistryRecord> newest_that_ran(const std::vector<jobs::RegistryRecord>& records,
                                                    const std::optional<std::string>& place_key) {
  std::optional<jobs::RegistryRecord> newest;
  for (const auto& record : records) {
    const bool is_elsewhere = place_key && record.instance != *place_key;
    const bool never_ran =
        record.state == model::JobState::incomplete || record.state == model::JobState::intent;
    if (!is_elsewhere && !never_ran) newest = record;
  }
  return newest;
}

std::string work_tree_of(const JobId& id) {
  return ".re/jobs/" + id.text() + "/work/";
}

engine::Trust trust(const Parsed& parsed) {
  return parsed.has("force") ? engine::Trust::nothing : engine::Trust::times;
}

std::vector<std::string> path_arguments(const Parsed& parsed, Side first) {
  if (parsed.arguments.size() != 1) return parsed.arguments;
  const auto& word = parsed.arguments.front();
  const bool names_a_file =
      first == Side::local && std::filesystem::exists(std::filesystem::symlink_status(word));
  if (names_a_file) return {word};
  std::vector<std::string> paths;
  for (const auto part : split_words(word)) paths.emplace_back(part);
  return paths;
}

void report_transfer(Context& context, const remote::TransferReport& report, const std::string& what) {
  for (const auto& link : report.skipped_links)
    context.progress().note("left out " + ui::sanitise_line(link) + ": a link that points outside");
  if (context.is_json()) {
    const nlohmann::json json = {{"files_transferred", report.files_transferred},
                                 {"total_size", report.total_size},
                                 {"bytes_sent", report.bytes_sent},
                                 {"bytes_received", report.bytes_received},
                                 {"changes", report.changes},
                                 {"skipped_links", report.skipped_links}};
    context.console().out(to_text(json));
    return;
  }
  for (const auto& change : report.changes) context.console().out(ui::sanitise_line(change) + "\n");
  if (context.mode() != OutputMode::human) return;
  const std::string files =
      std::to_string(report.files_transferred) + (report.files_transferred == 1 ? " file, " : " files, ");
  context.console().out(what + ": " + files + format_size(report.bytes_sent + report.bytes_received) +
                        " over the wire\n");
}

}  // namespace re::cli
