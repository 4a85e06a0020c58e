#include <boost/asio/awaitable.hpp>

#include "cli/commands/all.hpp"
#include "cli/files.hpp"

namespace re::cli {

int run_push(Context& context, const Parsed& parsed) {
  auto paths = path_arguments(parsed, Side::local);
  if (paths.empty()) throw Error(ErrorKind::usage, "nothing to push", "re push FILE... [DIRECTORY]");
  const auto project = project_with_id(context);
  const auto place = context.place(parsed);
  const auto remote = remote_project(context, place, project);
  std::string destination = "data/";  // recompute.py's default place
  if (paths.size() > 1) {
    destination = paths.back();
    paths.pop_back();
  }
  const bool is_absolute = destination.starts_with('/') || destination.starts_with("~/");
  if (!is_absolute) destination = remote.directory + "/" + destination;
  remote::TransferOptions options;
  if (parsed.has("dry-run")) options.preview = remote::Preview::yes;
  return context.run([&]() -> Async<int> {
    const auto host = co_await context.fleet().host(place);
    const auto report = co_await remote::push(*host, paths, destination, options, context.progress());
    report_transfer(context, report, "pushed");
    co_return 0;
  });
}

}  // namespace re::cli
