#include "remote/probe_text.hpp"

#include <array>

#include "re/base/strings.hpp"

namespace re::remote {

namespace {

constexpr std::uint64_t k_kib_per_mib = 1024;

std::optional<std::uint64_t> mib_of(std::string_view kib) {
  const auto value = parse_number<std::uint64_t>(kib);
  if (!value) return std::nullopt;
  return *value / k_kib_per_mib;
}

void take_load(HostFacts& facts, std::string_view value) {
  const auto words = split_words(value);
  if (words.size() < 3) return;
  facts.load_1 = parse_number<double>(words[0]);
  facts.load_5 = parse_number<double>(words[1]);
  facts.load_15 = parse_number<double>(words[2]);
}

DiskFacts& disk_of(HostFacts& facts) {
  if (!facts.disk) facts.disk.emplace();
  return *facts.disk;
}

// The last line of `df -Pk`: "SOURCE TOTAL USED AVAILABLE PERCENT% PLACE". Source and place may hold blanks,
// so the four in the middle are looked for.
void take_disk(HostFacts& facts, std::string_view value) {
  const auto words = split_words(value);
  for (std::size_t at = 0; at + 3 < words.size(); ++at) {
    const auto total = mib_of(words[at]);
    const auto available = mib_of(words[at + 2]);
    if (!total || !mib_of(words[at + 1]) || !available || !words[at + 3].ends_with('%')) continue;
    disk_of(facts).total_mib = *total;
    disk_of(facts).available_mib = *available;
    return;
  }
}

// Of `stat -f`: "BLOCK_SIZE BLOCKS AVAILABLE TYPE".
void take_blocks(HostFacts& facts, std::string_view value) {
  constexpr std::uint64_t k_mib = 1024 * k_kib_per_mib;
  const auto words = split_words(value);
  if (words.size() < 4) return;
  const auto size = parse_number<std::uint64_t>(words[0]);
  const auto total = parse_number<std::uint64_t>(words[1]);
  const auto available = parse_number<std::uint64_t>(words[2]);
  if (!size || !total || !available) return;
  DiskFacts& disk = disk_of(facts);
  disk.total_mib = *total * *size / k_mib;
  disk.available_mib = *available * *size / k_mib;
  disk.type = value.substr(static_cast<std::size_t>(words[3].data() - value.data()));
}

void take_tool(HostFacts& facts, std::string_view value) {
  const auto blank = value.find(' ');
  if (blank == std::string_view::npos) return;
  facts.tools[std::string(value.substr(0, blank))] = value.substr(blank + 1);
}

void take_owner(SmiText& smi, std::string_view value) {
  const auto words = split_words(value);
  if (words.size() != 2) return;
  if (const auto pid = parse_number<std::int64_t>(words[0])) smi.owners[*pid] = words[1];
}

struct Reading {
  HostFacts facts;
  SmiText smi;
};

void append_line(std::string& text, std::string_view line) {
  text += line;
  text += '\n';
}

using Taker = void (*)(Reading&, std::string_view);
struct Key {
  std::string_view name;
  Taker take;
};

constexpr std::array k_keys = {
    Key{"hostname", [](Reading& r, std::string_view v) { r.facts.hostname = v; }},
    Key{"kernel", [](Reading& r, std::string_view v) { r.facts.kernel = v; }},
    Key{"boot_id", [](Reading& r, std::string_view v) { r.facts.boot_id = v; }},
    Key{"clock", [](Reading& r, std::string_view v) { r.facts.clock_epoch = parse_number<std::int64_t>(v); }},
    Key{"cpus", [](Reading& r, std::string_view v) { r.facts.cpus = parse_number<unsigned>(v); }},
    Key{"uptime", [](Reading& r, std::string_view v) { r.facts.uptime_seconds = parse_number<double>(v); }},
    Key{"load", [](Reading& r, std::string_view v) { take_load(r.facts, v); }},
    Key{"memory_total_kib", [](Reading& r, std::string_view v) { r.facts.memory_total_mib = mib_of(v); }},
    Key{"memory_available_kib",
        [](Reading& r, std::string_view v) { r.facts.memory_available_mib = mib_of(v); }},
    Key{"tool", [](Reading& r, std::string_view v) { take_tool(r.facts, v); }},
    Key{"disk", [](Reading& r, std::string_view v) { take_disk(r.facts, v); }},
    Key{"disk_place", [](Reading& r, std::string_view v) { disk_of(r.facts).place = v; }},
    Key{"disk_blocks", [](Reading& r, std::string_view v) { take_blocks(r.facts, v); }},
    Key{"disk_hangs",
        [](Reading& r, std::string_view v) { r.facts.disk_fault = std::string(v) + " does not answer"; }},
    Key{"smi_code", [](Reading& r, std::string_view v) { r.smi.code = v; }},
    Key{"smi_fields", [](Reading& r, std::string_view v) { r.smi.fields = v; }},
    Key{"smi", [](Reading& r, std::string_view v) { append_line(r.smi.rows, v); }},
    Key{"list", [](Reading& r, std::string_view v) { append_line(r.smi.list, v); }},
    Key{"app_code", [](Reading& r, std::string_view v) { r.smi.app_code = v; }},
    Key{"app", [](Reading& r, std::string_view v) { append_line(r.smi.apps, v); }},
    Key{"owner", [](Reading& r, std::string_view v) { take_owner(r.smi, v); }},
};

}  // namespace

HostFacts parse_host_facts(std::string_view text) {
  Reading reading;
  for (const auto line : split_lines(text)) {
    const auto blank = line.find(' ');
    if (blank == std::string_view::npos) continue;
    for (const auto& key : k_keys) {
      if (key.name == line.substr(0, blank)) key.take(reading, line.substr(blank + 1));
    }
  }
  // A place without figures (df failed) is no disk.
  if (reading.facts.disk && reading.facts.disk->total_mib == 0) reading.facts.disk.reset();
  reading.facts.gpus = parse_smi(reading.smi);
  return std::move(reading.facts);
}

std::string_view to_string(GpuReport::State state) {
  switch (state) {
    case GpuReport::State::absent:
      return "absent";
    case GpuReport::State::ok:
      return "ok";
    case GpuReport::State::no_driver:
      return "no driver";
    case GpuReport::State::no_devices:
      return "no devices";
    case GpuReport::State::hung:
      return "hung";
    case GpuReport::State::failed:
      return "failed";
  }
  return "failed";
}

}  // namespace re::remote
