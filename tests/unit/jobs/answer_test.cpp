// What a host answers that has gone wrong, or is no host of ours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "job_fixture.hpp"
#include "re/jobs/kill.hpp"

namespace re::jobs::test {
namespace {

using testing::HasSubstr;

class AnswerTest : public testing::Test {
 protected:
  template <class Call>
  std::string error_of(const std::string& output, const std::string& trailer, const Call& call) {
    m_remote.answer(output, trailer);
    try {
      call();
    } catch (const Error& error) {
      return error.message();
    }
    return "no error";
  }

  Remote m_remote;
  model::JobSpec m_job = live_job("true");
};

TEST_F(AnswerTest, nonsense_about_a_launch_is_an_error) {
  const auto launch = [&] { m_remote.launch(m_job); };
  EXPECT_THAT(error_of("", "DANCING 1", launch), HasSubstr("cannot be understood: \"DANCING 1\""));
  EXPECT_THAT(error_of("", "STARTED x", launch), HasSubstr("cannot be understood: \"STARTED x\""));
  EXPECT_THAT(error_of("", "NOTOOL flock", launch), HasSubstr("here has no flock"));
  EXPECT_THAT(error_of("", "FAILED write the job", launch), HasSubstr("here could not write the job"));
}

TEST_F(AnswerTest, nonsense_about_a_log_is_an_error) {
  const auto tail = [&] {
    m_remote.await(m_remote.jobs().tail_log(m_job.id, 10, [](std::string_view) {}, k_deadline));
  };
  for (const auto* trailer :
       {"running - size=x err=-", "running - size=1", "running - size=1 err=x", "dancing"}) {
    EXPECT_THAT(error_of("", trailer, tail), HasSubstr("cannot be understood")) << trailer;
  }
}

TEST_F(AnswerTest, nonsense_about_a_kill_is_an_error) {
  const auto kill = [&] {
    m_remote.await(
        kill_jobs(m_remote.host(), {m_job.id}, {std::chrono::milliseconds(0), SIGTERM}, k_deadline));
  };
  EXPECT_THAT(error_of("sorry\n", "", kill), HasSubstr("answered 'sorry' to a kill"));
  EXPECT_THAT(error_of("report " + m_job.id.text() + " danced\n", "", kill), HasSubstr("to a kill"));
  EXPECT_THAT(error_of("", "", kill), HasSubstr("did not say what became of job " + m_job.id.text()));
}

TEST_F(AnswerTest, a_list_of_a_project_holds_no_other_jobs) {
  m_remote.launch(m_job);
  ASSERT_TRUE(m_remote.wait_for(m_job.id, model::JobState::done));
  ListFilter filter;
  filter.scope = ListFilter::Scope::all;
  filter.project_id = m_job.project_id;
  EXPECT_EQ(m_remote.await(m_remote.jobs().list(filter, k_deadline)).jobs.size(), 1U);
  filter.project_id = "project-2";
  EXPECT_EQ(m_remote.await(m_remote.jobs().list(filter, k_deadline)).jobs.size(), 0U);
}

}  // namespace
}  // namespace re::jobs::test
