// nvidia-smi's CSV and its failures. The spellings are those of real drivers (tests/data/nvidia-smi).
#include <algorithm>
#include <array>

#include "re/base/strings.hpp"
#include "remote/probe_text.hpp"

namespace re::remote {

namespace {

using State = GpuReport::State;

// A value in brackets is a statement about the value: "[N/A]", "[GPU is lost]".
bool is_statement(std::string_view value) {
  return value == "N/A" || (value.starts_with('[') && value.ends_with(']'));
}

// Statements that condemn the card, not only the value.
std::string fault_of(std::string_view value) {
  for (const std::string_view fault : {"[GPU is lost]", "[GPU requires reset]", "[Unknown Error]"}) {
    if (value == fault) return std::string(fault.substr(1, fault.size() - 2));
  }
  return {};
}

// "1024", "1024 MiB", "37 %": the unit is there without `nounits`.
template <class Number>
std::optional<Number> number_of(std::string_view value) {
  return parse_number<Number>(value.substr(0, value.find(' ')));
}

std::string text_of(std::string_view value) {
  return is_statement(value) ? std::string() : std::string(value);
}

using Setter = void (*)(Gpu&, std::string_view);
struct Field {
  std::string_view name;
  Setter set;
};

constexpr std::array k_fields = {
    Field{"index", [](Gpu& gpu, std::string_view v) { gpu.index = number_of<unsigned>(v); }},
    Field{"name", [](Gpu& gpu, std::string_view v) { gpu.name = text_of(v); }},
    Field{"uuid", [](Gpu& gpu, std::string_view v) { gpu.uuid = text_of(v); }},
    Field{"memory.total",
          [](Gpu& gpu, std::string_view v) { gpu.memory_total_mib = number_of<std::uint64_t>(v); }},
    Field{"memory.used",
          [](Gpu& gpu, std::string_view v) { gpu.memory_used_mib = number_of<std::uint64_t>(v); }},
    Field{"memory.free",
          [](Gpu& gpu, std::string_view v) { gpu.memory_free_mib = number_of<std::uint64_t>(v); }},
    Field{"utilization.gpu",
          [](Gpu& gpu, std::string_view v) { gpu.utilization_percent = number_of<unsigned>(v); }},
    Field{"temperature.gpu",
          [](Gpu& gpu, std::string_view v) { gpu.temperature_celsius = number_of<int>(v); }},
    Field{"power.draw", [](Gpu& gpu, std::string_view v) { gpu.power_watt = number_of<double>(v); }},
    Field{"pci.bus_id", [](Gpu& gpu, std::string_view v) { gpu.bus_id = text_of(v); }},
};

// The values of a row: as many as there are columns, what is too many belongs to the name (it may hold
// commas, in quotes or not).
std::optional<std::vector<std::string>> cut_row(std::string_view line,
                                                const std::vector<std::string_view>& columns) {
  std::vector<std::string> values;
  for (const auto part : split(line, ',')) values.emplace_back(trim(part));
  if (values.size() < columns.size()) return std::nullopt;
  const auto name = std::find(columns.begin(), columns.end(), "name");
  const std::size_t extra = values.size() - columns.size();
  if (extra > 0 && name == columns.end()) return std::nullopt;
  if (extra > 0) {
    const auto first = values.begin() + (name - columns.begin());
    const auto last = first + static_cast<std::ptrdiff_t>(extra);
    for (auto part = first + 1; part <= last; ++part) *first += ", " + *part;
    values.erase(first + 1, last + 1);
  }
  for (auto& value : values) {
    if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"'))
      value = value.substr(1, value.size() - 2);
  }
  return values;
}

// A row is one when its index is a number, or when every value is a statement (a card that answers nothing).
std::optional<Gpu> parse_row(std::string_view line, const std::vector<std::string_view>& columns) {
  const auto values = cut_row(line, columns);
  if (!values) return std::nullopt;
  Gpu gpu;
  bool all_statements = true;
  for (std::size_t column = 0; column < columns.size(); ++column) {
    const std::string& value = values->at(column);
    all_statements = all_statements && is_statement(value);
    if (gpu.fault.empty()) gpu.fault = fault_of(value);
    for (const auto& field : k_fields) {
      if (field.name == columns[column]) field.set(gpu, value);
    }
  }
  if (!gpu.index && !all_statements) return std::nullopt;
  // One value that could not be read is no broken card.
  if (!all_statements && gpu.fault == "Unknown Error" && gpu.memory_used_mib) gpu.fault.clear();
  if (!gpu.memory_free_mib && gpu.memory_total_mib && gpu.memory_used_mib &&
      *gpu.memory_used_mib <= *gpu.memory_total_mib) {
    gpu.memory_free_mib = *gpu.memory_total_mib - *gpu.memory_used_mib;
  }
  return gpu;
}

// "Unable to determine the device handle for GPU0000:05:00.0: GPU is lost.  Reboot …" in place of a row;
// newer drivers say "GPU1: 0000:34:00.0: …", older ones "GPU 0000:05:00.0: …".
std::optional<Gpu> parse_lost(std::string_view line) {
  constexpr std::string_view k_begin = "Unable to determine the device handle for ";
  if (!line.starts_with(k_begin)) return std::nullopt;
  Gpu gpu;
  std::string_view rest = line.substr(k_begin.size());
  if (rest.starts_with("GPU")) rest.remove_prefix(3);
  rest = trim(rest);
  const auto named = rest.find(": ");
  if (named != std::string_view::npos && parse_number<unsigned>(rest.substr(0, named))) {
    gpu.index = parse_number<unsigned>(rest.substr(0, named));
    rest = trim(rest.substr(named + 1));
  }
  const auto end = rest.find(": ");
  gpu.bus_id = rest.substr(0, std::min(end, rest.size()));
  gpu.fault = end == std::string_view::npos ? "no device handle" : trim(rest.substr(end + 2));
  if (const auto stop = gpu.fault.find(".  "); stop != std::string::npos) gpu.fault.erase(stop);
  return gpu;
}

void take_rows(GpuReport& report, const SmiText& text) {
  const auto columns = split(text.fields, ',');
  bool was_lost = false;
  for (const auto line : split_lines(text.rows)) {
    if (auto lost = parse_lost(line)) {
      report.gpus.push_back(std::move(*lost));
      was_lost = true;
      continue;
    }
    auto gpu = parse_row(line, columns);
    if (!gpu) continue;
    // A row without any value may follow the line that said so already: it is the same card.
    const bool is_echo = was_lost && !gpu->index;
    was_lost = false;
    if (!is_echo) report.gpus.push_back(std::move(*gpu));
  }
}

std::string first_line(std::string_view text) {
  for (const auto line : split_lines(text)) {
    if (!trim(line).empty()) return std::string(trim(line));
  }
  return {};
}

// Why nothing was listed. The texts decide; exit codes differ between versions.
void take_failure(GpuReport& report, const SmiText& text) {
  report.reason = first_line(text.rows);
  const auto says = [&](std::string_view part) { return text.rows.find(part) != std::string::npos; };
  if (says("No devices were found")) {
    report.state = State::no_devices;
  } else if (says("couldn't communicate with the NVIDIA driver") || says("Failed to initialize NVML") ||
             says("NVIDIA-SMI has failed") || text.code == "9" || text.code == "12") {
    report.state = State::no_driver;
  } else {
    report.state = State::failed;
  }
  if (report.reason.empty()) report.reason = "nvidia-smi ended with code " + text.code + " and said nothing";
  while (report.reason.ends_with('.')) report.reason.pop_back();
}

// "GPU 0: NAME (UUID: GPU-…)" and below it "  MIG 3g.20gb     Device  0: (UUID: MIG-…)".
void take_list(GpuReport& report, std::string_view list) {
  constexpr std::string_view k_uuid = "(UUID: ";
  Gpu* card = nullptr;
  for (const auto line : split_lines(list)) {
    const auto at = line.find(k_uuid);
    if (at == std::string_view::npos) continue;
    const auto from = at + k_uuid.size();
    const std::string uuid(line.substr(from, std::min(line.find(')', from), line.size()) - from));
    const auto words = split_words(line);
    if (line.starts_with("GPU ")) {
      const auto found = std::find_if(report.gpus.begin(), report.gpus.end(),
                                      [&](const Gpu& gpu) { return gpu.uuid == uuid; });
      card = found == report.gpus.end() ? nullptr : &*found;
    } else if (card != nullptr && words.size() > 1 && words[0] == "MIG") {
      card->mig_devices.push_back({std::string(words[1]), uuid});
    }
  }
}

bool owns(const Gpu& gpu, std::string_view uuid) {
  return gpu.uuid == uuid || std::any_of(gpu.mig_devices.begin(), gpu.mig_devices.end(),
                                         [&](const MigDevice& mig) { return mig.uuid == uuid; });
}

void take_apps(GpuReport& report, const SmiText& text) {
  report.has_processes = text.app_code == "0";
  for (const auto line : split_lines(text.apps)) {
    const auto values = split(line, ',');
    if (values.size() != 3) continue;
    const auto pid = parse_number<std::int64_t>(trim(values[0]));
    if (!pid) continue;
    GpuProcess process;
    process.pid = *pid;
    process.memory_mib = number_of<std::uint64_t>(trim(values[2]));
    if (const auto owner = text.owners.find(*pid); owner != text.owners.end()) process.user = owner->second;
    for (auto& gpu : report.gpus) {
      if (owns(gpu, trim(values[1]))) gpu.processes.push_back(process);
    }
  }
}

}  // namespace

GpuReport parse_smi(const SmiText& text) {
  GpuReport report;
  if (text.code.empty()) return report;
  if (text.code == "hangs" || text.code == "held") {
    report.state = State::hung;
    report.reason = text.code == "held" ? "an earlier nvidia-smi still hangs" : "nvidia-smi does not answer";
    return report;
  }
  take_rows(report, text);
  if (report.gpus.empty()) {
    take_failure(report, text);
    return report;
  }
  report.state = State::ok;
  take_list(report, text.list);
  take_apps(report, text);
  return report;
}

}  // namespace re::remote
