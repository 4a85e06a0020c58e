// Many submissions in one message: accepted together, each run once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "job_fixture.hpp"
#include "re/base/strings.hpp"

namespace re::jobs::test {
namespace {

using model::JobState;

class BatchTest : public testing::TestWithParam<std::string> {
 protected:
  static std::vector<model::JobSpec> make(std::size_t count) {
    std::vector<model::JobSpec> specs;
    for (std::size_t i = 0; i < count; ++i) {
      specs.push_back(live_job("echo \"$RE_JOB_ID\" >>../ran; echo " + std::to_string(i)));
      specs.back().index = static_cast<std::uint32_t>(i + 1);
    }
    return specs;
  }
  Launch launch(const std::vector<model::JobSpec>& specs) {
    return m_remote.await(m_remote.jobs().launch_batch(specs, k_deadline));
  }
  void expect_each_ran_once(const std::vector<model::JobSpec>& specs) {
    for (const auto& spec : specs) ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done)) << spec.id.text();
    std::map<std::string, int> runs;
    const std::string ran = m_remote.read_home("ran");
    for (const auto line : split_lines(ran)) ++runs[std::string(line)];
    EXPECT_EQ(runs.size(), specs.size());
    for (const auto& spec : specs) EXPECT_EQ(runs[spec.id.text()], 1) << spec.id.text();
  }
  bool is_tidy() {
    for (const auto& entry : std::filesystem::directory_iterator(m_remote.home() / ".re/jobs")) {
      if (entry.path().filename().string().starts_with(".")) return false;
    }
    return true;
  }

  Remote m_remote{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(JobHostTest, BatchTest, testing::ValuesIn(shells()),
                         [](const auto& test) { return test.param.substr(0, test.param.find(' ')); });

TEST_P(BatchTest, every_job_runs_once_with_its_own_output_however_often_it_is_sent) {
  const auto specs = make(20);
  EXPECT_EQ(launch(specs), Launch::committed);
  EXPECT_EQ(launch(specs), Launch::committed);
  expect_each_ran_once(specs);
  EXPECT_EQ(launch(specs), Launch::committed);
  expect_each_ran_once(specs);
  EXPECT_EQ(m_remote.read(specs[7].id, "log"), "7\n");
  EXPECT_TRUE(is_tidy());
}

TEST_P(BatchTest, what_is_missing_is_added_to_what_is_there) {
  const auto specs = make(6);
  EXPECT_EQ(launch({specs[1], specs[4]}), Launch::committed);
  EXPECT_EQ(launch(specs), Launch::committed);
  expect_each_ran_once(specs);
}

TEST_P(BatchTest, another_job_with_one_of_the_ids_is_a_conflict_and_nothing_is_made) {
  auto specs = make(3);
  EXPECT_EQ(launch({specs[1]}), Launch::committed);
  specs[1].command = "false";
  EXPECT_EQ(launch(specs), Launch::conflict);
  EXPECT_FALSE(std::filesystem::exists(m_remote.directory(specs[0].id)));
  EXPECT_TRUE(is_tidy());
}

TEST_P(BatchTest, a_snapshot_that_is_missing_is_asked_for) {
  auto specs = make(3);
  for (auto& spec : specs) {
    spec.work_tree = model::WorkTree::own;
    spec.snapshot = "s1";
  }
  EXPECT_EQ(launch(specs), Launch::need_snapshot);
  EXPECT_FALSE(std::filesystem::exists(m_remote.directory(specs[0].id)));
  EXPECT_TRUE(is_tidy());
}

#ifdef RE_FAILPOINTS
TEST_P(BatchTest, broken_at_any_step_and_sent_again_it_runs_each_job_once) {
  for (const std::string step :
       {"batch.mkdir", "batch.write", "batch.sync", "batch.commit", "batch.committed", "starter.next",
        "launch.start", "supervise.lock", "claim.make"}) {
    for (const std::string way : {"kill", "enospc"}) {
      SCOPED_TRACE(step + ":" + way);
      std::filesystem::remove(m_remote.home() / "ran");
      std::filesystem::remove(m_remote.home() / ".re-fault");
      const auto specs = make(3);
      ::setenv("RE_FAULT", (step + ":1:" + way).c_str(), 1);
      try {
        launch(specs);
      } catch (const Error&) {
      }
      ::unsetenv("RE_FAULT");
      ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(m_remote.home() / ".re-fault"); }));
      EXPECT_EQ(launch(specs), Launch::committed);
      ASSERT_NO_FATAL_FAILURE(expect_each_ran_once(specs));
    }
  }
}
#endif

}  // namespace
}  // namespace re::jobs::test
