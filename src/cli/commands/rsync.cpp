#include <boost/asio/awaitable.hpp>

#include "cli/commands/all.hpp"
#include "cli/files.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

int run_rsync(Context& context, const Parsed& parsed) {
  auto files = project_files(context, project_with_id(context));
  const auto state = files.read(trust(parsed));
  const auto place = context.place(parsed);
  const auto remote = remote_project(context, place, files.project());
  const auto preview = parsed.has("dry-run") ? remote::Preview::yes : remote::Preview::no;
  const engine::BringOptions options{preview,
                                     parsed.has("force") ? remote::Compare::content : remote::Compare::times};
  const auto gone = parsed.has("delete") ? files.gone(state, remote) : std::vector<std::string>();
  for (const auto& path : gone) context.console().out("delete " + ui::sanitise_line(path) + "\n");
  const bool may_delete = !gone.empty() && preview == remote::Preview::no;
  if (may_delete && !parsed.has("yes") &&
      !context.prompter().confirm("Delete these files on " + place.label)) {
    throw Error(ErrorKind::usage, "nothing was deleted or copied", "--yes deletes without asking");
  }
  return context.run([&]() -> Async<int> {
    const auto host = co_await context.fleet().host(place);
    const auto report = co_await files.bring(*host, state, remote, options);
    if (may_delete) co_await files.remove(*host, gone, remote);
    report_transfer(context, report, preview == remote::Preview::yes ? "would copy" : "copied");
    co_return 0;
  });
}

}  // namespace re::cli
