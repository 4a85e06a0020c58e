#include "cli/submit.hpp"

#include "cli/jobs.hpp"
#include "re/base/shell.hpp"
#include "re/project/git_state.hpp"

namespace re::cli {

namespace {

// One quoted argument is shell text; several arguments arrive as they are.
std::string command_text(const Parsed& parsed) {
  if (parsed.arguments.empty())
    throw Error(ErrorKind::usage, "no command to run", "re async \"python3 train.py\"");
  if (parsed.arguments.size() == 1) return parsed.arguments.front();
  return shell_join(parsed.arguments);
}

bool is_variable_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty() || !is_letter(name.front())) return false;
  return std::all_of(name.begin(), name.end(),
                     [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

std::vector<std::pair<std::string, std::string>> variables(const Parsed& parsed) {
  std::vector<std::pair<std::string, std::string>> variables;
  for (const auto& entry : parsed.all("env")) {
    const auto equals = entry.find('=');
    if (equals == std::string::npos || !is_variable_name(std::string_view(entry).substr(0, equals))) {
      throw Error(ErrorKind::usage, "--env takes NAME=VALUE, not \"" + entry + "\"");
    }
    variables.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return variables;
}

void add_git_state(model::JobSpec& spec, const project::Project& project) {
  const auto git = project::read_git_state(project.root);
  if (!git) return;
  spec.git_commit = git->commit;
  spec.git_diff = git->diff;
}

}  // namespace

engine::SubmitRequest submit_request(Context& context, const Parsed& parsed, model::Streams streams) {
  model::JobSpec spec{.id = sys::make_job_id(context.clock())};
  spec.command = command_text(parsed);
  const auto project = project_with_id(context);
  const auto place = context.place(parsed);
  spec.name = parsed.text("name").value_or("runner");
  spec.streams = streams;
  spec.environment = variables(parsed);
  spec.submitted_from = sys::user_name() + "@" + sys::host_name();
  if (parsed.has("live")) spec.work_tree = model::WorkTree::live;
  if (const auto job = parsed.text("continue")) {
    if (parsed.has("live")) throw Error(ErrorKind::usage, "--live and --continue exclude each other");
    const auto record = find_job(context, parsed, *job);
    if (record.instance != place.key) {
      throw Error(ErrorKind::usage, "job " + *job + " ran on " + record.instance + ", not on " + place.label,
                  "add -i " + record.instance);
    }
    spec.continues = record.id;
  }
  add_git_state(spec, project);
  engine::SubmitRequest request{place, remote_project(context, place, project), std::move(spec)};
  if (parsed.has("no-rsync")) request.source = engine::Source::last_snapshot;
  request.trust = trust(parsed);
  if (parsed.has("deadline")) request.deadline = context.deadline(parsed);
  return request;
}

}  // namespace re::cli
