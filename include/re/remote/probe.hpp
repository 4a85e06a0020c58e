// What a host is and how busy it is, in one round trip.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "re/remote/host.hpp"

namespace re::remote {

/// A process that computes on a GPU.
struct GpuProcess {
  std::int64_t pid = 0;
  std::optional<std::string> user;  ///< unknown for a process of another pid namespace (a container)
  std::optional<std::uint64_t> memory_mib;
};

/// A slice of a GPU that is a device of its own (Multi-Instance GPU).
struct MigDevice {
  std::string profile;  ///< "3g.20gb"
  std::string uuid;     ///< "MIG-…"
};

/// One card. What it does not tell (N/A, not supported, no permission) is unset.
struct Gpu {
  std::optional<unsigned> index;  ///< nvidia-smi's, in PCI order
  std::string name;
  std::string uuid;
  std::string bus_id;
  std::optional<std::uint64_t> memory_total_mib;  ///< unset too where memory is the system's (GB10, Jetson)
  std::optional<std::uint64_t> memory_used_mib;
  std::optional<std::uint64_t> memory_free_mib;
  std::optional<unsigned> utilization_percent;
  std::optional<int> temperature_celsius;
  std::optional<double> power_watt;
  std::string fault;  ///< why it cannot be used ("GPU is lost"); empty for a card that works
  std::vector<MigDevice> mig_devices;
  std::vector<GpuProcess> processes;
};

struct GpuReport {
  enum class State {
    absent,      ///< no nvidia-smi
    ok,          ///< it answered; single cards may have a fault
    no_driver,   ///< it cannot talk to its driver
    no_devices,  ///< a driver, but no card
    hung,        ///< it, or an earlier one on this host, does not end
    failed,      ///< anything else
  };
  State state = State::absent;
  std::string reason;  ///< why not ok, in nvidia-smi's words where it had any; one line
  std::vector<Gpu> gpus;
  /// Whether `processes` of the cards are all there are: asked for, and answered.
  bool has_processes = false;
};
/// "absent", "ok", "no driver", "no devices", "hung", "failed".
std::string_view to_string(GpuReport::State state);

/// The file system where the project lives or would live.
struct DiskFacts {
  std::string place;  ///< the nearest directory that exists
  std::string type;   ///< "ext2/ext3", "nfs", …; empty where the host cannot say
  std::uint64_t total_mib = 0;
  std::uint64_t available_mib = 0;  ///< to an ordinary user
};

/// What could not be learnt is unset or empty.
struct HostFacts {
  std::string hostname;
  std::string kernel;  ///< "Linux 6.1.0 x86_64"
  std::string boot_id;
  std::optional<double> uptime_seconds;
  std::optional<unsigned> cpus;
  std::optional<double> load_1;
  std::optional<double> load_5;
  std::optional<double> load_15;
  std::optional<std::uint64_t> memory_total_mib;
  std::optional<std::uint64_t> memory_available_mib;
  std::optional<DiskFacts> disk;
  std::string disk_fault;                    ///< why there is no disk: "… does not answer"
  std::optional<std::int64_t> clock_epoch;   ///< the host's clock, seconds since 1970
  std::optional<std::int64_t> skew_seconds;  ///< the host's clock less ours, to about a second
  std::map<std::string, std::string> tools;  ///< rsync, python3, tmux, docker, flock, … that exist -> path
  GpuReport gpus;
};

enum class GpuProcesses { skip, ask };

struct ProbeRequest {
  std::string directory;  ///< of the project; relative to the home directory, "~/x" too
  std::chrono::milliseconds deadline{15000};
  GpuProcesses gpu_processes = GpuProcesses::ask;
  std::string proc = "/proc";  ///< for tests
};

/// One call. A hung nvidia-smi costs a third of the deadline, and all else is reported; it holds
/// ~/.re/probe.lock, so that no second one is started on a host. Throws Error as Host::run does.
Async<HostFacts> probe(Host& host, ProbeRequest request);

}  // namespace re::remote
