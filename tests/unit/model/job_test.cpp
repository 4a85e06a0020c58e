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

TEST(OwnScriptTest, people_are_shown_what_they_would_write) {
  re::model::JobSpec spec{.id = *re::JobId::parse(std::string(26, '0'))};
  const std::vector<std::string> words = {"re", "data", "http://host/a b", "touch\nmade"};
  re::model::set_own_script(spec, "THING", "touch ran\n", words);
  EXPECT_EQ(re::model::shown_command(spec.command), "re data 'http://host/a b' 'touch made'");
  EXPECT_EQ(spec.command.find('\n'), std::string::npos);
  ASSERT_EQ(spec.environment.size(), 1U);
  EXPECT_EQ(spec.environment[0].first, "RE_THING");
  EXPECT_EQ(spec.command.substr(0, spec.command.find(" # ")), "eval \"$RE_THING\"");
}

TEST(OwnScriptTest, any_other_command_is_shown_as_it_is) {
  for (const auto* const command : {"python x.py # not ours", "eval \"$X\" # x", "eval \"$RE_X\"", ""})
    EXPECT_EQ(re::model::shown_command(command), command);
}

}  // namespace
