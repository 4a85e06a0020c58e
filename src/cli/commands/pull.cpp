#include <boost/asio/awaitable.hpp>
#include <filesystem>

#include "cli/commands/all.hpp"
#include "cli/files.hpp"
#include "cli/jobs.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

struct PullRequest {
  engine::Place place;
  std::vector<std::string> sources;
  std::string destination;           ///< empty: the same place in the project here
  std::vector<std::string> bases;    ///< where a relative source is looked for, in this order
  std::optional<std::uint32_t> job;  ///< the first of them is this job's tree
};

// The job's own tree first, then the project's directory.
void add_bases(Context& context, const Parsed& parsed, const project::Project& project,
               PullRequest& request) {
  const auto job = parsed.text("job");
  std::optional<jobs::RegistryRecord> record;
  if (job) {
    record = find_job(context, parsed, *job);
  } else {
    const bool is_chosen = parsed.has("instance") || parsed.has("instance-idx");
    record = newest_that_ran(context.registry().list({jobs::RegistryFilter::Which::all, project.id, {}}),
                             is_chosen ? std::optional(request.place.key) : std::nullopt);
  }
  if (record) {
    request.place = context.place_of(record->instance, parsed);
    request.bases.push_back(work_tree_of(record->id));
    request.job = record->index;
  }
  if (!job) request.bases.push_back(remote_project(context, request.place, project).directory + "/");
}

PullRequest read_request(Context& context, const Parsed& parsed) {
  auto paths = path_arguments(parsed, Side::remote);
  if (paths.empty()) throw Error(ErrorKind::usage, "nothing to pull", "re pull PATH... [DIRECTORY]");
  const auto project = project_with_id(context);
  PullRequest request{context.place(parsed), {}, {}, {}, {}};
  if (paths.size() > 2 && paths.back() == "." && parsed.arguments.size() == 2) {
    paths.pop_back();  // recompute.py's document spells it `re pull "bin/ ./bin/" .`
  }
  if (paths.size() > 1) {
    request.destination = paths.back();
    paths.pop_back();
  }
  request.sources = std::move(paths);
  add_bases(context, parsed, project, request);
  return request;
}

std::string destination_of(const PullRequest& request, const std::string& source,
                           const project::Project& project) {
  if (!request.destination.empty()) return request.destination;
  const bool is_absolute = source.starts_with('/') || source.starts_with("~/");
  if (is_absolute) return project.root.string() + "/";
  const bool is_contents = source.ends_with('/');
  const auto parent = std::filesystem::path(source).parent_path();
  return (project.root / (is_contents ? std::filesystem::path(source) : parent)).string() + "/";
}

// Where the source may be, on the host.
std::vector<std::string> candidates_of(const PullRequest& request, const std::string& source) {
  if (source.starts_with('/') || source.starts_with("~/")) return {source};
  std::vector<std::string> candidates;
  candidates.reserve(request.bases.size());
  for (const auto& base : request.bases) candidates.push_back(base + source);
  return candidates;
}

// What was found there, in as few words as tell it.
std::string name_of(const PullRequest& request, const std::string& source, const std::string& found) {
  const bool is_of_job = request.job && found == request.bases.front() + source;
  return ui::sanitise_line(is_of_job ? source + " of job " + std::to_string(*request.job) : found);
}

Error not_there(const PullRequest& request, const std::string& source) {
  const bool is_relative = !source.starts_with('/') && !source.starts_with("~/");
  return {ErrorKind::not_found, "no " + ui::sanitise_line(source) + " on " + request.place.label,
          is_relative ? "looked in " + join(request.bases, " and ") : std::string()};
}

}  // namespace

int run_pull(Context& context, const Parsed& parsed) {
  const auto request = read_request(context, parsed);
  const auto project = context.require_project();
  remote::TransferOptions options;
  if (parsed.has("dry-run")) options.preview = remote::Preview::yes;
  return context.run([&]() -> Async<int> {
    const auto host = co_await context.fleet().host(request.place);
    for (const auto& source : request.sources) {
      const auto candidates = candidates_of(request, source);
      const std::string destination = destination_of(request, source, project);
      const auto report = co_await remote::pull(*host, candidates, destination, options, context.progress());
      if (!report) throw not_there(request, source);
      report_transfer(context, report->transfer,
                      "pulled " + name_of(request, source, candidates[report->found]));
    }
    co_return 0;
  });
}

}  // namespace re::cli
