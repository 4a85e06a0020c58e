#include "re/remote/probe.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <fstream>

#include "re/base/shell.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"
#include "unit/remote/altered_connection.hpp"

namespace {

using namespace std::chrono_literals;
using namespace re::remote;
using State = GpuReport::State;
using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* k_two_cards =
    "gpu|NVIDIA A100-SXM4-80GB|GPU-a|81920|1024|37|41|88.31|00000000:01:00.0|Enabled\n"
    "gpu|NVIDIA RTX, Rev. B|GPU-b|[N/A]|[N/A]|[Not Supported]|33|[N/A]|00000000:02:00.0|[N/A]\n"
    "mig|0|3g.20gb|MIG-1\n";

// Over every shell that may be a host's /bin/sh.
class ProbeTest : public testing::TestWithParam<const char*> {
 protected:
  ProbeTest() {
    fs::create_directories(m_home);
    fs::create_directories(m_programs);
    fs::create_symlink(RE_SOURCE_DIR "/tests/support/fake_nvidia_smi", m_programs / "nvidia-smi");
    // `exec /bin/sh -s` becomes a call of the shell under test.
    m_prologue =
        "export PATH=" + re::shell_quote(m_programs.string()) + ":\"$PATH\"\nexec " + GetParam() + " -s\n";
    m_request.directory = "projects/not yet/there";
  }
  ~ProbeTest() override {
    for (const pid_t pid : calls()) ::kill(pid, SIGKILL);
  }

  void table(const std::string& mode, const std::string& lines = k_two_cards) {
    std::ofstream(m_home / ".fake-gpus") << "mode|" << mode << '\n' << lines;
  }

  // The pids of all nvidia-smi that were started.
  std::vector<pid_t> calls() {
    std::vector<pid_t> pids;
    const auto text = re::sys::read_file_if_exists(m_home / ".fake-gpus.calls").value_or("");
    for (const auto line : re::split_lines(text)) pids.push_back(re::parse_number<pid_t>(line).value_or(0));
    return pids;
  }

  HostFacts run() {
    auto connection = std::make_unique<AlteredConnection>(m_io.get_executor(), m_home.string(), m_prologue);
    Host host(std::move(connection), "there");
    auto result = boost::asio::co_spawn(m_io, probe(host, m_request), boost::asio::use_future);
    m_io.restart();
    m_io.run();
    return result.get();
  }

  boost::asio::io_context m_io;
  re::sys::TemporaryDirectory m_directory{"re-test"};
  fs::path m_home = m_directory.path() / "home";
  fs::path m_programs = m_directory.path() / "programs";
  std::string m_prologue;
  ProbeRequest m_request;
};

TEST_P(ProbeTest, says_what_the_host_is) {
  table("ok");
  const auto facts = run();
  EXPECT_EQ(facts.hostname, re::sys::host_name());
  EXPECT_THAT(facts.kernel, testing::StartsWith("Linux "));
  EXPECT_EQ(facts.boot_id.size(), 36U);
  EXPECT_EQ(facts.cpus, static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN)));
  EXPECT_GT(facts.uptime_seconds, 1.0);
  EXPECT_TRUE(facts.load_1 && facts.load_5 && facts.load_15);
  const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  EXPECT_EQ(facts.memory_total_mib, pages * page >> 20U);
  EXPECT_LT(facts.memory_available_mib, facts.memory_total_mib);
  ASSERT_TRUE(facts.skew_seconds);
  EXPECT_LE(std::abs(*facts.skew_seconds), 5);
  EXPECT_EQ(facts.tools.count("rsync"), 1U);
  EXPECT_EQ(facts.tools.at("nvidia-smi"), (m_programs / "nvidia-smi").string());
}

TEST_P(ProbeTest, the_disk_is_the_one_where_the_project_would_live) {
  table("ok");
  const auto facts = run();
  ASSERT_TRUE(facts.disk);
  EXPECT_EQ(facts.disk->place, m_home.string());
  struct statvfs status{};
  ASSERT_EQ(::statvfs(m_home.c_str(), &status), 0);
  EXPECT_EQ(facts.disk->total_mib, static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize >> 20U);
  EXPECT_LE(facts.disk->available_mib, facts.disk->total_mib);
  EXPECT_FALSE(facts.disk->type.empty());
  fs::create_directories(m_home / "projects/not yet");
  EXPECT_EQ(run().disk->place, (m_home / "projects/not yet").string());
  m_request.directory = "~";
  EXPECT_EQ(run().disk->place, m_home.string());
  m_request.directory = "/";
  EXPECT_EQ(run().disk->place, "/");
}

TEST_P(ProbeTest, lists_cards_slices_and_whose_processes_run) {
  table("ok", std::string(k_two_cards) + "app|" + std::to_string(::getpid()) + "|GPU-a|998\n" +
                  "app|999999999|MIG-1|[N/A]\n");
  const auto report = run().gpus;
  ASSERT_EQ(report.state, State::ok) << report.reason;
  ASSERT_EQ(report.gpus.size(), 2U);
  EXPECT_EQ(report.gpus[0].memory_free_mib, 80896U);
  EXPECT_EQ(report.gpus[0].bus_id, "00000000:01:00.0");
  ASSERT_EQ(report.gpus[0].mig_devices.size(), 1U);
  EXPECT_EQ(report.gpus[1].name, "NVIDIA RTX, Rev. B");
  EXPECT_EQ(report.gpus[1].memory_total_mib, std::nullopt);
  EXPECT_TRUE(report.has_processes);
  ASSERT_EQ(report.gpus[0].processes.size(), 2U);
  const bool is_first_namespace = fs::read_symlink("/proc/self/ns/pid") == "pid:[4026531836]";
  EXPECT_EQ(report.gpus[0].processes[0].user,
            is_first_namespace ? std::optional<std::string>(re::sys::user_name()) : std::nullopt);
  EXPECT_EQ(report.gpus[0].processes[1].user, std::nullopt);
  m_request.gpu_processes = GpuProcesses::skip;
  EXPECT_FALSE(run().gpus.has_processes);
}

TEST_P(ProbeTest, an_old_driver_is_asked_again_without_what_it_does_not_know) {
  table("oldfields");
  const auto report = run().gpus;
  ASSERT_EQ(report.gpus.size(), 2U) << report.reason;
  EXPECT_EQ(report.gpus[0].power_watt, std::nullopt);
  EXPECT_EQ(report.gpus[0].bus_id, "00000000:01:00.0");
  EXPECT_EQ(report.gpus[0].temperature_celsius, 41);
}

TEST_P(ProbeTest, every_failure_of_the_tool_leaves_the_other_facts) {
  const std::vector<std::pair<std::string, State>> modes = {{"nodriver", State::no_driver},
                                                            {"nodevices", State::no_devices},
                                                            {"mismatch", State::no_driver},
                                                            {"unknown", State::no_driver}};
  for (const auto& [mode, state] : modes) {
    table(mode);
    const auto facts = run();
    EXPECT_EQ(facts.gpus.state, state) << mode;
    EXPECT_FALSE(facts.gpus.reason.empty());
    EXPECT_TRUE(facts.disk && facts.cpus && facts.load_1) << mode;
  }
  table("lost:0");
  const auto report = run().gpus;
  ASSERT_EQ(report.gpus.size(), 2U);
  EXPECT_EQ(report.gpus[0].fault, "GPU is lost");
  EXPECT_EQ(report.gpus[1].fault, "");
}

// A stuck nvidia-smi that cannot be killed waits in the kernel; this one is copied out of the reach of the
// probe's signal by ending its watched parent first: what stays holds the lock all the same.
TEST_P(ProbeTest, a_hung_tool_costs_one_deadline_and_is_started_once) {
  fs::remove(m_programs / "nvidia-smi");
  std::ofstream(m_programs / "nvidia-smi")
      << "#!/bin/sh\n(echo $$ >> \"$HOME/.fake-gpus.calls\"; exec sleep 1000) &\n"
         "echo \"$!\" >> \"$HOME/.fake-gpus.calls\"\nwait\n";
  fs::permissions(m_programs / "nvidia-smi", fs::perms::owner_all);
  m_request.deadline = 6s;
  const auto first = run();
  EXPECT_EQ(first.gpus.state, State::hung);
  EXPECT_THAT(first.gpus.reason, HasSubstr("does not answer"));
  EXPECT_TRUE(first.disk && first.cpus && first.load_1);
  const auto started = calls();
  ASSERT_EQ(started.size(), 2U);
  EXPECT_EQ(::kill(started[0], 0) == 0 || ::kill(started[1], 0) == 0, true) << "nothing is stuck";
  const auto second = run();
  EXPECT_EQ(second.gpus.state, State::hung);
  EXPECT_THAT(second.gpus.reason, HasSubstr("earlier"));
  EXPECT_TRUE(second.disk && second.cpus);
  EXPECT_EQ(calls().size(), 2U) << "a second one was started";
  for (const pid_t pid : started) ::kill(pid, SIGKILL);
}

TEST_P(ProbeTest, a_hung_tool_that_can_be_killed_is_killed) {
  table("hang");
  m_request.deadline = 6s;
  EXPECT_EQ(run().gpus.state, State::hung);
  ASSERT_EQ(calls().size(), 1U);
  const auto limit = std::chrono::steady_clock::now() + 20s;
  while (::kill(calls()[0], 0) == 0 && std::chrono::steady_clock::now() < limit) ::usleep(1000);
  EXPECT_NE(::kill(calls()[0], 0), 0);
  table("ok");
  EXPECT_EQ(run().gpus.state, State::ok);
}

TEST_P(ProbeTest, no_tool_and_no_proc_still_give_an_answer) {
  fs::remove(m_programs / "nvidia-smi");
  m_request.proc = (m_directory.path() / "nothing").string();
  const auto facts = run();
  EXPECT_EQ(facts.gpus.state, State::absent);
  EXPECT_EQ(facts.hostname, re::sys::host_name());
  EXPECT_TRUE(facts.cpus);
  EXPECT_TRUE(facts.disk);
  EXPECT_EQ(facts.boot_id, "");
  EXPECT_EQ(facts.memory_available_mib, std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Shells, ProbeTest, testing::Values("dash", "busybox sh", "bash --posix"));

}  // namespace
