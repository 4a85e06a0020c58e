#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/commands/all.hpp"
#include "cli/files.hpp"
#include "cli/installation.hpp"
#include "cli/json.hpp"
#include "re/base/units.hpp"
#include "re/project/resolve.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

project::Project make_project(Context& context, const Parsed& parsed) {
  if (context.project() && !context.project()->id.empty()) return *context.project();
  const auto root = context.project() ? context.project()->root : std::filesystem::current_path();
  if (parsed.has("dry-run")) {
    project::Project planned;
    planned.root = root;
    planned.name = root.filename();
    return planned;
  }
  auto project = project::init_project(root);
  context.forget_project();
  return project;
}

std::string counted_files(std::size_t number) {
  return std::to_string(number) + (number == 1 ? " file" : " files");
}

void say_what_would_be(Context& context, const project::Project& project, const engine::Place& place,
                       const engine::RemoteProject& remote) {
  const auto files = project::collect_files(project.root);
  for (const auto& warning : files.warnings) context.progress().note(warning);
  auto& console = context.console();
  if (!std::filesystem::exists(project.file("id")))
    console.out("would make " + project.file("").string() + "\n");
  console.out("would make " + remote.directory + " on " + place.label + "\n");
  for (const auto& file : files.files) console.out("would copy " + ui::sanitise_line(file.path) + "\n");
  console.out(counted_files(files.files.size()) + ", " + format_size(files.total_size()) + "\n");
}

void warn_of_unresolved(Context& context, const project::Project& project, const engine::LocalState& state) {
  const auto scanned = project::scan_files(project.root, state.files);
  const auto report = project::resolve_imports(project.root, scanned, {});
  for (const auto& missing : report.unresolved) context.progress().note(ui::sanitise_line(missing));
}

}  // namespace

int run_init(Context& context, const Parsed& parsed) {
  const auto project = make_project(context, parsed);
  const auto place = context.place(parsed);
  const auto remote = remote_project(context, place, project);
  if (parsed.has("dry-run")) {
    say_what_would_be(context, project, place, remote);
    return 0;
  }
  auto files = project_files(context, project);
  const auto state = files.read(trust(parsed));
  warn_of_unresolved(context, project, state);
  remote::TransferReport report;
  if (!parsed.has("no-rsync")) {
    context.run([&]() -> Async<int> {
      const auto host = co_await context.fleet().host(place);
      report = co_await files.bring(*host, state, remote, engine::BringOptions());
      co_return 0;
    });
  }
  if (context.is_json()) {
    const nlohmann::json json = {
        {"project", project.name},           {"root", project.root.string()},
        {"instance", place.label},           {"directory", remote.directory},
        {"files", state.files.files.size()}, {"files_transferred", report.files_transferred}};
    context.console().out(to_text(json));
  } else if (context.mode() == OutputMode::human) {
    context.console().out(ui::sanitise_line(project.name) + " is ready on " + place.label + ":" +
                          remote.directory + ": " + counted_files(state.files.files.size()) + ", " +
                          std::to_string(report.files_transferred) + " copied\n");
  }
  if (parsed.has("no-rsync") || parsed.has("no-install")) return 0;
  const auto plan = engine::plan_install(project, state.files);
  return plan.how == engine::InstallPlan::How::nothing ? 0 : install(context, parsed, plan);
}

}  // namespace re::cli
