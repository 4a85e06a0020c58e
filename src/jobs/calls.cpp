#include "jobs/calls.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iterator>
#include <utility>

#include "jobs/script_text.hpp"
#include "jobs/scripts.hpp"
#include "jobs/spec.hpp"
#include "re/base/shell.hpp"
#include "re/base/strings.hpp"
#include "re/sys/random.hpp"

namespace re::jobs {

namespace {

using Repeat = remote::ScriptCall::Repeat;

constexpr std::size_t k_token_bytes = 8;
constexpr std::size_t k_complaint_limit = 300;

Error not_understood(std::string_view answer) {
  return {ErrorKind::protocol,
          "the host's answer cannot be understood: \"" + std::string(answer.substr(0, 80)) + "\""};
}

Error missing_tool(std::string_view tool, const std::string& host) {
  return {
      ErrorKind::unsupported,
      host + " has no " + std::string(tool) + ", without which a job cannot be kept apart and found again",
      tool == "/proc" ? "jobs run on Linux hosts" : "install it there (Debian: util-linux)"};
}

Error submission_failed(std::string_view what, std::string_view complaint, const std::string& host) {
  const auto line = trim(complaint).substr(0, trim(complaint).find('\n'));
  std::string message = host + " could not " + std::string(what);
  if (!line.empty()) message += ": " + std::string(line.substr(0, k_complaint_limit));
  return {ErrorKind::remote, message, "nothing was started"};
}

// A shell variable cannot hold NUL, which a diff may.
std::string without_nul(const std::string& text) {
  return text.find('\0') == std::string::npos ? text
                                              : replace_all(text, std::string_view("\0", 1), "\xEF\xBF\xBD");
}

std::string_view input_of(model::Streams streams, Input input) {
  if (streams == model::Streams::terminal) return "terminal";
  if (streams != model::Streams::split) return "null";
  return input == Input::channel ? "channel" : "closed";
}

std::string bundle(std::initializer_list<std::string_view> more) {
  std::vector<std::string_view> files = {scripts::basics, scripts::common};
  files.insert(files.end(), more);
  return script_text(files);
}

// What launch.sh starts a job with.
std::string text_of_supervisor() {
  return "re_supervisor=" + shell_quote(supervisor_text()) + "\nre_runner=" + shell_quote(runner_text()) +
         "\n";
}

}  // namespace

std::string launch_library() {
  return bundle({scripts::start, scripts::launch, scripts::stream}) + text_of_supervisor();
}

// The next job has the work tree of this one, most often.
std::string place_preparation(const model::JobSpec& spec, const std::string& shell) {
  if (spec.streams == model::Streams::terminal) return {};
  const bool has_own_tree = spec.work_tree == model::WorkTree::own;
  std::vector<std::string> words = {"re_prepare_place", shell, has_own_tree ? spec.project_id : std::string(),
                                    spec.project_path};
  words.insert(words.end(), spec.shared.begin(), spec.shared.end());
  return script_text(std::array<std::string_view, 2>{scripts::trees, scripts::place}) + shell_join(words) +
         "\nre_link_ahead\n";
}

OwnedCall launch_call(const model::JobSpec& spec, const std::string& shell, std::string function,
                      const LaunchOptions& options) {
  require_valid(spec);
  const bool needs_snapshot = spec.work_tree == model::WorkTree::own;
  const SnapshotPatch* const patch = needs_snapshot ? options.patch : nullptr;
  OwnedCall call{launch_library(), std::move(function), {}, Repeat::forbidden};
  call.preparation = place_preparation(spec, shell);
  call.arguments = {spec.id.text(),
                    sys::random_hex(k_token_bytes),
                    std::to_string(options.age.count()),
                    shell,
                    render_spec(spec),
                    render_plan(spec),
                    without_nul(spec.git_diff),
                    needs_snapshot ? spec.snapshot : std::string(),
                    std::string(input_of(spec.streams, options.input))};
  if (patch != nullptr) {
    call.more =
        script_text(std::array<std::string_view, 3>{scripts::trees, scripts::snapshot, scripts::patch});
    auto arguments = patch_arguments(*patch);
    std::move(arguments.begin(), arguments.end(), std::back_inserter(call.arguments));
  }
  return call;
}

OwnedCall batch_call(const std::vector<model::JobSpec>& specs, const std::string& shell) {
  const auto& first = specs.front();
  const bool needs_snapshot = first.work_tree == model::WorkTree::own;
  OwnedCall call{bundle({scripts::start, scripts::launch, scripts::batch}) + text_of_supervisor(),
                 "re_launch_batch",
                 {},
                 Repeat::forbidden};
  call.arguments = {shell, needs_snapshot ? first.snapshot : std::string(), starter_text(),
                    without_nul(first.git_diff)};
  for (const auto& spec : specs) {
    require_valid(spec);
    auto words = {spec.id.text(), render_spec(spec), render_plan(spec)};
    call.arguments.insert(call.arguments.end(), words.begin(), words.end());
  }
  return call;
}

OwnedCall resume_call(const JobId& id, const std::string& shell) {
  return {bundle({scripts::start, scripts::launch}) + text_of_supervisor(),
          "re_resume",
          {id.text(), shell},
          Repeat::forbidden};
}

OwnedCall stream_call(std::string function, std::vector<std::string> arguments) {
  return {bundle({scripts::stream}), std::move(function), std::move(arguments)};
}

OwnedCall list_call(const ListFilter& filter) {
  OwnedCall call{bundle({scripts::list}), "re_list", {}};
  call.arguments.emplace_back(filter.scope == ListFilter::Scope::all ? "all" : "live");
  for (const auto& id : filter.ids) call.arguments.push_back(id.text());
  return call;
}

OwnedCall signal_call(const JobId& id, int signal) {
  return {bundle({scripts::signal}), "re_signal", {id.text(), std::to_string(signal)}, Repeat::forbidden};
}

LaunchReport read_launch_answer(std::string_view answer, std::string_view complaint,
                                const std::string& host) {
  const auto blank = answer.find(' ');
  const auto word = answer.substr(0, blank);
  const auto rest = blank == std::string_view::npos ? std::string_view() : answer.substr(blank + 1);
  if (word == "NOJOB") throw Error(ErrorKind::not_found, "the job is no longer on " + host);
  if (word == "NOTOOL") throw missing_tool(rest, host);
  if (word == "FAILED") throw submission_failed(rest, complaint, host);
  const auto number = parse_number<int>(rest);
  if (word == "STARTED" && number) return {Launch::started, number, std::nullopt};
  if (word == "EXITED" && number) return {Launch::exited, std::nullopt, number};
  if (word == "STARTING") return {Launch::starting, std::nullopt, std::nullopt};
  if (word == "COMMITTED") return {Launch::committed, std::nullopt, std::nullopt};
  if (word == "LOST") return {Launch::lost, std::nullopt, std::nullopt};
  if (word == "CONFLICT") return {Launch::conflict, std::nullopt, std::nullopt};
  if (word == "NEEDSNAPSHOT") return {Launch::need_snapshot, std::nullopt, std::nullopt};
  throw not_understood(answer);
}

std::string_view read_state(std::string_view trailer, LogState& state, const JobId& id) {
  if (trailer == "NOJOB") throw Error(ErrorKind::not_found, "there is no job " + id.text() + " on the host");
  const auto words = split(trailer, ' ');
  const auto parsed = model::parse_job_state(words[0]);
  const auto code = words.size() > 2 ? parse_number<int>(words[1]) : std::nullopt;
  if (!parsed || words.size() < 3 || (!code && words[1] != "-")) throw not_understood(trailer);
  state.state = *parsed;
  state.exit_code = code;
  return trailer.substr(words[0].size() + words[1].size() + 2);
}

std::string_view file_of(LogStream stream) {
  return stream == LogStream::error ? "err" : "log";
}

}  // namespace re::jobs
