// What a host answers that has gone wrong, or is no host of ours.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "job_fixture.hpp"
#include "jobs/calls.hpp"
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

  static std::string message_of(const std::string& complaint) {
    try {
      read_launch_answer("FAILED write the job", complaint, "gpu1");
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
  EXPECT_THAT(error_of("", "NOTOOL /proc", launch), HasSubstr("here has no /proc"));
  EXPECT_THAT(error_of("", "NOJOB", launch), HasSubstr("the job is no longer on here"));
  EXPECT_THAT(error_of("", "FAILED write the job", launch), HasSubstr("here could not write the job"));
}

TEST_F(AnswerTest, each_answer_about_a_launch_is_told_apart) {
  const auto report_of = [&](const std::string& trailer) {
    m_remote.answer("", trailer);
    return m_remote.launch(m_job);
  };
  EXPECT_EQ(report_of("STARTED 17").pid, 17);
  EXPECT_EQ(report_of("EXITED 3").exit_code, 3);
  const std::vector<std::pair<std::string, Launch>> words = {
      {"STARTED 17", Launch::started},        {"EXITED 3", Launch::exited}, {"STARTING", Launch::starting},
      {"COMMITTED", Launch::committed},       {"LOST", Launch::lost},       {"CONFLICT", Launch::conflict},
      {"NEEDSNAPSHOT", Launch::need_snapshot}};
  for (const auto& [word, answer] : words) EXPECT_EQ(report_of(word).answer, answer) << word;
}

// What the tools said goes with it: the first line, and not without end.
TEST_F(AnswerTest, a_launch_that_failed_says_what_the_tools_said) {
  EXPECT_EQ(message_of("\n mkdir: No space left \nmore\n"),
            "gpu1 could not write the job: mkdir: No space left ");
  EXPECT_EQ(message_of(std::string(1000, 'x')), "gpu1 could not write the job: " + std::string(300, 'x'));
  EXPECT_EQ(message_of(" \n"), "gpu1 could not write the job");
}

TEST_F(AnswerTest, a_job_that_is_not_there_is_not_found_by_any_call) {
  const auto kind_of = [&](const auto& call) {
    m_remote.answer("", "NOJOB");
    try {
      call();
    } catch (const Error& error) {
      return error.kind();
    }
    return ErrorKind::protocol;
  };
  auto& jobs = m_remote.jobs();
  EXPECT_EQ(kind_of([&] { m_remote.await(jobs.resume(m_job.id, k_deadline)); }), ErrorKind::not_found);
  EXPECT_EQ(kind_of([&] { m_remote.await(jobs.send_signal(m_job.id, SIGUSR1, k_deadline)); }),
            ErrorKind::not_found);
  EXPECT_EQ(kind_of([&] { m_remote.await(jobs.read_log(m_job.id, {}, k_deadline)); }), ErrorKind::not_found);
}

// A shell's variable holds no NUL: of a diff that has one the rest arrives.
TEST_F(AnswerTest, a_diff_with_a_nul_in_it_arrives_without_it) {
  m_job.git_diff = std::string("-a\0b\n+c\n", 8);
  m_remote.launch(m_job);
  ASSERT_TRUE(m_remote.wait_for(m_job.id, model::JobState::done));
  EXPECT_EQ(m_remote.read(m_job.id, "git.diff"),
            "-a\xEF\xBF\xBD"
            "b\n+c\n");
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
  const std::string survivor = "survivor " + m_job.id.text();
  EXPECT_THAT(error_of(survivor + " x sleep\n", "", kill), HasSubstr("to a kill"));
  EXPECT_THAT(error_of("dancer " + m_job.id.text() + " 7 sleep\n", "", kill), HasSubstr("to a kill"));
  EXPECT_THAT(error_of(survivor + " 7 sleep 9\n", "", kill), HasSubstr("did not say what became of job"));
  EXPECT_THAT(error_of("", "", kill), HasSubstr("did not say what became of job " + m_job.id.text()));
}

TEST_F(AnswerTest, a_report_of_a_kill_is_read_whole) {
  m_remote.answer("survivor " + m_job.id.text() + " 7 sleep 9\nreport " + m_job.id.text() + " survivors\n",
                  "");
  const auto reports = m_remote.await(
      kill_jobs(m_remote.host(), {m_job.id}, {std::chrono::milliseconds(0), SIGTERM}, k_deadline));
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].outcome, KillReport::Outcome::survivors);
  ASSERT_EQ(reports[0].survivors.size(), 1U);
  EXPECT_EQ(reports[0].survivors[0].pid, 7);
  EXPECT_EQ(reports[0].survivors[0].command, "sleep 9");
}

TEST_F(AnswerTest, of_orphans_only_those_that_are_named_plainly_count) {
  m_remote.answer("orphan " + m_job.id.text() + "\norphan x\nsorry " + m_job.id.text() + "\n", "");
  EXPECT_EQ(m_remote.await(find_orphans(m_remote.host(), {m_job.id}, k_deadline)),
            std::vector<JobId>{m_job.id});
}

TEST_F(AnswerTest, who_asks_about_no_job_asks_nobody) {
  m_remote.answer("sorry\n", "");
  EXPECT_TRUE(m_remote.await(find_orphans(m_remote.host(), {}, k_deadline)).empty());
  EXPECT_TRUE(m_remote.await(kill_jobs(m_remote.host(), {}, {}, k_deadline)).empty());
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
