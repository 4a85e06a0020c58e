#include "cli/attached_job.hpp"
#include "cli/commands/all.hpp"
#include "cli/sync_with_many.hpp"
#include "cli/terminal_job.hpp"

namespace re::cli {

int run_sync(Context& context, const Parsed& parsed) {
  if (parsed.has("tty")) return run_terminal_job(context, parsed);
  auto submission = read_submission(context, parsed, model::Streams::split);
  if (submission.places.size() > 1) return sync_with_many(context, parsed, std::move(submission));
  return run_attached(context, submission);
}

}  // namespace re::cli
