#include "re/remote/doctor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdlib>
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
using State = Finding::State;
using testing::HasSubstr;
using testing::StartsWith;
namespace fs = std::filesystem;

Finding find(const std::vector<Finding>& findings, const std::string& check) {
  for (const auto& finding : findings)
    if (finding.check == check) return finding;
  ADD_FAILURE() << "nothing was said of " << check;
  return {};
}

// The script over every shell that may be a host's /bin/sh, with a PATH that has what each test puts there.
class DoctorScriptTest : public testing::TestWithParam<const char*> {
 protected:
  DoctorScriptTest() {
    fs::create_directories(m_home);
    fs::create_directories(m_programs);
    for (const char* tool : {"cat", "date", "df", "grep", "head", "id", "ln", "mkdir", "mkfifo", "mktemp",
                             "mv", "rm", "sed", "setsid", "sha256sum", "sleep", "stat", "tail", "uname"})
      link(tool);
    auto words = re::split_words(GetParam());
    const auto shell = re::sys::find_program(words.front(), re::sys::process_environment());
    m_shell = shell.value().string() + (words.size() > 1 ? " " + std::string(words.back()) : std::string());
  }
  ~DoctorScriptTest() override {
    const std::string pids = re::sys::read_file_if_exists(m_home / "pids").value_or("");
    for (const auto line : re::split_lines(pids)) ::kill(re::parse_number<pid_t>(line).value_or(0), SIGKILL);
  }

  void link(const std::string& tool) {
    const auto path = re::sys::find_program(tool, re::sys::process_environment());
    fs::create_symlink(path.value(), m_programs / tool);
  }
  void fake(const std::string& tool, const std::string& script) {
    std::ofstream(m_programs / tool) << "#!/bin/sh\n" << script << '\n';
    fs::permissions(m_programs / tool, fs::perms::owner_all);
  }
  // A busybox may be built to take its own applets before those of PATH, as Debian's static one is.
  static bool has_applets() {
    if (!std::string_view(GetParam()).starts_with("busybox")) return false;
    static const bool takes_own =
        std::system("busybox sh -c 'PATH=/nonexistent; true | sha256sum' >&- 2>&-") == 0;
    return takes_own;
  }

  Health run() {
    const std::string prologue =
        m_noise + "export PATH=" + re::shell_quote(m_programs.string()) + "\nexec " + m_shell + " -s\n";
    auto connection = std::make_unique<AlteredConnection>(m_io.get_executor(), m_home.string(), prologue);
    Host host(std::move(connection), "there");
    auto result = boost::asio::co_spawn(m_io, examine(host, m_deadline), boost::asio::use_future);
    m_io.restart();
    m_io.run();
    return result.get();
  }
  Finding found(const std::string& check) { return find(judge(run()), check); }

  boost::asio::io_context m_io;
  re::sys::TemporaryDirectory m_directory{"re-test"};
  fs::path m_home = m_directory.path() / "home";
  fs::path m_programs = m_directory.path() / "programs";
  std::string m_shell;
  std::string m_noise;
  std::chrono::milliseconds m_deadline = 30s;
};

TEST_P(DoctorScriptTest, a_bare_host_is_told_what_it_lacks_and_how_to_mend_it) {
  const auto findings = judge(run());
  for (const char* check : {"rsync", "flock"}) {
    const auto finding = find(findings, check);
    EXPECT_EQ(finding.state, State::failed) << check;
    EXPECT_THAT(finding.mend, StartsWith("apt-get install ")) << check;
  }
  for (const char* check : {"python3", "jupyter", "GPU", "docker", "apptainer", "Slurm", "tmux"})
    EXPECT_EQ(find(findings, check).state, State::absent) << check;
  for (const char* check : {"connection", "clock", "login files", "basics", "setsid", "checksums"})
    EXPECT_EQ(find(findings, check).state, State::ok) << check << ": " << find(findings, check).detail;
}

TEST_P(DoctorScriptTest, each_tool_without_which_no_job_starts_is_missed) {
  fake("rsync", "echo 'rsync  version 3.2.7  protocol version 31'");
  link("flock");
  for (const auto& finding : judge(run())) EXPECT_NE(finding.state, State::failed) << finding.check;
  const std::vector<std::pair<std::string, std::string>> tools = {
      {"rsync", "rsync"}, {"flock", "flock"},   {"setsid", "setsid"},
      {"tail", "basics"}, {"mkfifo", "basics"}, {"sha256sum", "checksums"}};
  for (const auto& [tool, check] : tools) {
    fs::rename(m_programs / tool, m_directory.path() / tool);
    const bool is_applet = has_applets() && tool != "rsync" && tool != "flock";
    EXPECT_EQ(found(check).state, is_applet ? State::ok : State::failed) << tool;
    fs::rename(m_directory.path() / tool, m_programs / tool);
  }
}

TEST_P(DoctorScriptTest, other_programs_may_make_the_checksums) {
  fs::remove(m_programs / "sha256sum");
  fake("openssl", ":");
  EXPECT_EQ(found("checksums").detail, has_applets() ? "sha256sum" : "openssl");
}

TEST_P(DoctorScriptTest, home_and_spool_are_tried_and_nothing_stays_there) {
  link("flock");
  const auto findings = judge(run());
  EXPECT_THAT(find(findings, "home").detail, HasSubstr(" free, "));
  EXPECT_NE(find(findings, "home").state, State::failed) << find(findings, "home").detail;
  EXPECT_THAT(find(findings, "spool").detail, StartsWith("/var/tmp, "));
  EXPECT_TRUE(fs::is_empty(m_home));
}

TEST_P(DoctorScriptTest, a_file_system_without_locks_is_found) {
  fake("flock", "echo 'flock: 7: No locks available' >&2; exit 71");
  const auto finding = found("home");
  EXPECT_EQ(finding.state, State::failed);
  EXPECT_THAT(finding.detail, HasSubstr("no locks: flock: 7: No locks available"));
}

TEST_P(DoctorScriptTest, docker_is_there_denied_down_or_hung) {
  fake("docker", "[ \"$*\" = 'version --format {{.Server.Version}}' ] && echo 24.0.7");
  EXPECT_EQ(found("docker").detail, "24.0.7");
  fake("docker",
       "echo; echo 'permission denied while trying to connect to the Docker daemon socket' >&2; exit 1");
  auto finding = found("docker");
  EXPECT_EQ(finding.state, State::warning);
  EXPECT_EQ(finding.mend, "ask the administrator to add " + re::sys::user_name() + " to the group docker");
  fake("docker", "echo 'Cannot connect to the Docker daemon at unix:///x. Is it running?' >&2; exit 1");
  EXPECT_EQ(found("docker").mend, "systemctl start docker");
  fake("docker", "echo $$ >>\"$HOME/pids\"; exec sleep 1000");
  m_deadline = 6s;
  const auto findings = judge(run());
  EXPECT_EQ(find(findings, "docker").detail, "its daemon does not answer");
  EXPECT_EQ(find(findings, "checksums").state, State::ok) << "what else there is was lost";
  const auto pid = re::parse_number<pid_t>(re::trim(re::sys::read_file(m_home / "pids"))).value_or(0);
  ASSERT_GT(pid, 0);
  const auto limit = std::chrono::steady_clock::now() + 20s;
  while (::kill(pid, 0) == 0 && std::chrono::steady_clock::now() < limit) ::usleep(1000);
  EXPECT_NE(::kill(pid, 0), 0) << "it was left";
}

TEST_P(DoctorScriptTest, the_gpu_tool_answers_fails_or_hangs) {
  fake("nvidia-smi", "echo '535.161.08, NVIDIA A100, Rev. B'; echo '535.161.08, NVIDIA T4'");
  EXPECT_EQ(found("GPU").detail, "driver 535.161.08, 2 cards, the first: NVIDIA A100, Rev. B");
  fake("nvidia-smi", "echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18");
  EXPECT_EQ(found("GPU").state, State::failed);
  EXPECT_THAT(found("GPU").detail, HasSubstr("version mismatch"));
  fake("nvidia-smi", "echo $$ >>\"$HOME/pids\"; exec sleep 1000");
  m_deadline = 6s;
  EXPECT_EQ(found("GPU").detail, "nvidia-smi does not answer");
}

TEST_P(DoctorScriptTest, python_without_venv_and_a_broken_python_are_found) {
  fs::create_symlink("/usr/bin/python3", m_programs / "python3");
  EXPECT_THAT(found("python3").detail, StartsWith("3."));
  fs::remove(m_programs / "python3");
  fake("python3", "echo 'version 3.11.2'");
  EXPECT_EQ(found("python3").mend, "apt-get install python3-venv");
  fake("python3", "echo 'pyenv: python3: command not found' >&2; exit 127");
  EXPECT_EQ(found("python3").detail, "does not run: pyenv: python3: command not found");
}

TEST_P(DoctorScriptTest, slurm_quota_tmux_apptainer_and_jupyter_speak_for_themselves) {
  fake("sinfo", "printf 'gpu* up\\ncpu up\\n'");
  fake("quota", "exit 0");
  fake("tmux", "echo 'tmux 3.3a'");
  fake("singularity", ":");
  fake("jupyter-server", ":");
  auto findings = judge(run());
  EXPECT_EQ(find(findings, "Slurm").detail, "2 partitions");
  EXPECT_EQ(find(findings, "quota").state, State::ok);
  EXPECT_EQ(find(findings, "tmux").detail, "tmux 3.3a");
  EXPECT_EQ(find(findings, "apptainer").detail, (m_programs / "singularity").string());
  EXPECT_EQ(find(findings, "jupyter").detail, (m_programs / "jupyter-server").string());
  fake("sinfo", "echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1");
  fake("quota", "echo; echo 'In block limit: ann: /home'; exit 1");
  findings = judge(run());
  EXPECT_THAT(find(findings, "Slurm").detail, HasSubstr("Unable to contact"));
  EXPECT_EQ(find(findings, "quota").detail, "In block limit: ann: /home");
}

TEST_P(DoctorScriptTest, noise_of_login_files_is_counted) {
  m_noise = "echo 'You have new mail.'\n";
  const auto finding = found("login files");
  EXPECT_EQ(finding.state, State::warning);
  EXPECT_THAT(finding.detail, HasSubstr("19 bytes"));
}

TEST_P(DoctorScriptTest, a_clock_that_is_wrong_is_found_and_one_without_fractions_is_read) {
  EXPECT_LT(std::abs(run().skew.value()), 1.5);
  if (has_applets()) return;
  fs::remove(m_programs / "date");
  const std::string date = re::sys::find_program("date", re::sys::process_environment()).value().string();
  fake("date", "exec " + date + " -d '1 hour ago' \"$@\"");
  const auto finding = found("clock");
  EXPECT_EQ(finding.state, State::warning);
  EXPECT_THAT(finding.detail, StartsWith("360"));
  EXPECT_THAT(finding.detail, HasSubstr(" s behind ours"));
  fake("date", "case $1 in *N) echo \"$(" + date + " +%s).%N\" ;; *) exec " + date + " \"$@\" ;; esac");
  const auto health = run();
  EXPECT_GE(health.skew_error, 0.5);
  EXPECT_LT(std::abs(health.skew.value()), 1.5);
}

INSTANTIATE_TEST_SUITE_P(Shells, DoctorScriptTest, testing::Values("dash", "busybox sh", "bash --posix"));

// What facts mean.

Health sound() {
  Health health;
  health.transport = "ssh2";
  health.round_trip = 12ms;
  health.skew = 0.001;
  health.skew_error = 0.006;
  health.facts = {
      {"user", "ann"},
      {"umask", "0022"},
      {"system", "Linux"},
      {"proc", "yes"},
      {"tool", "rsync /r\nflock /f\nsetsid /s\ntail /t\nln /l\nmkfifo /m\nsha256sum /s"},
      {"home_code", "0"},
      {"home",
       "blocks /dev/sda 100000000 1000 50000000 1% /\ninodes /dev/sda 9999999 1 9999998 1% "
       "/\ntype ext2/ext3\nwritable yes\nlock works"},
      {"spool_code", "0"},
      {"spool", "blocks /dev/sda 100000000 1000 50000000 1% /\ntype xfs\nwritable yes\nlock works"},
      {"rsync_code", "0"},
      {"rsync", "rsync  version 3.1.3  protocol version 31"},
      {"complete", "yes"}};
  return health;
}

Finding judged(const Health& health, const std::string& check) {
  return find(judge(health), check);
}

TEST(DoctorJudgeTest, a_sound_host_has_no_failure_and_no_warning) {
  for (const auto& finding : judge(sound())) {
    EXPECT_TRUE(finding.state == State::ok || finding.state == State::absent)
        << finding.check << ": " << finding.detail;
  }
  EXPECT_EQ(judged(sound(), "connection").detail, "ssh2, an empty command takes 12 ms");
  EXPECT_EQ(judged(sound(), "clock").detail, "as here (to 6.0 ms: half a round trip)");
  EXPECT_EQ(judged(sound(), "home").detail, "47.7 GiB free, ext2/ext3");
}

TEST(DoctorJudgeTest, little_room_is_a_warning_and_none_a_failure) {
  auto health = sound();
  const auto with_home = [&](const std::string& blocks, const std::string& inodes) {
    health.facts["home"] = "blocks server:/my home 100000000 1 " + blocks +
                           " 99% /home\ninodes x 1000000 1 " + inodes + " 1% /home\nwritable yes\nlock works";
    return judged(health, "home");
  };
  EXPECT_EQ(with_home("2097152", "10000").state, State::ok);
  EXPECT_EQ(with_home("2097151", "10000").state, State::warning);
  EXPECT_EQ(with_home("65535", "10000").state, State::failed);
  EXPECT_EQ(with_home("2097152", "9999").state, State::warning);
  EXPECT_EQ(with_home("2097151", "99").state, State::failed);
  EXPECT_THAT(with_home("2097152", "99").detail, HasSubstr("99 inodes free"));
}

TEST(DoctorJudgeTest, file_systems_of_a_server_are_warnings_with_the_reason) {
  for (const char* type : {"nfs", "cifs", "smb2", "lustre"}) {
    auto health = sound();
    health.facts["spool"] =
        "blocks s 100000000 1 50000000 1% /\nwritable yes\nlock works\ntype " + std::string(type);
    const auto finding = judged(health, "spool");
    EXPECT_EQ(finding.state, State::warning) << type;
    EXPECT_THAT(finding.detail, HasSubstr("locks")) << type;
  }
}

TEST(DoctorJudgeTest, a_place_that_hangs_or_cannot_be_written_is_a_failure) {
  auto health = sound();
  health.facts["home"] = "blocks s 100000000 1 50000000 1% /\nwritable no";
  EXPECT_EQ(judged(health, "home").state, State::failed);
  health.facts["home_code"] = "hangs";
  EXPECT_EQ(judged(health, "home").detail, "does not answer: a file server may be gone");
}

// manager_shall_kill() of systemd 252, logind-core.c.
TEST(DoctorJudgeTest, jobs_that_systemd_would_kill_are_a_failure) {
  const auto logout = [](const std::string& lines) {
    auto health = sound();
    health.facts["session"] = lines;
    return judged(health, "logout").state;
  };
  EXPECT_EQ(logout("scope none\nKillUserProcesses=yes"), State::ok);
  EXPECT_EQ(logout("scope session\nKillUserProcesses=no\nLinger=no"), State::ok);
  EXPECT_EQ(logout("scope session\nKillUserProcesses=yes\nLinger=yes"), State::failed);
  EXPECT_EQ(logout("scope session\nKillUserProcesses=yes\nKillExcludeUsers=root ann"), State::ok);
  EXPECT_EQ(logout("scope session\nKillUserProcesses=yes\nKillOnlyUsers=bob"), State::ok);
  EXPECT_EQ(logout("scope session\nKillUserProcesses=no\nKillOnlyUsers=bob ann"), State::failed);
}

TEST(DoctorJudgeTest, a_clock_is_judged_by_what_is_certain) {
  auto health = sound();
  health.skew = -2.5;
  health.skew_error = 0.6;
  EXPECT_EQ(judged(health, "clock").state, State::ok);
  health.skew_error = 0.4;
  EXPECT_EQ(judged(health, "clock").state, State::warning);
  EXPECT_EQ(judged(health, "clock").detail, "2.5 s behind ours (to 400 ms: half a round trip)");
  health.skew.reset();
  EXPECT_EQ(judged(health, "clock").state, State::warning);
}

TEST(DoctorJudgeTest, a_umask_that_lets_everybody_write_is_a_warning) {
  auto health = sound();
  for (const auto& [mask, state] : std::vector<std::pair<std::string, State>>{{"0022", State::ok},
                                                                              {"0077", State::ok},
                                                                              {"0002", State::ok},
                                                                              {"0000", State::warning},
                                                                              {"", State::warning}}) {
    health.facts["umask"] = mask;
    EXPECT_EQ(judged(health, "umask").state, state) << mask;
  }
}

TEST(DoctorJudgeTest, another_system_is_told_that_jobs_need_linux) {
  auto health = sound();
  health.facts["system"] = "Darwin";
  health.facts.erase("proc");
  EXPECT_EQ(judged(health, "basics").mend, "jobs need Linux; this is Darwin");
}

TEST(DoctorJudgeTest, a_host_that_can_make_no_file_is_not_accused_of_the_rest) {
  auto health = sound();
  health.facts = {{"user", "ann"}, {"no_scratch", "yes"}};
  const auto findings = judge(health);
  EXPECT_EQ(findings.size(), 3U);
  EXPECT_EQ(findings.back().state, State::failed);
}

}  // namespace
