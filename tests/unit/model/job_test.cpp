#include "re/model/job.hpp"

#include <gtest/gtest.h>

namespace {

using re::model::JobState;

TEST(JobStateTest, every_state_has_a_name_that_is_read_back) {
  for (int i = 0; i <= static_cast<int>(JobState::incomplete); ++i) {
    const auto state = static_cast<JobState>(i);
    EXPECT_EQ(re::model::parse_job_state(re::model::to_string(state)), state);
  }
  EXPECT_EQ(re::model::parse_job_state("asleep"), std::nullopt);
}

TEST(JobStateTest, no_state_is_both_live_and_final) {
  for (int i = 0; i <= static_cast<int>(JobState::incomplete); ++i) {
    const auto state = static_cast<JobState>(i);
    EXPECT_FALSE(re::model::is_live(state) && re::model::is_final(state)) << re::model::to_string(state);
  }
}

}  // namespace
