#include "re/engine/clean.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "re/sys/random.hpp"

namespace re::engine {
namespace {

using namespace std::chrono_literals;
using model::JobState;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::chrono::system_clock::time_point k_now{std::chrono::hours(500'000)};
constexpr auto k_day = 24h;

// A host with jobs and what they take.
class CleanPlanTest : public testing::Test {
 protected:
  CleanPlanTest() { m_listing.now = k_now; }

  JobId add(JobState state, std::chrono::hours age, const std::string& snapshot = {},
            std::uint64_t size = 100, const std::string& project = "p") {
    model::JobStatus job{sys::make_job_id(m_clock)};
    job.index = static_cast<std::uint32_t>(m_listing.jobs.size() + 1);
    job.project_id = project;
    job.state = state;
    if (state == JobState::done) job.ended = k_now - age;
    m_survey.jobs[job.id] = {size, snapshot};
    if (!snapshot.empty()) m_survey.snapshots.try_emplace(snapshot, jobs::Survey::Snapshot{1000, false});
    m_listing.jobs.push_back(job);
    return job.id;
  }
  std::vector<std::uint32_t> planned(const CleanRules& rules) {
    m_plan = plan_clean(m_listing, m_survey, rules);
    std::vector<std::uint32_t> indexes;
    indexes.reserve(m_plan.jobs.size());
    for (const auto& job : m_plan.jobs) indexes.push_back(job.index);
    return indexes;
  }

  sys::SystemClock m_clock;
  jobs::Listing m_listing;
  jobs::Survey m_survey;
  CleanPlan m_plan;
};

TEST_F(CleanPlanTest, only_ended_jobs_go) {
  for (const auto state : {JobState::intent, JobState::unknown, JobState::committed, JobState::running,
                           JobState::unsupervised, JobState::leftovers}) {
    add(state, k_day, "s");
  }
  CleanRules rules;
  rules.keep = 0;
  EXPECT_THAT(planned(rules), IsEmpty());
  EXPECT_THAT(m_plan.snapshots, IsEmpty());
}

TEST_F(CleanPlanTest, age_is_counted_from_the_end_by_the_hosts_clock) {
  add(JobState::done, 8 * k_day);
  add(JobState::done, 6 * k_day);
  add(JobState::done, 1h);
  CleanRules rules;
  rules.older_than = 7 * k_day;
  EXPECT_THAT(planned(rules), ElementsAre(1));
}

TEST_F(CleanPlanTest, an_end_that_is_told_a_second_ahead_of_the_clock_has_the_age_of_none) {
  add(JobState::done, 0h);
  m_listing.jobs.back().ended = k_now + 1s;
  CleanRules rules;
  rules.keep = 0;
  rules.older_than = 0s;
  EXPECT_THAT(planned(rules), ElementsAre(1));
}

TEST_F(CleanPlanTest, the_newest_of_each_project_stay) {
  add(JobState::done, 3 * k_day, {}, 1, "p");
  add(JobState::done, 2 * k_day, {}, 1, "p");
  add(JobState::done, 9 * k_day, {}, 1, "q");
  CleanRules rules;
  EXPECT_THAT(planned(rules), ElementsAre(1));
  rules.keep = 0;
  EXPECT_THAT(planned(rules), ElementsAre(3, 1, 2));
  const CleanRules of_one{.project_id = "q", .keep = 0};
  EXPECT_THAT(planned(of_one), ElementsAre(3));
}

TEST_F(CleanPlanTest, named_jobs_go_whatever_the_rules_say_unless_they_live) {
  const auto ended = add(JobState::done, 1h);
  const auto live = add(JobState::running, 1h);
  const CleanRules rules{.project_id = "other", .named = {ended, live}, .older_than = 7 * k_day};
  EXPECT_THAT(planned(rules), ElementsAre(1));
}

TEST_F(CleanPlanTest, as_few_of_the_oldest_go_as_the_size_needs) {
  add(JobState::done, 4 * k_day, "old", 500);
  add(JobState::done, 3 * k_day, "new", 500);
  add(JobState::done, 2 * k_day, "new", 500);
  CleanRules rules;
  rules.keep = 0;
  rules.max_size = 3500;
  EXPECT_THAT(planned(rules), IsEmpty());
  rules.max_size = 3499;
  EXPECT_THAT(planned(rules), ElementsAre(1));
  EXPECT_THAT(m_plan.snapshots, ElementsAre("old"));
  rules.max_size = 1999;
  EXPECT_THAT(planned(rules), ElementsAre(1, 2));
  rules.max_size = 0;
  EXPECT_THAT(planned(rules), ElementsAre(1, 2, 3));
  EXPECT_THAT(m_plan.snapshots, ElementsAre("old", "new"));
}

TEST_F(CleanPlanTest, snapshots_that_nobody_needs_go_and_each_projects_newest_stays) {
  add(JobState::running, 1h, "used");
  m_survey.snapshots["unused"] = {1000, false};
  m_survey.snapshots["latest"] = {1000, true};
  EXPECT_THAT(planned({}), IsEmpty());
  EXPECT_THAT(m_plan.snapshots, ElementsAre("unused"));
}

}  // namespace
}  // namespace re::engine
