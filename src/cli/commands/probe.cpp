#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands/all.hpp"
#include "cli/exit_code.hpp"
#include "cli/files.hpp"
#include "cli/json.hpp"
#include "cli/live.hpp"
#include "re/remote/probe.hpp"
#include "re/ui/table.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

using nlohmann::json;
using remote::GpuReport;

// One or the other, or neither as long as the host is being asked.
struct Probed {
  engine::Place place;
  std::optional<remote::HostFacts> facts;
  std::optional<Error> error;
};

template <class T>
std::string or_dash(const std::optional<T>& value) {
  return value ? std::to_string(*value) : "-";
}

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

std::string status_of(const Probed& probed) {
  if (probed.facts) {
    const auto state = probed.facts->gpus.state;
    const bool is_well = state == GpuReport::State::ok || state == GpuReport::State::absent;
    return is_well ? "active" : "active, GPU " + std::string(remote::to_string(state));
  }
  if (!probed.error) return "asking";
  switch (probed.error->kind()) {
    case ErrorKind::auth:
      return "auth failed";
    case ErrorKind::host_key:
      return "host key refused";
    case ErrorKind::unreachable:
    case ErrorKind::timeout:
      return "unreachable";
    default:
      return "failed";
  }
}

ui::Style style_of(const std::string& status) {
  if (status == "active") return ui::Style::good;
  if (status == "asking") return ui::Style::dim;
  return status.starts_with("active") ? ui::Style::warning : ui::Style::bad;
}

// The free memory of all cards that say it; recompute.py's column, which could hold one card only.
std::optional<std::uint64_t> free_gpu_memory(const remote::HostFacts& facts) {
  std::optional<std::uint64_t> sum;
  for (const auto& gpu : facts.gpus.gpus) {
    if (gpu.memory_free_mib) sum = sum.value_or(0) + *gpu.memory_free_mib;
  }
  return sum;
}

std::optional<std::uint64_t> free_disk(const remote::HostFacts& facts) {
  return facts.disk ? std::optional(facts.disk->available_mib) : std::nullopt;
}

std::string load_text(const remote::HostFacts& facts) {
  if (!facts.load_1) return "-";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f/%u", *facts.load_1, facts.cpus.value_or(0));
  return text.data();
}

std::string users_of(const remote::Gpu& gpu) {
  std::vector<std::string> users;
  for (const auto& process : gpu.processes) {
    const std::string user = process.user.value_or("?");
    if (std::find(users.begin(), users.end(), user) == users.end()) users.push_back(user);
  }
  return users.empty() ? "-" : join(users, ",");
}

ui::Table machine_table(const std::vector<Probed>& hosts) {
  ui::Table table({{"Machine", ui::Align::left, 12, {}, 9},
                   {"Status", ui::Align::centre, 6, {}, 8},
                   {"GPU (MB)", ui::Align::centre, 8, {}, 7},
                   {"Disk (MB)", ui::Align::centre, 9, {}, 6},
                   {"RAM (MB)", ui::Align::centre, 8, {}, 5},
                   {"Load", ui::Align::centre, 6, {}, 4}});
  for (const auto& host : hosts) {
    const std::string status = status_of(host);
    const remote::HostFacts none;
    const auto& facts = host.facts ? *host.facts : none;
    table.add_row({{host.place.label},
                   {status, style_of(status)},
                   {or_dash(free_gpu_memory(facts))},
                   {or_dash(free_disk(facts))},
                   {or_dash(facts.memory_available_mib)},
                   {load_text(facts)}});
  }
  return table;
}

ui::Table gpu_table(const std::vector<Probed>& hosts) {
  ui::Table table({{"Machine", ui::Align::left, 8, {}, 8},
                   {"GPU", ui::Align::right, 3, {}, 9},
                   {"Name", ui::Align::left, 8, 28, 1},
                   {"Free MB", ui::Align::right, 7, {}, 7},
                   {"Total MB", ui::Align::right, 8, {}, 6},
                   {"Util %", ui::Align::right, 6, {}, 5},
                   {"Temp", ui::Align::right, 4, {}, 4},
                   {"Users", ui::Align::left, 5, 20, 3}});
  for (const auto& host : hosts) {
    if (!host.facts || host.facts->gpus.gpus.empty()) {
      const std::string reason =
          host.facts ? std::string(remote::to_string(host.facts->gpus.state)) : status_of(host);
      table.add_row({{host.place.label}, {"-"}, {reason, ui::Style::dim}, {"-"}, {"-"}, {"-"}, {"-"}, {"-"}});
      continue;
    }
    for (const auto& gpu : host.facts->gpus.gpus) {
      const bool is_faulty = !gpu.fault.empty();
      table.add_row({{host.place.label},
                     {or_dash(gpu.index)},
                     {is_faulty ? gpu.fault : gpu.name, is_faulty ? ui::Style::bad : ui::Style::plain},
                     {or_dash(gpu.memory_free_mib)},
                     {or_dash(gpu.memory_total_mib)},
                     {or_dash(gpu.utilization_percent)},
                     {or_dash(gpu.temperature_celsius)},
                     {host.facts->gpus.has_processes ? users_of(gpu) : "?"}});
    }
  }
  return table;
}

json to_json(const remote::Gpu& gpu) {
  json processes = json::array();
  for (const auto& process : gpu.processes) {
    processes.push_back(
        {{"pid", process.pid}, {"user", or_null(process.user)}, {"memory_mib", or_null(process.memory_mib)}});
  }
  json mig = json::array();
  for (const auto& device : gpu.mig_devices)
    mig.push_back({{"profile", device.profile}, {"uuid", device.uuid}});
  return {{"index", or_null(gpu.index)},
          {"name", gpu.name},
          {"uuid", gpu.uuid},
          {"memory_total_mib", or_null(gpu.memory_total_mib)},
          {"memory_used_mib", or_null(gpu.memory_used_mib)},
          {"memory_free_mib", or_null(gpu.memory_free_mib)},
          {"utilization_percent", or_null(gpu.utilization_percent)},
          {"temperature_celsius", or_null(gpu.temperature_celsius)},
          {"power_watt", or_null(gpu.power_watt)},
          {"fault", gpu.fault},
          {"mig_devices", mig},
          {"processes", processes}};
}

json to_json(const Probed& host) {
  json entry = {{"instance", host.place.label}, {"status", status_of(host)}};
  if (host.error) entry["error"] = host.error->what();
  if (!host.facts) return entry;
  const auto& facts = *host.facts;
  entry["hostname"] = facts.hostname;
  entry["kernel"] = facts.kernel;
  entry["cpus"] = or_null(facts.cpus);
  entry["load"] = {or_null(facts.load_1), or_null(facts.load_5), or_null(facts.load_15)};
  entry["memory_total_mib"] = or_null(facts.memory_total_mib);
  entry["memory_available_mib"] = or_null(facts.memory_available_mib);
  entry["disk_available_mib"] = or_null(free_disk(facts));
  entry["clock_skew_seconds"] = or_null(facts.skew_seconds);
  entry["tools"] = facts.tools;
  entry["gpu_state"] = remote::to_string(facts.gpus.state);
  entry["gpu_reason"] = facts.gpus.reason;
  entry["gpus"] = json::array();
  for (const auto& gpu : facts.gpus.gpus) entry["gpus"].push_back(to_json(gpu));
  return entry;
}

std::string render(Context& context, const Parsed& parsed, const std::vector<Probed>& hosts) {
  ui::TableFormat format;
  format.colour = context.colour();
  format.style = parsed.has("gpus") ? ui::TableStyle::plain : ui::TableStyle::seed;
  if (context.console().out_sink() == ui::Sink::terminal) format.width = context.console().columns();
  return (parsed.has("gpus") ? gpu_table(hosts) : machine_table(hosts)).render(format);
}

LiveText live_text(Context& context, const Parsed& parsed, const std::vector<Probed>& hosts) {
  const auto count = [&](const auto& what) {
    return static_cast<std::size_t>(std::count_if(hosts.begin(), hosts.end(), what));
  };
  const auto failed = count([](const Probed& host) { return host.error.has_value(); });
  const auto answered = count([](const Probed& host) { return host.facts.has_value(); });
  return {render(context, parsed, hosts), answered_of(answered + failed, failed, hosts.size())};
}

std::vector<Probed> probe_all(Context& context, const Parsed& parsed) {
  std::vector<engine::Place> places = parsed.has("instance") || parsed.has("instance-idx")
                                          ? context.places(parsed)
                                          : context.all_places(parsed);
  std::vector<Probed> hosts;
  hosts.reserve(places.size());
  for (const auto& place : places) hosts.push_back({place, {}, {}});
  const auto deadline = context.deadline(parsed);
  context.run([&]() -> Async<int> {
    context.progress().step("probing " + std::to_string(places.size()) +
                            (places.size() == 1 ? " machine" : " machines"));
    std::optional<Live> live;
    if (places.size() > 1) live.emplace(context, [&] { return live_text(context, parsed, hosts); });
    engine::OnEach each;
    each.deadline = deadline;
    each.work = [&](std::size_t i, remote::Host& host) -> Async<void> {
      remote::ProbeRequest request;
      request.directory = context.project() ? remote_project(context, places[i], *context.project()).directory
                                            : places[i].remote_home;
      request.deadline = deadline;
      hosts[i].facts = co_await remote::probe(host, std::move(request));
    };
    each.settled = [&](std::size_t i, const std::optional<Error>& failure) {
      hosts[i].error = failure;
      if (live) live->changed();
    };
    co_await engine::on_each(context.fleet(), places, std::move(each));
    co_return 0;
  });
  return hosts;
}

void note_reasons(Context& context, const std::vector<Probed>& hosts) {
  for (const auto& host : hosts) {
    if (host.error) context.console().err("re: " + ui::sanitise_line(host.error->what()) + "\n");
    if (host.facts && !host.facts->gpus.reason.empty()) {
      context.console().err("re: " + host.place.label + ": " + ui::sanitise_line(host.facts->gpus.reason) +
                            "\n");
    }
  }
}

}  // namespace

int run_probe(Context& context, const Parsed& parsed) {
  const auto hosts = probe_all(context, parsed);
  if (context.is_json()) {
    json list = json::array();
    for (const auto& host : hosts) list.push_back(to_json(host));
    context.console().out(to_text(list));
    return 0;
  }
  context.console().out(render(context, parsed, hosts));
  note_reasons(context, hosts);
  for (const auto& host : hosts) {
    if (host.error && hosts.size() == 1) return static_cast<int>(exit_code_for(host.error->kind()));
  }
  return 0;
}

}  // namespace re::cli
