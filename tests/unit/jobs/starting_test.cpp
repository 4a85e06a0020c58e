// Between the answer to a launch and the job's first process: its supervisor makes the work tree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "job_fixture.hpp"
#include "re/jobs/kill.hpp"

namespace re::jobs::test {
namespace {

using model::JobState;

/// A job whose tree is copied when `go` says so.
class StartingTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const auto snapshot = m_remote.home() / ".re/snapshots/s1";
    std::filesystem::create_directories(snapshot / "tree");
    std::ofstream(snapshot / "manifest").flush();
    std::ofstream(snapshot / "tree/file") << "text\n";
    make_cp("while [ ! -e \"$HOME/go\" ]; do sleep 0.02; done\nexec /usr/bin/cp \"$@\"\n");
    spec.work_tree = model::WorkTree::own;
    spec.snapshot = "s1";
  }
  void make_cp(const std::string& script) const {
    std::filesystem::create_directories(m_remote.home() / "bin");
    sys::write_file_atomic(m_remote.home() / "bin/cp", "#!/bin/dash\n" + script, 0755);
  }
  void go() const { std::ofstream(m_remote.home() / "go").flush(); }

  Remote m_remote{GetParam()};
  model::JobSpec spec = live_job("cat file");
};

// busybox's own cp comes before that of PATH.
INSTANTIATE_TEST_SUITE_P(JobHostTest, StartingTest, testing::Values("dash", "bash --posix"),
                         [](const auto& test) { return test.param.substr(0, test.param.find(' ')); });

TEST_P(StartingTest, a_launch_is_answered_before_the_tree_is_copied) {
  EXPECT_EQ(m_remote.launch(spec).answer, Launch::starting);
  EXPECT_EQ(m_remote.state(spec.id), JobState::committed);
  EXPECT_FALSE(std::filesystem::exists(m_remote.directory(spec.id) / "work"));
  go();
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  EXPECT_EQ(m_remote.read(spec.id, "log"), "text\n");
}

TEST_P(StartingTest, it_can_be_killed_and_never_begins) {
  ASSERT_EQ(m_remote.launch(spec).answer, Launch::starting);
  KillOptions options;
  options.grace = std::chrono::seconds(1);
  std::vector<JobId> ids = {spec.id};
  const auto reports = m_remote.await(kill_jobs(m_remote.host(), ids, options, k_deadline));
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].outcome, KillReport::Outcome::killed) << reports[0].reason;
  go();
  const auto status = m_remote.status(spec.id);
  EXPECT_EQ(status.state, JobState::done);
  EXPECT_EQ(status.exit_code, 143);
  EXPECT_FALSE(std::filesystem::exists(m_remote.directory(spec.id) / "run"));
}

TEST_P(StartingTest, a_tree_that_cannot_be_made_ends_it_with_the_reason_in_its_log) {
  make_cp("echo 'cp: No space left on device' >&2\nexit 1\n");
  for (const bool is_small : {false, true}) {
    if (is_small) std::ofstream(m_remote.home() / ".re/snapshots/s1/outline") << "1\n";
    spec = live_job("cat file");
    spec.work_tree = model::WorkTree::own;
    spec.snapshot = "s1";
    m_remote.launch(spec);
    ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
    EXPECT_EQ(m_remote.status(spec.id).exit_code, 125);
    EXPECT_THAT(m_remote.read(spec.id, "log"), testing::HasSubstr("No space left on device"));
    EXPECT_THAT(m_remote.read(spec.id, "log"), testing::EndsWith("re: the job was not started\n"));
  }
}

TEST_P(StartingTest, a_small_tree_has_the_modes_and_the_shared_directories_of_any_other) {
  const auto snapshot = m_remote.home() / ".re/snapshots/s1";
  make_cp("exec /usr/bin/cp \"$@\"\n");
  std::ofstream(snapshot / "tree/tool") << "#!/bin/sh\n";
  std::ofstream(snapshot / "outline") << "2\n./tool\n";
  for (const auto* file : {"tree/file", "tree/tool"})
    std::filesystem::permissions(snapshot / file, std::filesystem::perms{0444});
  std::filesystem::create_directories(m_remote.home() / "project/data");
  spec.command = "stat -c '%a %n' . file tool && readlink data && ls new/deep && : >file";
  spec.shared = {"data", "new/deep"};
  EXPECT_NE(m_remote.launch(spec).answer, Launch::starting);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  const auto project = (m_remote.home() / "project").string();
  EXPECT_EQ(m_remote.read(spec.id, "log"), "755 .\n644 file\n755 tool\n" + project + "/data\n");
  EXPECT_EQ(m_remote.status(spec.id).exit_code, 0);
}

}  // namespace
}  // namespace re::jobs::test
