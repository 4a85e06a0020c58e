#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "job_fixture.hpp"
#include "jobs/calls.hpp"
#include "jobs/spec.hpp"
#include "re/base/strings.hpp"

namespace re::jobs::test {
namespace {

using model::JobState;
using testing::HasSubstr;

class EveryShell : public testing::TestWithParam<std::string> {
 protected:
  Remote m_remote{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(JobHostTest, EveryShell, testing::ValuesIn(shells()),
                         [](const auto& test) { return test.param.substr(0, test.param.find(' ')); });

TEST_P(EveryShell, a_job_runs_and_leaves_its_output_and_exit_code) {
  auto spec = live_job("echo out; echo err >&2; exit 7");
  const auto report = m_remote.launch(spec);
  EXPECT_TRUE(report.answer == Launch::started || report.answer == Launch::exited);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  const auto status = m_remote.status(spec.id);
  EXPECT_EQ(status.exit_code, 7);
  EXPECT_EQ(status.name, "runner");
  EXPECT_EQ(status.command, spec.command);
  EXPECT_EQ(status.log_size, 8U);
  ASSERT_TRUE(status.started && status.ended && status.elapsed);
  EXPECT_EQ(m_remote.read(spec.id, "log"), "out\nerr\n");
}

TEST_P(EveryShell, a_job_has_its_environment_its_directory_the_users_umask_and_no_descriptor_but_its_lock) {
  ::umask(022);
  auto spec = live_job(
      "pwd; umask; echo \"$RE_JOB_ID $RE_JOB_INDEX $RE_JOB_NAME $RE_PROJECT $PYTHONUNBUFFERED\"; "
      "printf '%s' \"$ODD\"; echo; for fd in 4 5 6 7 8 9; do [ -e /proc/$$/fd/$fd ] && echo fd $fd; done; "
      "readlink /proc/self/fd/0; "
      "echo \"${RE_SUPERVISOR-unset}\"");
  spec.environment = {{"ODD", "a 'b'\n$(c) \\ %"}};
  m_remote.launch(spec);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  const std::string log = m_remote.read(spec.id, "log");
  EXPECT_THAT(log, HasSubstr(std::filesystem::canonical(m_remote.home() / "project").string() + "\n0022\n"));
  EXPECT_THAT(log, HasSubstr(spec.id.text() + " 1 runner project 1\na 'b'\n$(c) \\ %\n"));
  EXPECT_THAT(log, HasSubstr("%\nfd 9\n/dev/null\nunset\n"));
}

TEST_P(EveryShell, a_job_runs_once_however_often_it_is_submitted) {
  const auto spec = live_job("echo x >>../runs; while [ ! -e ../go ]; do sleep 0.02; done; exit 3");
  EXPECT_EQ(m_remote.launch(spec).answer, Launch::started);
  const auto again = m_remote.launch(spec);
  EXPECT_EQ(again.answer, Launch::started);
  EXPECT_TRUE(again.pid && ::kill(*again.pid, 0) == 0);
  EXPECT_EQ(m_remote.state(spec.id), JobState::running);
  std::ofstream(m_remote.home() / "go").flush();
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  const auto after = m_remote.launch(spec);
  EXPECT_EQ(after.answer, Launch::exited);
  EXPECT_EQ(after.exit_code, 3);
  EXPECT_EQ(m_remote.read_home("runs"), "x\n");
}

TEST_P(EveryShell, another_job_under_the_same_id_is_a_conflict) {
  auto spec = live_job("echo x >>../runs");
  m_remote.launch(spec);
  auto other = spec;
  other.command = "echo y >>../runs";
  EXPECT_EQ(m_remote.launch(other).answer, Launch::conflict);
  other = spec;
  other.environment = {{"A", "b"}};
  EXPECT_EQ(m_remote.launch(other).answer, Launch::conflict);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  EXPECT_EQ(m_remote.read_home("runs"), "x\n");
}

TEST_P(EveryShell, a_job_without_its_snapshot_leaves_nothing) {
  auto spec = live_job("true");
  spec.work_tree = model::WorkTree::own;
  spec.snapshot = "absent";
  EXPECT_EQ(m_remote.launch(spec).answer, Launch::need_snapshot);
  EXPECT_FALSE(std::filesystem::exists(m_remote.directory(spec.id)));
}

TEST_P(EveryShell, a_kill_request_before_the_start_keeps_it_from_starting) {
  const auto spec = live_job("echo x >>../runs");
  m_remote.launch(spec);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  m_remote.forget_start(spec.id);
  std::ofstream(m_remote.directory(spec.id) / "kill.req").flush();
  ASSERT_EQ(m_remote.state(spec.id), JobState::committed);
  m_remote.launch(spec);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  EXPECT_EQ(m_remote.status(spec.id).exit_code, 143);
  EXPECT_EQ(m_remote.read_home("runs"), "x\n");
}

TEST_P(EveryShell, a_job_begins_with_the_default_signals) {
  // SigIgn of the job: bits of HUP (1), INT (2), QUIT (3), PIPE (13), TERM (15).
  const auto spec = live_job("grep SigIgn /proc/self/status");
  m_remote.launch(spec);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  const std::string log = m_remote.read(spec.id, "log");
  const auto mask = std::stoull(log.substr(log.find(':') + 2), nullptr, 16);
  // busybox has no `setsid -f`: the shell's & has then ignored INT and QUIT for good.
  const unsigned long long allowed = GetParam() == "busybox sh" ? 0x6U : 0;
  EXPECT_EQ(mask & 0x5007U & ~allowed, 0U) << log;
}

TEST_P(EveryShell, a_signal_reaches_the_jobs_group_and_nothing_else) {
  const auto spec = live_job("trap 'echo got; exit 9' USR1; echo ready; while :; do sleep 0.02; done");
  m_remote.launch(spec);
  ASSERT_TRUE(wait_until([&] { return m_remote.read(spec.id, "log") == "ready\n"; }));
  EXPECT_EQ(m_remote.await(m_remote.jobs().send_signal(spec.id, SIGUSR1, k_deadline)), SignalAnswer::sent);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  EXPECT_EQ(m_remote.status(spec.id).exit_code, 9);
  EXPECT_EQ(m_remote.await(m_remote.jobs().send_signal(spec.id, SIGUSR1, k_deadline)), SignalAnswer::gone);
}

}  // namespace
}  // namespace re::jobs::test
