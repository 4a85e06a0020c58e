#include "re/engine/forward.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands/all.hpp"
#include "cli/jobs.hpp"
#include "cli/json.hpp"
#include "re/base/strings.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

using nlohmann::json;

bool is_instance_name(Context& context, const std::string& word) {
  if (word == "local" || word.find('@') != std::string::npos) return true;
  const auto& instances = context.settings().instances;
  return std::any_of(instances.begin(), instances.end(),
                     [&](const auto& instance) { return instance.name.value == word; });
}

bool is_instance_index(Context& context, const std::string& word) {
  const auto& instances = context.settings().instances;
  return std::any_of(instances.begin(), instances.end(), [&](const auto& instance) {
    return instance.index && std::to_string(*instance.index) == word;
  });
}

// The job that the registry knows here, without asking any host.
std::optional<jobs::RegistryRecord> known_job(Context& context, const std::string& word) {
  try {
    return context.registry().find(project_id(context).value_or(""), word, jobs::SameName::newest);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::usage) throw;
    return std::nullopt;
  }
}

// Where a job runs, or an instance. A name of an instance wins, and a number is a job's if there is one.
engine::Place place_named(Context& context, const Parsed& parsed, const std::string& word) {
  if (is_instance_name(context, word)) return context.place_of(word, parsed);
  if (const auto job = known_job(context, word)) return context.place_of(job->instance, parsed);
  if (is_instance_index(context, word)) return context.place_of(word, parsed);
  return context.place_of(find_job(context, parsed, word).instance, parsed);
}

struct Listening {
  engine::ForwardSpec spec;
  unsigned short port = 0;
  [[nodiscard]] std::string address() const { return spec.bind.empty() ? "127.0.0.1" : spec.bind; }
};

void report(Context& context, const engine::Place& place, const std::vector<Listening>& ports) {
  context.console().clear_status();
  if (context.is_json()) {
    json entries = json::array();
    for (const auto& port : ports) {
      entries.push_back({{"instance", place.label},
                         {"bind", port.address()},
                         {"local_port", port.port},
                         {"host", port.spec.host},
                         {"remote_port", port.spec.remote_port}});
    }
    context.console().out(to_text(entries));
    return;
  }
  for (const auto& port : ports) {
    std::string line = engine::address_text(port.address(), port.port);
    if (context.mode() == OutputMode::human) {
      line += " leads to " + engine::address_text(port.spec.host, port.spec.remote_port) + " on " +
              ui::sanitise_line(place.label);
    }
    context.console().out(line + "\n");
  }
}

}  // namespace

int run_forward(Context& context, const Parsed& parsed) {
  std::vector<std::string> words = parsed.arguments;
  const bool has_option = parsed.has("instance") || parsed.has("instance-idx");
  if (words.size() < (has_option ? 1U : 2U))
    throw Error(ErrorKind::usage, "no port to forward", "re forward JOB|INSTANCE [LPORT:[HOST:]]RPORT");
  std::vector<Listening> ports;
  for (std::size_t i = has_option ? 0 : 1; i < words.size(); ++i)
    ports.push_back({engine::parse_forward(words[i]).value(), 0});
  const auto place = has_option ? context.place(parsed) : place_named(context, parsed, words.front());
  engine::Forwarder forwarder(context.fleet(), place, context.progress());
  for (auto& port : ports) port.port = forwarder.listen(context.io(), port.spec);
  return context.run([&]() -> Async<int> {
    context.progress().step("connecting to " + place.label);
    std::function<void()> connected = [&] { report(context, place, ports); };
    co_await forwarder.serve(std::move(connected));
    co_return 0;
  });
}

}  // namespace re::cli
