#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands/all.hpp"
#include "cli/context.hpp"
#include "cli/json.hpp"
#include "re/transport/master.hpp"
#include "re/ui/table.hpp"

namespace re::cli {

namespace {

using transport::MasterStatus;

nlohmann::json to_json(const std::optional<MasterStatus>& status) {
  nlohmann::json json = {{"pid", nullptr}, {"connections", nlohmann::json::array()}};
  if (!status) return json;
  json["pid"] = status->pid;
  for (const auto& connection : status->connections) {
    json["connections"].push_back({{"destination", connection.destination},
                                   {"transport", connection.transport},
                                   {"channels", connection.channels}});
  }
  return json;
}

std::string render(const MasterStatus& status, ui::Colour colour) {
  std::string text = "connection master, pid " + std::to_string(status.pid) + "\n";
  if (status.connections.empty()) return text;
  ui::Table table({{"Destination"}, {"Transport"}, {"Channels", ui::Align::right}});
  for (const auto& connection : status.connections) {
    table.add_row({{connection.destination}, {connection.transport}, {std::to_string(connection.channels)}});
  }
  ui::TableFormat format;
  format.colour = colour;
  return text + table.render(format);
}

int show_status(Context& context) {
  std::optional<MasterStatus> status;
  const int code = context.run([&]() -> Async<int> {
    status = co_await transport::ask_master(context.paths().runtime);
    co_return status ? 0 : 1;
  });
  if (context.is_json()) {
    context.console().out(to_text(to_json(status)));
  } else {
    context.console().out(status ? render(*status, context.colour()) : "no connection master runs\n");
  }
  return code;
}

int stop(Context& context) {
  bool was_there = false;
  context.run([&]() -> Async<int> {
    was_there = co_await transport::stop_master(context.paths().runtime);
    co_return 0;
  });
  if (context.is_json()) {
    context.console().out(to_text({{"stopped", was_there}}));
  } else if (context.mode() == OutputMode::human) {
    context.console().out(was_there ? "the connection master ends\n" : "no connection master runs\n");
  }
  return 0;
}

}  // namespace

int run_master(Context& context, const Parsed& parsed) {
  const std::string what = parsed.arguments.empty() ? "status" : parsed.arguments.front();
  if (what == "status") return show_status(context);
  if (what == "stop") return stop(context);
  throw Error(ErrorKind::usage, "re master takes status or stop, not " + what, "see re master --help");
}

}  // namespace re::cli
