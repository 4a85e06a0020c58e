#include "cli/submit.hpp"

#include <boost/asio/awaitable.hpp>
#include <exception>

#include "cli/jobs.hpp"
#include "re/base/shell.hpp"
#include "re/project/git_state.hpp"
#include "re/sys/random.hpp"

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

// The job whose files this one starts from.
JobId continued_job(Context& context, const Parsed& parsed, const std::string& selector,
                    const engine::Place& place) {
  if (parsed.has("live")) throw Error(ErrorKind::usage, "--live and --continue exclude each other");
  const auto record = find_job(context, parsed, selector);
  if (record.instance == place.key) return record.id;
  throw Error(ErrorKind::usage, "job " + selector + " ran on " + record.instance + ", not on " + place.label,
              "add -i " + record.instance);
}

}  // namespace

engine::SubmitRequest Submission::request(const JobId& id, std::size_t i) const {
  engine::SubmitRequest request{places[i], remotes[i], spec};
  request.spec.id = id;
  request.spec.python = places[i].python;
  request.source = source;
  request.trust = trust;
  if (deadline) request.deadline = *deadline;
  return request;
}

Submission begin_submission(Context& context, const Parsed& parsed, model::Streams streams,
                            std::vector<engine::Place> places) {
  Submission submission{.spec = {.id = sys::make_job_id(context.clock())}};  // request() takes another
  submission.project = project_with_id(context);
  submission.places = std::move(places);
  for (const auto& place : submission.places)
    submission.remotes.push_back(remote_project(context, place, submission.project));
  submission.spec.streams = streams;
  submission.spec.submitted_from = sys::user_name() + "@" + sys::host_name();
  submission.trust = trust(parsed);
  if (parsed.has("deadline")) submission.deadline = context.deadline(parsed);
  return submission;
}

Submission read_submission(Context& context, const Parsed& parsed, model::Streams streams) {
  std::string command = parsed.has("batch") ? std::string() : command_text(parsed);
  auto submission = begin_submission(context, parsed, streams, context.places(parsed));
  auto& spec = submission.spec;
  spec.command = std::move(command);
  spec.name = parsed.text("name").value_or("runner");
  spec.environment = variables(parsed);
  if (parsed.has("live")) spec.work_tree = model::WorkTree::live;
  if (const auto job = parsed.text("continue")) {
    if (submission.places.size() > 1)
      throw Error(ErrorKind::usage, "--continue starts from files that lie on one instance",
                  "name it with -i");
    spec.continues = continued_job(context, parsed, *job, submission.places.front());
  }
  add_git_state(spec, submission.project);
  if (parsed.has("no-rsync")) submission.source = engine::Source::last_snapshot;
  return submission;
}

void FanProgress::note(std::string_view text) {
  if (m_notes.emplace(text).second) m_progress.note(text);
}

bool FanProgress::count(Outcome outcome) {
  ++(outcome == Outcome::started ? m_started : m_failed);
  show();
  return m_started + m_failed == m_places;
}

void FanProgress::show() {
  const std::string failures = m_failed > 0 ? ", " + std::to_string(m_failed) + " failed" : std::string();
  m_progress.step("starting on " + std::to_string(m_places) + " hosts: " + std::to_string(m_started) +
                  " started" + failures);
}

FanSubmission::FanSubmission(Context& from, const Parsed& parsed, Submission what)
    : context(from),
      submission(std::move(what)),
      progress(context.progress(), submission.places.size()),
      files(submission.project, {context.paths().cache, context.paths().state}, progress),
      submitter(context.fleet(), context.registry(), progress),
      fan(context.fleet(), submitter, files, context.deadline(parsed)) {
  context.fleet().make_room(submission.places.size());
}

Async<engine::Submitted> FanSubmission::submit(std::size_t i) {
  std::function<engine::SubmitRequest()> make = [this, i] {
    return submission.request(context.new_job_id(), i);
  };
  engine::Place place = submission.places[i];
  std::optional<engine::Submitted> submitted;
  std::exception_ptr failure;
  try {
    submitted = co_await fan.submit(std::move(place), std::move(make));
  } catch (...) {
    failure = std::current_exception();
  }
  const bool is_last = progress.count(failure ? FanProgress::Outcome::failed : FanProgress::Outcome::started);
  if (is_last) context.console().clear_status();
  if (failure) std::rethrow_exception(failure);
  co_return std::move(*submitted);
}

}  // namespace re::cli
