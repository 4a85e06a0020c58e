#include <boost/asio/awaitable.hpp>

#include "cli/attached_job.hpp"
#include "cli/commands/all.hpp"
#include "cli/detached_job.hpp"
#include "re/engine/download.hpp"
#include "re/jobs/snapshot.hpp"

namespace re::cli {

namespace {

constexpr std::chrono::minutes k_prepare_limit{1};

// "url1 url2" as one word and --urls "url1,url2" are recompute.py's; a comma may also be a part of a URL.
std::vector<engine::Download> read_downloads(const Parsed& parsed) {
  std::string text = parsed.text("urls").value_or("");
  for (std::size_t at = text.find(','); at != std::string::npos; at = text.find(',', at + 1)) {
    const auto next = std::string_view(text).substr(at + 1);
    if (next.starts_with("http") || next.starts_with("ftp") || next.starts_with(' ')) text[at] = ' ';
  }
  for (const auto& argument : parsed.arguments) text += " " + argument;
  std::vector<engine::Download> downloads;
  for (const auto url : split_words(text)) downloads.push_back(engine::parse_download(url));
  if (downloads.empty()) throw Error(ErrorKind::usage, "nothing to download", "re data URL...");
  return downloads;
}

}  // namespace

int run_data(Context& context, const Parsed& parsed) {
  const auto downloads = read_downloads(parsed);
  const bool is_async = parsed.has("run-async");
  const auto streams = is_async ? model::Streams::merged : model::Streams::split;
  auto submission = begin_submission(context, parsed, streams, {context.place(parsed)});
  submission.spec.name = "data";
  submission.source = engine::Source::last_snapshot;  // the project's own files are not needed
  const auto existing = parsed.has("force") ? engine::Existing::replace : engine::Existing::keep;
  engine::set_download(submission.spec, downloads, existing);
  context.run([&]() -> Async<int> {
    const auto host = co_await context.fleet().host(submission.places.front());
    const auto& remote = submission.remotes.front();
    jobs::ProjectPlace place{remote.directory, submission.project.id, remote.shared};
    co_await jobs::prepare_project(*host, std::move(place), k_prepare_limit);
    co_return 0;
  });
  return is_async ? start_detached(context, submission) : run_attached(context, submission);
}

}  // namespace re::cli
