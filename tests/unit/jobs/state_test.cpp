// Every row of the state table, made for real (ARCHITECTURE.md, "A job on a host").
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "job_fixture.hpp"
#include "re/base/strings.hpp"

namespace re::jobs::test {
namespace {

using model::JobState;

class StateTest : public testing::TestWithParam<std::string> {
 protected:
  int launch_waiting(const model::JobSpec& spec) {
    const auto report = m_remote.launch(spec);
    EXPECT_EQ(report.answer, Launch::started);
    return report.pid.value_or(0);
  }
  static int parent_of(int pid) {
    const auto stat = sys::read_file("/proc/" + std::to_string(pid) + "/stat");
    return std::stoi(stat.substr(stat.rfind(") ") + 4));
  }
  void go() const { std::ofstream(m_remote.home() / "go").flush(); }

  Remote m_remote{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(JobHostTest, StateTest, testing::ValuesIn(shells()),
                         [](const auto& test) { return test.param.substr(0, test.param.find(' ')); });

const std::string k_wait = "while [ ! -e ../go ]; do sleep 0.02; done";

TEST_P(StateTest, a_job_whose_supervisor_is_killed_is_unsupervised_then_lost) {
  const auto spec = live_job(k_wait);
  const int pid = launch_waiting(spec);
  ASSERT_EQ(::kill(parent_of(pid), SIGKILL), 0);
  EXPECT_TRUE(m_remote.wait_for(spec.id, JobState::unsupervised));
  EXPECT_EQ(m_remote.status(spec.id).pid, pid);
  EXPECT_EQ(m_remote.launch(spec).answer, Launch::started);
  go();
  EXPECT_TRUE(m_remote.wait_for(spec.id, JobState::lost));
  EXPECT_EQ(m_remote.launch(spec).answer, Launch::lost);
}

TEST_P(StateTest, a_job_that_is_killed_is_done_with_its_signal) {
  const auto spec = live_job("exec sleep 1000");
  ASSERT_EQ(::kill(launch_waiting(spec), SIGKILL), 0);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  EXPECT_EQ(m_remote.status(spec.id).exit_code, 137);
}

TEST_P(StateTest, a_job_that_leaves_a_daemon_has_leftovers_until_that_ends) {
  const auto spec = live_job("setsid sh -c '" + k_wait + "' </dev/null >/dev/null 2>&1 & exit 4");
  m_remote.launch(spec);
  EXPECT_TRUE(m_remote.wait_for(spec.id, JobState::leftovers));
  EXPECT_EQ(m_remote.status(spec.id).exit_code, 4);
  EXPECT_EQ(m_remote.launch(spec).answer, Launch::exited);
  go();
  EXPECT_TRUE(m_remote.wait_for(spec.id, JobState::done));
}

TEST_P(StateTest, a_job_of_an_earlier_boot_was_killed_by_the_reboot) {
  const auto spec = live_job("exec sleep 1000");
  const int pid = launch_waiting(spec);
  ::kill(parent_of(pid), SIGKILL);
  ::kill(pid, SIGKILL);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::lost));
  const auto run = m_remote.read(spec.id, "run");
  const auto at = run.find("boot=") + 5;
  const auto boot = run.substr(at, run.find(' ', at) - at);
  sys::write_file_atomic(m_remote.directory(spec.id) / "run",
                         replace_all(run, boot, "00000000-0000-4000-8000-000000000000"));
  EXPECT_EQ(m_remote.state(spec.id), JobState::rebooted);
  EXPECT_EQ(m_remote.launch(spec).answer, Launch::lost);
}

TEST_P(StateTest, a_job_of_another_host_with_the_same_home_is_unknown) {
  const auto spec = live_job("exec sleep 1000");
  ::kill(parent_of(launch_waiting(spec)), SIGKILL);
  auto run = m_remote.read(spec.id, "run");
  run.replace(run.find("boot=") + 5, 8, "00000000");
  run.replace(run.find("host=") + 5, 1, "other-");
  sys::write_file_atomic(m_remote.directory(spec.id) / "run", run);
  EXPECT_EQ(m_remote.state(spec.id), JobState::unknown);
}

// A crash of the host can leave one: a directory appears with all that is in it.
TEST_P(StateTest, a_directory_without_a_spec_is_an_incomplete_submission_and_never_runs) {
  const auto spec = live_job("true");
  std::filesystem::create_directories(m_remote.directory(spec.id));
  std::ofstream(m_remote.directory(spec.id) / "plan") << "re_work";
  EXPECT_EQ(m_remote.state(spec.id), JobState::incomplete);
  EXPECT_EQ(m_remote.launch(spec).answer, Launch::lost);
  EXPECT_EQ(m_remote.state(spec.id), JobState::incomplete);
}

TEST_P(StateTest, an_accepted_job_that_nobody_started_is_committed_and_starts_at_the_next_launch) {
  const auto spec = live_job("echo x >>../runs");
  m_remote.launch(spec);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  m_remote.forget_start(spec.id);
  EXPECT_EQ(m_remote.state(spec.id), JobState::committed);
  m_remote.launch(spec);
  EXPECT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  EXPECT_EQ(m_remote.read_home("runs"), "x\nx\n");
}

TEST_P(StateTest, the_files_of_a_job_are_private) {
  const auto spec = live_job("true");
  m_remote.launch(spec);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  struct stat about{};
  ASSERT_EQ(::stat(m_remote.directory(spec.id).c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777U, 0700U);
  for (const auto& entry : std::filesystem::directory_iterator(m_remote.directory(spec.id))) {
    ASSERT_EQ(::stat(entry.path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0077U, 0U) << entry.path();
  }
}

TEST(MissingToolTest, a_host_without_flock_is_refused_in_one_line) {
  Remote remote;
  const auto bin = remote.home() / "only";
  std::filesystem::create_directories(bin);
  for (const std::string tool : {"cat", "ls", "mkdir", "uname", "setsid", "dash"}) {
    std::filesystem::create_symlink("/usr/bin/" + tool, bin / tool);
  }
  remote.use_path(bin);
  const auto spec = live_job("true");
  try {
    remote.launch(spec);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_NE(std::string(error.what()).find("no flock"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(std::filesystem::exists(remote.home() / ".re"));
}

}  // namespace
}  // namespace re::jobs::test
