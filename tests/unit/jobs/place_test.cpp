// A place for a job that a waiting shell has made ahead: it is used by one job, or goes with the shell.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "job_fixture.hpp"
#include "jobs/calls.hpp"
#include "jobs/spec.hpp"
#include "re/base/strings.hpp"

namespace re::jobs::test {
namespace {

using model::JobState;

class PlaceTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    make_snapshot("s1", "one\n");
    m_remote.start_ahead();
  }
  void make_snapshot(const std::string& name, const std::string& text) const {
    const auto snapshot = m_remote.home() / ".re/snapshots" / name;
    std::filesystem::create_directories(snapshot / "tree");
    std::ofstream(snapshot / "manifest").flush();
    std::ofstream(snapshot / "outline") << "1\n";
    std::ofstream(snapshot / "tree/file") << text;
    std::ofstream(snapshot.parent_path() / ("latest." + split_job("true").project_id)) << name << "\n";
  }
  [[nodiscard]] static model::JobSpec own(const model::JobSpec& job, const std::string& snapshot = "s1") {
    auto spec = job;
    spec.work_tree = model::WorkTree::own;
    spec.snapshot = snapshot;
    return spec;
  }
  [[nodiscard]] std::vector<std::filesystem::path> places() const {
    std::vector<std::filesystem::path> found;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(m_remote.home() / ".re/jobs", ignored))
      if (entry.path().filename().string().starts_with(".new.")) found.push_back(entry.path());
    return found;
  }
  /// A shell that has made a place for a job like this one, and waits.
  std::unique_ptr<transport::Channel> wait_with_place(const model::JobSpec& spec) {
    ShellConnection connection(m_remote.io().get_executor(), m_remote.shell(), m_remote.home());
    auto channel = m_remote.await(connection.exec({}));
    const auto call = launch_call(spec, m_remote.shell(), "re_launch");
    m_remote.await(channel->write(remote::render_preamble(call.library, call.preparation)));
    EXPECT_TRUE(wait_until([&] {
      const auto found = places();
      return found.size() == 1 && !std::filesystem::exists(found[0] / "go") &&
             std::filesystem::exists(found[0] / "work/file");
    }));
    return channel;
  }

  Remote m_remote{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(JobHostTest, PlaceTest, testing::ValuesIn(shells()),
                         [](const auto& test) { return test.param.substr(0, test.param.find(' ')); });

TEST_P(PlaceTest, a_job_gets_its_streams_its_environment_and_its_exit_code) {
  auto spec =
      own(split_job("cat; cat file; echo \"$RE_JOB_NAME $0\"; pwd; umask; ls -a; echo err >&2; exit 7"));
  const auto attachment = m_remote.await(m_remote.jobs().launch_attached(spec, k_deadline));
  EXPECT_EQ(attachment->launched().answer, Launch::started);
  m_remote.await(attachment->write("input\n"));
  m_remote.await(attachment->close_input());
  std::string output;
  std::string error;
  for (;;) {
    const auto chunk = m_remote.await(attachment->read());
    if (chunk.stream == transport::Chunk::Stream::end) break;
    (chunk.stream == transport::Chunk::Stream::output ? output : error) += chunk.data;
  }
  const auto work = (m_remote.directory(spec.id) / "work").string();
  EXPECT_EQ(output, "input\none\nrunner /bin/sh\n" + work + "\n0022\n.\n..\nfile\n");
  EXPECT_EQ(error, "err\n");
  EXPECT_EQ(attachment->end().exit_code, 7);
  EXPECT_THAT(places(), testing::IsEmpty());
}

TEST_P(PlaceTest, a_job_whose_client_has_no_input_sees_the_end_of_its_own) {
  const auto spec = own(split_job("cat; echo end"));
  LaunchOptions options;
  options.input = Input::nothing;
  m_remote.await(m_remote.jobs().expect_launch(spec, k_deadline));
  const auto attachment = m_remote.await(m_remote.jobs().launch_attached(spec, k_deadline, options));
  std::string output;
  for (auto chunk = m_remote.await(attachment->read()); chunk.stream != transport::Chunk::Stream::end;
       chunk = m_remote.await(attachment->read()))
    output += chunk.data;
  EXPECT_EQ(output, "end\n");
  EXPECT_EQ(attachment->end().exit_code, 0);
}

TEST_P(PlaceTest, an_attempt_that_comes_late_has_a_place_too_and_gets_the_streams_of_the_job) {
  const auto spec =
      own(split_job("echo begun; while [ ! -e \"$HOME/go\" ]; do sleep 0.05; done; echo end; exit 3"));
  const auto first = m_remote.await(m_remote.jobs().launch_attached(spec, k_deadline));
  EXPECT_EQ(first->launched().answer, Launch::started);
  const auto second = m_remote.await(m_remote.jobs().launch_attached(spec, k_deadline));
  EXPECT_EQ(second->launched().answer, Launch::started);
  std::string output;
  const auto read_until = [&](const std::string& end) {
    while (!output.ends_with(end)) {
      const auto chunk = m_remote.await(second->read());
      if (chunk.stream == transport::Chunk::Stream::end) break;
      output += chunk.data;
    }
  };
  read_until("begun\n");
  EXPECT_THAT(places(), testing::IsEmpty());
  std::ofstream(m_remote.home() / "go").flush();
  read_until("never");
  EXPECT_EQ(output, "begun\nend\n");
  EXPECT_EQ(second->end().exit_code, 3);
}

TEST_P(PlaceTest, a_job_whose_place_is_gone_hears_the_timers_signal) {
  const auto spec = own(split_job("trap 'echo heard' USR1; kill -USR1 $$; echo end"));
  const auto channel = wait_with_place(spec);
  ASSERT_TRUE(wait_until([&] {
    std::error_code busy;  // it may still be being filled
    std::filesystem::remove_all(places()[0], busy);
    return places().empty();
  }));
  const auto call = launch_call(spec, m_remote.shell(), "re_launch_attached");
  m_remote.await(channel->write(script_for_ready_shell(call.call())));
  m_remote.await(channel->wait());
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  EXPECT_EQ(m_remote.read(spec.id, "log"), "heard\nend\n");
}

TEST_P(PlaceTest, a_job_has_nothing_on_its_input_and_holds_no_descriptor_of_ours_but_its_lock) {
  const auto spec = own(live_job("cat && ls -l /proc/self/fd | sed -n 's/.* -> //p'"));
  m_remote.launch(spec);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  const std::string log = m_remote.read(spec.id, "log");
  std::vector<std::string> names;
  for (const auto line : split_lines(log)) names.emplace_back(line.substr(line.rfind('/') + 1));
  // ls has a descriptor of the directory, and a pipe for its output.
  EXPECT_THAT(names, testing::IsSupersetOf({"null", "log", "job.lock"})) << log;
  EXPECT_THAT(names, testing::Not(testing::Contains(testing::AnyOf("sup.lock", "go", "answer", "input"))))
      << log;
}

TEST_P(PlaceTest, the_tree_that_was_made_ahead_is_used_where_it_fits) {
  const auto idle = wait_with_place(own(live_job("true")));
  struct stat made{};
  ASSERT_EQ(::stat((places()[0] / "work/file").c_str(), &made), 0);
  m_remote.await(idle->close());
  ASSERT_TRUE(wait_until([&] { return places().empty(); }));
  m_remote.count_calls("cp");
  for (const std::string snapshot : {"s1", "s2"}) {
    make_snapshot("s2", "two\n");
    auto spec = own(live_job("cat file && : >file"), snapshot);
    m_remote.launch(spec);
    ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
    EXPECT_EQ(m_remote.read(spec.id, "log"), snapshot == "s1" ? "one\n" : "two\n");
    EXPECT_EQ(m_remote.status(spec.id).exit_code, 0);
  }
}

TEST_P(PlaceTest, a_tree_of_another_snapshot_is_made_anew) {
  make_snapshot("s2", "two\n");
  std::ofstream(m_remote.home() / ".re/snapshots/s1/tree/old") << "old\n";
  const auto before = own(live_job("true"));
  const auto wanted = own(live_job("ls && cat file"), "s2");
  ShellConnection connection(m_remote.io().get_executor(), m_remote.shell(), m_remote.home());
  const auto channel = m_remote.await(connection.exec({}));
  const auto call = launch_call(wanted, m_remote.shell(), "re_launch");
  const std::string preparation = launch_call(before, m_remote.shell(), "re_launch").preparation;
  m_remote.await(channel->write(remote::render_preamble(call.library, preparation)));
  m_remote.await(channel->write(script_for_ready_shell(call.call())));
  EXPECT_EQ(m_remote.await(channel->wait()).code, 0);
  ASSERT_TRUE(m_remote.wait_for(wanted.id, JobState::done));
  EXPECT_EQ(m_remote.read(wanted.id, "log"), "file\ntwo\n");
}

TEST_P(PlaceTest, nobody_comes_and_all_of_it_goes_with_the_shell) {
  const auto channel = wait_with_place(own(live_job("true")));
  m_remote.await(channel->close());
  EXPECT_TRUE(wait_until([&] { return places().empty(); }));
  ListFilter filter;
  EXPECT_THAT(m_remote.await(m_remote.jobs().list(filter, k_deadline)).jobs, testing::IsEmpty());
}

TEST_P(PlaceTest, another_call_than_a_launch_gives_it_up_at_once) {
  const auto channel = wait_with_place(own(live_job("true")));
  const std::string library = "re_wait() { while [ ! -e \"$HOME/go\" ]; do sleep 0.02; done; }\n";
  const remote::ScriptCall call{library, "re_wait", {}};
  m_remote.await(channel->write(whole_script(call)));
  EXPECT_TRUE(wait_until([&] { return places().empty(); }));
  std::ofstream(m_remote.home() / "go").flush();
  EXPECT_EQ(m_remote.await(channel->wait()).code, 0);
}

TEST_P(PlaceTest, what_waits_there_is_killed_and_the_job_is_supervised_all_the_same) {
  const auto spec = own(live_job("cat file"));
  const auto channel = wait_with_place(spec);
  const std::string place = places()[0];
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::error_code ignored;
    const int pid = std::atoi(entry.path().filename().c_str());
    const auto lock = std::filesystem::read_symlink(entry.path() / "fd/7", ignored);
    if (pid <= 1 || lock != place + "/sup.lock") continue;
    ::kill(pid, SIGKILL);
    ASSERT_TRUE(wait_until([&] {
      const auto stat = sys::read_file_if_exists(entry.path() / "stat").value_or(") Z");
      return stat[stat.rfind(") ") + 2] == 'Z';
    }));
  }
  const auto call = launch_call(spec, m_remote.shell(), "re_launch");
  m_remote.await(channel->write(script_for_ready_shell(call.call())));
  m_remote.await(channel->wait());
  EXPECT_NE(m_remote.launch(spec).answer, Launch::lost);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  EXPECT_EQ(m_remote.read(spec.id, "log"), "one\n");
}

TEST_P(PlaceTest, a_disk_that_takes_no_place_takes_a_launch_as_ever) {
  std::filesystem::create_directories(m_remote.home() / "bin");
  sys::write_file_atomic(m_remote.home() / "bin/mkfifo", "#!/bin/dash\nexit 1\n", 0755);
  const auto spec = own(live_job("cat file"));
  EXPECT_EQ(m_remote.launch(spec).answer, Launch::started);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  EXPECT_THAT(places(), testing::IsEmpty());
}

// A job with streams begins before it is on the disk: that it may have run is known by the boot.
TEST_P(PlaceTest, a_job_with_streams_never_begins_in_another_boot_than_its_own) {
  const auto spec = split_job("echo \"$RE_JOB_ID\" >>../ran");
  LaunchOptions later;
  later.age = std::chrono::hours(24 * 365 * 100);
  EXPECT_EQ(m_remote.await(m_remote.jobs().launch(spec, k_deadline, later)).answer, Launch::lost);
  EXPECT_FALSE(std::filesystem::exists(m_remote.directory(spec.id)));
  ASSERT_EQ(m_remote.launch(spec).answer, Launch::started);
  ASSERT_TRUE(m_remote.wait_for(spec.id, JobState::done));
  m_remote.forget_start(spec.id);
  auto boot = m_remote.read(spec.id, "boot");
  boot.replace(0, 8, "00000000");
  sys::write_file_atomic(m_remote.directory(spec.id) / "boot", boot);
  EXPECT_EQ(m_remote.state(spec.id), JobState::rebooted);
  EXPECT_EQ(m_remote.launch(spec).answer, Launch::lost);
  EXPECT_EQ(m_remote.await(m_remote.jobs().resume(spec.id, k_deadline)).answer, Launch::lost);
  EXPECT_EQ(m_remote.read_home("ran"), spec.id.text() + "\n");
}

}  // namespace
}  // namespace re::jobs::test
