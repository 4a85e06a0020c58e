#include "re/jobs/clean.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>

#include "job_fixture.hpp"

namespace re::jobs::test {
namespace {

namespace fs = std::filesystem;
using model::JobState;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Key;

class CleanTest : public testing::TestWithParam<std::string> {
 protected:
  // A snapshot by hand, with one file of `size` bytes.
  void make_snapshot(const std::string& name, std::size_t size = 0) {
    const auto snapshot = m_remote.home() / ".re/snapshots" / name;
    fs::create_directories(snapshot / "tree");
    std::ofstream(snapshot / "manifest").flush();
    std::ofstream(snapshot / "tree/file") << std::string(size, 'x');
    fs::permissions(snapshot / "tree", fs::perms::owner_read | fs::perms::owner_exec);
  }
  void set_latest(const std::string& name) {
    std::ofstream(m_remote.home() / ".re/snapshots/latest.project-1") << name << "\n";
  }
  model::JobSpec start(const std::string& command, const std::string& snapshot) {
    auto spec = live_job(command);
    spec.work_tree = model::WorkTree::own;
    spec.snapshot = snapshot;
    m_remote.launch(spec);
    return spec;
  }
  model::JobSpec run(const std::string& command, const std::string& snapshot) {
    auto spec = start(command, snapshot);
    EXPECT_TRUE(m_remote.wait_for(spec.id, JobState::done));
    return spec;
  }
  std::vector<Kept> remove(std::vector<Remains> remains) {
    return m_remote.await(jobs::remove(m_remote.host(), std::move(remains), k_deadline));
  }
  [[nodiscard]] bool has_snapshot(const std::string& name) const {
    return fs::exists(m_remote.home() / ".re/snapshots" / name / "manifest");
  }

  Remote m_remote{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(JobHostTest, CleanTest, testing::ValuesIn(shells()),
                         [](const auto& test) { return test.param.substr(0, test.param.find(' ')); });

TEST_P(CleanTest, the_survey_says_what_is_there_and_who_needs_it) {
  EXPECT_TRUE(m_remote.await(survey(m_remote.host(), k_deadline)).jobs.empty());
  make_snapshot("s1", 300'000);
  make_snapshot("s2");
  set_latest("s2");
  const auto job = run("head -c 500000 /dev/zero >out", "s1");
  const auto found = m_remote.await(survey(m_remote.host(), k_deadline));
  ASSERT_THAT(found.jobs, ElementsAre(Key(job.id)));
  EXPECT_EQ(found.jobs.at(job.id).snapshot, "s1");
  EXPECT_GE(found.jobs.at(job.id).size, 800'000U);
  ASSERT_THAT(found.snapshots, ElementsAre(Key("s1"), Key("s2")));
  EXPECT_GE(found.snapshots.at("s1").size, 300'000U);
  EXPECT_FALSE(found.snapshots.at("s1").is_latest);
  EXPECT_TRUE(found.snapshots.at("s2").is_latest);
}

TEST_P(CleanTest, ended_jobs_and_unused_snapshots_go_with_all_their_files) {
  make_snapshot("s1");
  make_snapshot("s2");
  set_latest("s2");
  const auto job = run("mkdir d; echo >d/f; chmod 0555 d", "s1");
  EXPECT_THAT(remove({{std::nullopt, "s1"}, {job.id}}), IsEmpty());
  EXPECT_FALSE(fs::exists(m_remote.directory(job.id)));
  EXPECT_FALSE(has_snapshot("s1"));
  EXPECT_TRUE(has_snapshot("s2"));
  EXPECT_TRUE(fs::is_empty(m_remote.home() / ".re/trash"));
}

TEST_P(CleanTest, a_live_job_and_its_snapshot_stay_whatever_is_asked) {
  make_snapshot("s1");
  make_snapshot("s2");
  set_latest("s2");
  const auto job = start("while [ ! -e ../go ]; do sleep 0.02; done", "s1");
  ASSERT_TRUE(m_remote.wait_for(job.id, JobState::running));
  const auto kept = remove({{job.id}, {std::nullopt, "s1"}, {std::nullopt, "s2"}});
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0].reason, "running");
  EXPECT_EQ(kept[1].reason, "used");
  EXPECT_EQ(kept[2].reason, "used");
  EXPECT_TRUE(has_snapshot("s1"));
  EXPECT_TRUE(has_snapshot("s2"));
  std::ofstream(m_remote.directory(job.id) / "go").flush();
  EXPECT_TRUE(m_remote.wait_for(job.id, JobState::done));
}

TEST_P(CleanTest, what_is_being_submitted_keeps_its_snapshot_and_what_was_broken_off_goes) {
  make_snapshot("s1");
  for (const std::string place : {".batch.01ab", ".new.01ab"}) {
    const auto directory = m_remote.home() / ".re/jobs" / place;
    const auto job = place == ".new.01ab" ? directory : directory / "01m80111j5yr0m3gpvc3j2njwk";
    fs::create_directories(job);
    std::ofstream(job / "plan") << "re_work=own\nre_snapshot=s1\n";
    const auto kept = remove({{std::nullopt, "s1"}});
    ASSERT_EQ(kept.size(), 1U) << place;
    EXPECT_EQ(kept[0].reason, "used");
    EXPECT_TRUE(m_remote.await(survey(m_remote.host(), k_deadline)).jobs.empty());
    fs::last_write_time(directory, fs::file_time_type::clock::now() - 2h);
    remove({{std::nullopt, "absent"}});
    EXPECT_FALSE(fs::exists(directory));
    EXPECT_TRUE(fs::is_empty(m_remote.home() / ".re/trash"));
  }
}

TEST_P(CleanTest, a_repeated_submission_of_a_removed_job_starts_nothing) {
  auto job = live_job("echo x >>\"$HOME/runs\"");
  m_remote.launch(job);
  ASSERT_TRUE(m_remote.wait_for(job.id, JobState::done));
  EXPECT_THAT(remove({{job.id}}), IsEmpty());
  EXPECT_EQ(m_remote.launch(job).answer, Launch::lost);
  EXPECT_FALSE(fs::exists(m_remote.directory(job.id)));
  EXPECT_EQ(m_remote.read_home("runs"), "x\n");
  const auto kept = remove({{job.id}});
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].reason, "gone");
}

TEST_P(CleanTest, what_has_links_from_what_stays_frees_nothing) {
  make_snapshot("s1", 400'000);
  make_snapshot("s2");
  fs::permissions(m_remote.home() / ".re/snapshots/s2/tree", fs::perms::owner_all);
  fs::create_hard_link(m_remote.home() / ".re/snapshots/s1/tree/file",
                       m_remote.home() / ".re/snapshots/s2/tree/linked");
  const std::vector<Remains> one = {{std::nullopt, "s1"}};
  const std::vector<Remains> both = {{std::nullopt, "s1"}, {std::nullopt, "s2"}};
  EXPECT_LT(m_remote.await(measure(m_remote.host(), one, k_deadline)), 100'000U);
  EXPECT_GE(m_remote.await(measure(m_remote.host(), both, k_deadline)), 400'000U);
}

TEST_P(CleanTest, a_snapshot_that_goes_while_a_job_is_submitted_is_asked_for_again) {
  if (GetParam().starts_with("busybox")) GTEST_SKIP() << "busybox's own mkdir comes before that of PATH";
  make_snapshot("s1");
  m_remote.use_path(m_remote.home().string() + "/bin:/usr/bin:/bin");
  // Between the first look for the snapshot and the commit, somebody cleans.
  fs::create_directories(m_remote.home() / "bin");
  sys::write_file_atomic(
      m_remote.home() / "bin/mkdir",
      "#!/bin/dash\nmv \"$HOME/.re/snapshots/s1\" \"$HOME/away\"\nexec /usr/bin/mkdir \"$@\"\n", 0755);
  auto job = split_job("true");
  job.work_tree = model::WorkTree::own;
  job.snapshot = "s1";
  EXPECT_EQ(m_remote.launch(job).answer, Launch::need_snapshot);
  EXPECT_TRUE(fs::is_empty(m_remote.home() / ".re/jobs"));
}

#ifdef RE_FAILPOINTS
TEST_P(CleanTest, killed_at_any_step_it_leaves_whole_jobs_and_the_next_one_finishes) {
  for (const std::string step : {"clean.removed", "clean.renamed", "clean.away"}) {
    make_snapshot("s1");
    make_snapshot("s2");
    set_latest("s2");
    const auto job = run("true", "s1");
    ::setenv("RE_FAULT", (step + ":1:kill").c_str(), 1);
    EXPECT_THROW(remove({{job.id}, {std::nullopt, "s1"}}), Error) << step;
    ::unsetenv("RE_FAULT");
    const bool is_there = fs::exists(m_remote.directory(job.id));
    EXPECT_EQ(is_there, step == "clean.removed") << step;
    if (is_there) {
      EXPECT_EQ(m_remote.state(job.id), JobState::done);
    }
    remove({{job.id}, {std::nullopt, "s1"}});
    EXPECT_FALSE(fs::exists(m_remote.directory(job.id))) << step;
    EXPECT_FALSE(has_snapshot("s1")) << step;
    fs::permissions(m_remote.home() / ".re/snapshots/s2/tree", fs::perms::owner_all);
    fs::remove_all(m_remote.home() / ".re/snapshots");
  }
}

TEST_P(CleanTest, a_snapshot_that_cannot_be_removed_is_said_to_be_kept_and_is_there) {
  make_snapshot("s1");
  make_snapshot("s2");
  set_latest("s2");
  ::setenv("RE_FAULT", "clean.away:1:eio", 1);
  const auto kept = remove({{std::nullopt, "s1"}});
  ::unsetenv("RE_FAULT");
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].reason, "failed");
  EXPECT_TRUE(has_snapshot("s1"));
}
#endif

}  // namespace
}  // namespace re::jobs::test
