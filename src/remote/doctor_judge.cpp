// What the facts of scripts/doctor.sh mean: for any text.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "re/base/strings.hpp"
#include "re/base/units.hpp"
#include "re/remote/doctor.hpp"
#include "remote/rsync_output.hpp"

namespace re::remote {

namespace {

using State = Finding::State;

// Below these a job's first outputs may not fit.
constexpr std::uint64_t k_few_bytes = std::uint64_t{2} << 30U;
constexpr std::uint64_t k_no_bytes = std::uint64_t{64} << 20U;
constexpr std::uint64_t k_few_inodes = 10'000;
constexpr std::uint64_t k_no_inodes = 100;
constexpr double k_most_skew = 2;  // seconds: make, rsync and certificates begin to err

class Facts {
 public:
  explicit Facts(const Health& health) : m_health(health) {}
  [[nodiscard]] const Health& health() const { return m_health; }

  /// All lines; empty where the host did not say it.
  [[nodiscard]] std::string_view text(std::string_view key) const {
    const auto found = m_health.facts.find(key);
    return found == m_health.facts.end() ? std::string_view() : std::string_view(found->second);
  }
  /// What follows `word` in the lines that begin with it.
  [[nodiscard]] std::string_view text(std::string_view key, std::string_view word) const {
    for (const auto line : split_lines(text(key))) {
      if (line.starts_with(word) && line.substr(word.size()).starts_with(' '))
        return line.substr(word.size() + 1);
    }
    return {};
  }
  [[nodiscard]] bool has_tool(std::string_view name) const { return !text("tool", name).empty(); }
  [[nodiscard]] std::string_view last_line(std::string_view key) const {
    const auto lines = split_lines(text(key));
    return lines.empty() ? std::string_view() : lines.back();
  }

 private:
  const Health& m_health;
};

std::string number(double value, int digits) {
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return {text.data(), static_cast<std::size_t>(size)};
}

// "12 ms", "1.5 s"
std::string duration(double seconds) {
  constexpr double k_milli = 1000;
  return seconds < 1 ? number(seconds * k_milli, seconds * k_milli < 10 ? 1 : 0) + " ms"
                     : number(seconds, 1) + " s";
}

Finding ok(std::string check, std::string detail) {
  return {std::move(check), State::ok, std::move(detail), ""};
}

Finding absent(std::string check, std::string mend) {
  return {std::move(check), State::absent, "", std::move(mend)};
}

Finding judge_connection(const Facts& facts) {
  const double seconds = std::chrono::duration<double>(facts.health().round_trip).count();
  return ok("connection", facts.health().transport + ", an empty command takes " + duration(seconds));
}

Finding judge_clock(const Facts& facts) {
  const auto skew = facts.health().skew;
  const std::string error = " (to " + duration(facts.health().skew_error) + ": half a round trip)";
  if (!skew) return {"clock", State::warning, "date does not say the time", ""};
  if (std::abs(*skew) <= facts.health().skew_error) return ok("clock", "as here" + error);
  const std::string detail =
      duration(std::abs(*skew)) + (*skew < 0 ? " behind ours" : " ahead of ours") + error;
  if (std::abs(*skew) - facts.health().skew_error <= k_most_skew) return ok("clock", detail);
  return {"clock", State::warning, detail, "timedatectl set-ntp true, on whichever machine is wrong"};
}

Finding judge_login_files(const Facts& facts) {
  const auto noise = facts.health().login_noise;
  if (noise == 0) return ok("login files", "silent");
  return {"login files", State::warning,
          "print " + std::to_string(noise) + " bytes before every command: re skips them, scp and rsync fail",
          "let them print only to a terminal: [ -t 1 ] && ..."};
}

Finding judge_shell(const Facts& facts) {
  const auto shell = facts.text("shell");
  return ok("login shell", shell.empty() ? "not said" : std::string(shell));
}

Finding judge_umask(const Facts& facts) {
  const std::string mask(facts.text("umask"));
  if (mask.size() < 3) return {"umask", State::warning, "not said", ""};
  const auto others = static_cast<unsigned>(mask.back() - '0');
  const auto group = static_cast<unsigned>(mask[mask.size() - 2] - '0');
  constexpr unsigned k_write = 2;
  if ((others & k_write) == 0) {
    return {"umask", State::warning, mask + ": everybody may change what jobs write",
            "umask 022 in the login files there"};
  }
  return ok("umask", mask + ((group & k_write) == 0 ? ": the group may change what jobs write" : ""));
}

Finding judge_basics(const Facts& facts) {
  std::vector<std::string> missing;
  for (const char* tool : {"tail", "ln", "mkfifo"})
    if (!facts.has_tool(tool)) missing.emplace_back(tool);
  if (facts.text("proc").empty()) missing.emplace_back("/proc");
  if (missing.empty()) return ok("basics", "tail, ln, mkfifo, /proc");
  const std::string system(facts.text("system"));
  return {
      "basics", State::failed, join(missing, ", ") + " missing: no job can run here",
      system == "Linux" ? "apt-get install coreutils; mount /proc" : "jobs need Linux; this is " + system};
}

Finding judge_rsync(const Facts& facts) {
  if (!facts.has_tool("rsync"))
    return {"rsync", State::failed, "missing: no file can be copied", "apt-get install rsync (dnf, brew)"};
  const auto version = parse_rsync_version(facts.text("rsync"));
  if (!version)
    return {"rsync", State::warning, "does not say its version", "apt-get install rsync (dnf, brew)"};
  constexpr RsyncVersion k_oldest_there{3, 0, 0};  // what --files-from and --partial-dir need of a server
  if (*version < k_oldest_there)
    return {"rsync", State::failed, to_string(*version) + " is too old", "install rsync 3.1.3 or newer"};
  return ok("rsync", to_string(*version));
}

Finding judge_flock(const Facts& facts) {
  if (facts.has_tool("flock")) return ok("flock", std::string(facts.text("tool", "flock")));
  return {"flock", State::failed, "missing: no job can be started",
          "apt-get install util-linux (brew install flock)"};
}

Finding judge_setsid(const Facts& facts) {
  if (!facts.has_tool("setsid"))
    return {"setsid", State::failed, "missing: no job can be started", "apt-get install util-linux"};
  return ok("setsid", facts.text("setsid_code") == "0" ? "with -f" : "without -f, which serves");
}

Finding judge_checksums(const Facts& facts) {
  for (const char* tool : {"sha256sum", "shasum", "openssl"})
    if (facts.has_tool(tool)) return ok("checksums", tool);
  return {"checksums", State::failed, "no sha256sum, shasum or openssl: no job can be started",
          "apt-get install coreutils"};
}

bool is_shared(std::string_view type) {
  constexpr std::array k_types = {"nfs", "nfs4", "cifs", "smb", "smb2", "lustre", "gpfs", "afs", "fuseblk"};
  return std::find(k_types.begin(), k_types.end(), type) != k_types.end();
}

// A line of `df -P`: total, free and, behind the share in use, the place.
struct Room {
  std::uint64_t total = 0;
  std::uint64_t free = 0;
};
std::optional<Room> room_of(std::string_view line) {
  const auto words = split_words(line);
  for (std::size_t at = 0; at + 3 < words.size(); ++at) {
    const auto total = parse_number<std::uint64_t>(words[at]);
    const auto free = parse_number<std::uint64_t>(words[at + 2]);
    if (total && free && words[at + 3].ends_with('%')) return Room{*total, *free};
  }
  return std::nullopt;
}

// Whether there is room for files: the worse of bytes and inodes.
Finding judge_room(const Facts& facts, const std::string& place) {
  constexpr std::uint64_t k_block = 1024;
  const auto blocks = room_of(facts.text(place, "blocks"));
  const auto inodes = room_of(facts.text(place, "inodes"));
  Finding finding{place, State::ok,
                  blocks ? format_size(blocks->free * k_block) + " free" : "df says nothing", ""};
  const auto worse = [&](State state) { finding.state = std::max(finding.state, state); };
  if (blocks && blocks->free * k_block < k_few_bytes) worse(State::warning);
  if (blocks && blocks->free * k_block < k_no_bytes) worse(State::failed);
  if (inodes && inodes->total > 0 && inodes->free < k_few_inodes) {  // btrfs counts none
    finding.detail += ", " + std::to_string(inodes->free) + " inodes free";
    worse(inodes->free < k_no_inodes ? State::failed : State::warning);
  }
  if (finding.state != State::ok)
    finding.mend = place == "home" ? "free some room: du -xd1 ~ | sort -n" : "free some room in /var/tmp";
  return finding;
}

Finding judge_place(const Facts& facts, const std::string& place) {
  if (facts.text(place + "_code") == "hangs") {
    return {place, State::failed, "does not answer: a file server may be gone",
            "ask the administrator about its file server"};
  }
  Finding finding = judge_room(facts, place);
  const auto type = facts.text(place, "type");
  if (!type.empty()) finding.detail += ", " + std::string(type);
  if (facts.text(place, "writable") != "yes")
    return {place, State::failed, finding.detail + ", not writable",
            "ask the administrator for a writable one"};
  const auto lock = facts.text(place, "lock");
  if (!lock.empty() && lock != "works") {
    return {place, State::failed, finding.detail + ", no locks: " + std::string(lock),
            "ask the administrator for a file system with locks (nfs: a lock service)"};
  }
  if (finding.state == State::ok && is_shared(type)) {
    finding.state = State::warning;
    finding.detail += ": locks may not be seen by other machines, and are lost when its server restarts";
    finding.mend = place == "home" ? "use this home from one machine, or ask for a local one"
                                   : "ask for a local /var/tmp: GPUs are shared by locks there";
  }
  return finding;
}

Finding judge_home(const Facts& facts) {
  return judge_place(facts, "home");
}
Finding judge_spool(const Facts& facts) {
  Finding finding = judge_place(facts, "spool");
  finding.detail = "/var/tmp, " + finding.detail;
  return finding;
}

Finding judge_quota(const Facts& facts) {
  const auto lines = split_lines(facts.text("quota"));
  for (const auto line : lines) {
    if (!trim(line).empty())
      return {"quota", State::warning, std::string(trim(line)),
              "remove files, or ask for more room: quota -s"};
  }
  return ok("quota", "not exceeded");
}

// systemd's logind, manager_shall_kill(): the exceptions, then the chosen, then everybody.
bool kills_at_logout(const Facts& facts) {
  const auto value = [&](std::string_view name) {
    for (const auto line : split_lines(facts.text("session"))) {
      if (line.starts_with(name) && line.substr(name.size()).starts_with('='))
        return line.substr(name.size() + 1);
    }
    return std::string_view();
  };
  const auto names = [&](std::string_view list) {
    const auto words = split_words(list);
    return std::find(words.begin(), words.end(), facts.text("user")) != words.end();
  };
  if (names(value("KillExcludeUsers"))) return false;
  if (!value("KillOnlyUsers").empty()) return names(value("KillOnlyUsers"));
  return value("KillUserProcesses") == "yes";
}

Finding judge_logout(const Facts& facts) {
  if (facts.text("session", "scope") != "session") return ok("logout", "no systemd session: jobs outlive it");
  if (kills_at_logout(facts)) {
    return {"logout", State::failed, "systemd kills jobs when the last login ends (KillUserProcesses)",
            "ask the administrator for KillExcludeUsers=" + std::string(facts.text("user")) +
                " in /etc/systemd/logind.conf"};
  }
  return ok("logout", "jobs outlive it");
}

Finding judge_python(const Facts& facts) {
  if (!facts.has_tool("python3")) return absent("python3", "apt-get install python3 python3-venv");
  const auto version = facts.text("python", "version");
  if (version.empty()) {
    const bool hangs = facts.text("python_code") == "hangs";
    return {"python3", State::failed,
            hangs ? "does not answer" : "does not run: " + std::string(facts.last_line("python")),
            "run it by hand: python3 -V"};
  }
  if (!facts.text("python", "venv").empty()) return ok("python3", std::string(version) + ", with venv");
  return {"python3", State::warning, std::string(version) + ", without venv and ensurepip",
          "apt-get install python3-venv"};
}

Finding judge_jupyter(const Facts& facts) {
  for (const char* tool : {"jupyter-lab", "jupyter-notebook", "jupyter-server", "jupyter"})
    if (facts.has_tool(tool)) return ok("jupyter", std::string(facts.text("tool", tool)));
  return absent("jupyter", "pip install jupyterlab, in the project's environment");
}

Finding judge_gpus(const Facts& facts) {
  if (!facts.has_tool("nvidia-smi")) return absent("GPU", "");
  const auto code = facts.text("smi_code");
  if (code == "held" || code == "hangs") {
    return {"GPU", State::failed,
            code == "held" ? "an earlier nvidia-smi still hangs" : "nvidia-smi does not answer",
            "see dmesg for a fault of the driver; the machine may have to be rebooted"};
  }
  const auto cards = split_lines(facts.text("smi"));
  if (code != "0" || cards.empty()) {
    const std::string reason(cards.empty() ? "it says nothing" : cards.front());
    return {"GPU", State::failed, "nvidia-smi fails: " + reason,
            "install the driver, or reboot after it was upgraded"};
  }
  const auto comma = cards.front().find(", ");
  std::string detail = "driver " + std::string(cards.front().substr(0, comma)) + ", ";
  if (cards.size() > 1) detail += std::to_string(cards.size()) + " cards, the first: ";
  if (comma != std::string_view::npos) detail += cards.front().substr(comma + 2);
  return ok("GPU", detail);
}

Finding judge_docker(const Facts& facts) {
  if (!facts.has_tool("docker")) return absent("docker", "");
  const auto said = facts.last_line("docker");
  if (facts.text("docker_code") == "0" && !said.empty()) return ok("docker", std::string(said));
  if (facts.text("docker_code") == "hangs")
    return {"docker", State::warning, "its daemon does not answer", "systemctl restart docker"};
  if (facts.text("docker").find("ermission denied") != std::string_view::npos) {
    return {"docker", State::warning, "this user may not use it",
            "ask the administrator to add " + std::string(facts.text("user")) + " to the group docker"};
  }
  if (facts.text("docker").find("Cannot connect") != std::string_view::npos ||
      facts.text("docker").find("failed to connect") != std::string_view::npos)
    return {"docker", State::warning, "its daemon does not run", "systemctl start docker"};
  return {"docker", State::warning, said.empty() ? "says nothing" : std::string(said),
          "run it by hand: docker version"};
}

Finding judge_apptainer(const Facts& facts) {
  for (const char* tool : {"apptainer", "singularity"})
    if (facts.has_tool(tool)) return ok("apptainer", std::string(facts.text("tool", tool)));
  return absent("apptainer", "");
}

Finding judge_slurm(const Facts& facts) {
  if (!facts.has_tool("sinfo")) return absent("Slurm", "");
  const auto code = facts.text("sinfo_code");
  const auto partitions = split_lines(facts.text("sinfo"));
  if (code == "0") return ok("Slurm", std::to_string(partitions.size()) + " partitions");
  const std::string reason =
      code == "hangs" || partitions.empty() ? "no answer" : std::string(partitions.front());
  return {"Slurm", State::warning, "sinfo fails: " + reason, "ask the administrator about slurmctld"};
}

Finding judge_tmux(const Facts& facts) {
  if (!facts.has_tool("tmux")) return absent("tmux", "apt-get install tmux");
  return ok("tmux", std::string(facts.last_line("tmux")));
}

constexpr std::array k_judges = {judge_connection, judge_clock,     judge_login_files, judge_shell,
                                 judge_umask,      judge_basics,    judge_rsync,       judge_flock,
                                 judge_setsid,     judge_checksums, judge_home,        judge_spool,
                                 judge_logout,     judge_python,    judge_jupyter,     judge_gpus,
                                 judge_docker,     judge_apptainer, judge_slurm,       judge_tmux};

}  // namespace

std::string_view to_string(Finding::State state) {
  static constexpr std::array<std::string_view, 4> k_names = {"ok", "warning", "failed", "not there"};
  return k_names.at(static_cast<std::size_t>(state));
}

std::vector<Finding> judge(const Health& health) {
  const Facts facts(health);
  if (facts.text("complete").empty()) {
    return {judge_connection(facts),
            judge_clock(facts),
            {"scratch", State::failed, "no short-lived file can be made: nothing else was asked",
             "see that /tmp there is writable and not full"}};
  }
  std::vector<Finding> findings;
  findings.reserve(k_judges.size() + 1);
  for (const auto judge_one : k_judges) findings.push_back(judge_one(facts));
  if (!facts.text("quota_code").empty()) findings.push_back(judge_quota(facts));
  return findings;
}

}  // namespace re::remote
