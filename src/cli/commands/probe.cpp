#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>

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

using remote::GpuReport;

// One or the other, or neither as long as the host is being asked.
struct Probed {
  std::string label;
  std::optional<remote::HostFacts> facts;
  std::optional<Error> error;
};

template <class T>
std::string or_dash(const std::optional<T>& value) {
  return value ? std::to_string(*value) : "-";
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
    table.add_row({{host.label},
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
      table.add_row({{host.label}, {"-"}, {reason, ui::Style::dim}, {"-"}, {"-"}, {"-"}, {"-"}, {"-"}});
      continue;
    }
    for (const auto& gpu : host.facts->gpus.gpus) {
      const bool is_faulty = !gpu.fault.empty();
      table.add_row({{host.label},
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

void write(JsonWriter& json, const remote::Gpu& gpu) {
  json.begin_object();
  json.member("fault", gpu.fault);
  json.member("index", gpu.index);
  json.member("memory_free_mib", gpu.memory_free_mib);
  json.member("memory_total_mib", gpu.memory_total_mib);
  json.member("memory_used_mib", gpu.memory_used_mib);
  json.key("mig_devices");
  json.begin_array();
  for (const auto& device : gpu.mig_devices) {
    json.begin_object();
    json.member("profile", device.profile);
    json.member("uuid", device.uuid);
    json.end_object();
  }
  json.end_array();
  json.member("name", gpu.name);
  json.member("power_watt", gpu.power_watt);
  json.key("processes");
  json.begin_array();
  for (const auto& process : gpu.processes) {
    json.begin_object();
    json.member("memory_mib", process.memory_mib);
    json.member("pid", process.pid);
    json.member("user", process.user);
    json.end_object();
  }
  json.end_array();
  json.member("temperature_celsius", gpu.temperature_celsius);
  json.member("utilization_percent", gpu.utilization_percent);
  json.member("uuid", gpu.uuid);
  json.end_object();
}

void write_machine(JsonWriter& json, const remote::HostFacts& facts) {
  json.member("clock_skew_seconds", facts.skew_seconds);
  json.member("cpus", facts.cpus);
  json.member("disk_available_mib", free_disk(facts));
  json.member("gpu_reason", facts.gpus.reason);
  json.member("gpu_state", remote::to_string(facts.gpus.state));
  json.key("gpus");
  json.begin_array();
  for (const auto& gpu : facts.gpus.gpus) write(json, gpu);
  json.end_array();
  json.member("hostname", facts.hostname);
}

void write_load(JsonWriter& json, const remote::HostFacts& facts) {
  json.member("kernel", facts.kernel);
  json.key("load");
  json.begin_array();
  for (const auto& load : {facts.load_1, facts.load_5, facts.load_15}) json.value(load);
  json.end_array();
  json.member("memory_available_mib", facts.memory_available_mib);
  json.member("memory_total_mib", facts.memory_total_mib);
}

void write(JsonWriter& json, const Probed& host) {
  json.begin_object();
  if (host.facts) write_machine(json, *host.facts);
  if (host.error) json.member("error", std::string_view(host.error->what()));
  json.member("instance", host.label);
  if (host.facts) write_load(json, *host.facts);
  json.member("status", status_of(host));
  if (host.facts) {
    json.key("tools");
    json.begin_object();
    for (const auto& [name, path] : host.facts->tools) json.member(name, path);
    json.end_object();
  }
  json.end_object();
}

void print_json(ui::Console& console, const std::vector<Probed>& hosts) {
  constexpr std::size_t k_piece = std::size_t{16} << 10U;
  std::string text;
  JsonWriter json(text);
  json.begin_array();
  for (const auto& host : hosts) {
    write(json, host);
    if (text.size() < k_piece) continue;
    console.out(text);
    text.clear();
  }
  json.end_array();
  console.out(text);
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
  for (const auto& place : places) hosts.push_back({place.label, {}, {}});
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
      context.console().err("re: " + host.label + ": " + ui::sanitise_line(host.facts->gpus.reason) + "\n");
    }
  }
}

}  // namespace

int run_probe(Context& context, const Parsed& parsed) {
  const auto hosts = probe_all(context, parsed);
  if (context.is_json()) {
    print_json(context.console(), hosts);
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
