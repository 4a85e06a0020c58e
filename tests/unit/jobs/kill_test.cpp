#include "re/jobs/kill.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "jobs/script_text.hpp"
#include "jobs/scripts.hpp"
#include "re/base/strings.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "re/sys/lock.hpp"
#include "re/sys/random.hpp"
#include "transport/local_connection.hpp"

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using re::jobs::KillReport;
using Outcome = KillReport::Outcome;

// A supervisor and a job as the launcher starts them; $1 is the job's directory, $2 what it runs.
constexpr std::string_view k_supervisor = R"sh(
cd "$1" || exit 1
trap : TERM HUP INT
exec 7>>sup.lock; flock 7
: >started; : >>exit.pending
exec 9>>job.lock; flock 9
export RE_JOB_ID="${1##*/}" JOB_TEXT="$2"
setsid sh -c '
  read -r line </proc/$$/stat
  set -- ${line##*) }
  printf "pid=%s start=%s boot=%s pidns=%s host=%s uid=%s began=1\n" $$ ${20} \
    "$(cat /proc/sys/kernel/random/boot_id)" "$(readlink /proc/self/ns/pid | tr -dc 0-9)" "$(uname -n)" 0 >run.tmp
  mv run.tmp run
  exec sh -c "$JOB_TEXT"' 7>&-
code=$?
exec 9>&-
mv exit.pending exit.$code.1
)sh";

// Notes its pid as the file $0 and becomes a process that ignores SIGTERM.
constexpr std::string_view k_stay = R"sh(
stay='trap "" TERM; echo $$ >"$0.new"; mv "$0.new" "$0"; exec sleep 1000'
)sh";

bool wait_until(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(5ms);
  }
  return true;
}

bool is_alive(int pid) {
  const auto stat = re::sys::read_file_if_exists("/proc/" + std::to_string(pid) + "/stat");
  if (!stat) return false;
  const auto at = stat->rfind(") ");
  return at != std::string::npos && stat->at(at + 2) != 'Z' && stat->at(at + 2) != 'X';
}

class KillTest : public testing::Test {
 protected:
  void TearDown() override {
    for (const int pid : m_strays) ::kill(pid, SIGKILL);
    for (auto& child : m_children) {
      child.send_signal(SIGKILL);
      child.wait();
    }
  }

  static re::JobId new_id() { return re::sys::make_job_id(re::sys::SystemClock()); }
  [[nodiscard]] fs::path directory(const re::JobId& id) const {
    return m_home.path() / ".re" / "jobs" / id.text();
  }

  re::JobId make_directory() const {
    const re::JobId id = new_id();
    fs::create_directories(directory(id));
    for (const char* name : {"spec", "exit.pending", "sup.lock", "job.lock"}) touch(id, name);
    return id;
  }
  void touch(const re::JobId& id, const std::string& name) const {
    re::sys::write_file_atomic(directory(id) / name, "");
  }
  [[nodiscard]] std::vector<std::string> exits(const re::JobId& id) const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(directory(id))) {
      const std::string name = entry.path().filename();
      if (name.starts_with("exit.") && name != "exit.pending") found.push_back(name);
    }
    return found;
  }

  // Starts a job of this text; it runs in its own directory. Returns when `pids` have been noted.
  re::JobId start_job(const std::string& text, const std::vector<std::string>& pids) {
    const re::JobId id = make_directory();
    re::sys::SpawnOptions options;
    options.arguments = {"sh",         "-c",          std::string(k_supervisor),
                         "supervisor", directory(id), std::string(k_stay) + text};
    options.session = re::sys::Session::own;
    options.input = -1;
    m_children.push_back(re::sys::Child::spawn(options));
    for (const auto& name : pids) EXPECT_TRUE(wait_until([&] { return fs::exists(directory(id) / name); }));
    EXPECT_TRUE(wait_until([&] { return fs::exists(directory(id) / "run"); }));
    return id;
  }
  [[nodiscard]] int pid_of(const re::JobId& id, const std::string& name) {
    std::string text;  // the file is there before its line is
    EXPECT_TRUE(wait_until([&] { return !(text = re::sys::read_file(directory(id) / name)).empty(); }));
    const int pid = re::parse_number<int>(re::trim(text)).value_or(0);
    EXPECT_GT(pid, 0) << name << " holds '" << text << "'";
    if (pid > 0) m_strays.push_back(pid);
    return pid;
  }

  std::vector<KillReport> kill(const std::vector<re::JobId>& ids, std::chrono::milliseconds grace = 100ms,
                               int signal = SIGTERM) {
    auto task = re::jobs::kill_jobs(m_host, ids, {grace, signal}, 60s);
    auto result = boost::asio::co_spawn(m_io, std::move(task), boost::asio::use_future);
    m_io.restart();
    m_io.run();
    return result.get();
  }

  re::sys::TemporaryDirectory m_home{"re-test"};
  std::vector<int> m_strays;
  std::vector<re::sys::Child> m_children;
  boost::asio::io_context m_io;
  re::remote::Host m_host{re::transport::connect_local(m_io.get_executor(), m_home.path()), "here"};
};

// Seven ways out of a process group, all of which ignore SIGTERM.
constexpr std::string_view k_escapes = R"sh(
sh -c "$stay" child &
setsid sh -c "$stay" session &
(setsid sh -c '(sh -c "$0" orphan &)' "$stay" &)
nohup sh -c "$stay" nohup >/dev/null 2>&1 &
(setsid sh -c 'exec 9>&-; sh -c "$0" unlocked & exit' "$stay" &)
(setsid env -i PATH="$PATH" sh -c 'sh -c "$0" unmarked & exit' "$stay" &)
env -i PATH="$PATH" sh -c 'exec 9>&-; (sh -c "$0" bare &)' "$stay" &
trap '' TERM
while :; do sleep 1000; done
)sh";
const std::vector<std::string> k_escape_names = {"child",    "session",  "orphan", "nohup",
                                                 "unlocked", "unmarked", "bare"};

class KillShellTest : public KillTest, public testing::WithParamInterface<std::vector<std::string>> {
 protected:
  // Runs it behind kill's own functions, in the shell that the test is for.
  [[nodiscard]] re::sys::Captured run_in_shell(std::string_view script) const {
    const std::array<std::string_view, 3> files = {re::jobs::scripts::basics, re::jobs::scripts::common,
                                                   re::jobs::scripts::kill};
    std::vector<std::string> command = {"env", "HOME=" + m_home.path().string()};
    command.insert(command.end(), GetParam().begin(), GetParam().end());
    command.insert(command.end(), {"-c", re::jobs::script_text(files) + "\n" + std::string(script)});
    return re::sys::run_captured(command);
  }
};

// mawk ends where a process does that it is reading about, and the list with it.
constexpr std::string_view k_list_in_a_storm = R"sh(
storm() { while :; do /bin/true & /bin/true & /bin/true & wait; done; }
storm & storms=$!
storm & storms="$storms $!"
round=0 seen=0
while [ "$round" -lt 200 ]; do
  round=$((round + 1))
  case $(re_list_processes) in *"
$$ "*) seen=$((seen + 1)) ;; esac
done
kill $storms
echo "$seen"
)sh";

TEST_P(KillShellTest, the_list_is_whole_while_processes_come_and_go) {
  const auto result = run_in_shell(k_list_in_a_storm);
  EXPECT_EQ(result.output, "200\n");
  EXPECT_EQ(result.error, "");
}

TEST_P(KillShellTest, a_job_that_ignores_term_and_escapes_in_seven_ways_is_gone) {
  const auto id = start_job(std::string(k_escapes), k_escape_names);
  const auto result = run_in_shell("re_kill 10 15 " + id.text());
  EXPECT_EQ(result.output, "report " + id.text() + " killed\n");
  EXPECT_EQ(result.error, "");
  for (const auto& name : k_escape_names) EXPECT_FALSE(is_alive(pid_of(id, name))) << name;
  EXPECT_THAT(exits(id), testing::ElementsAre("exit.137.1"));
}

INSTANTIATE_TEST_SUITE_P(shells, KillShellTest,
                         testing::Values(std::vector<std::string>{"dash"},
                                         std::vector<std::string>{"busybox", "sh"},
                                         std::vector<std::string>{"bash", "--posix"}),
                         [](const auto& instance) { return instance.param.front(); });

TEST_F(KillTest, a_job_that_obeys_ends_with_its_own_status_and_the_next_kill_finds_nothing) {
  const auto id = start_job("trap 'exit 7' TERM; : >ready; while :; do sleep 0.05; done", {"ready"});
  EXPECT_EQ(kill({id}, 30s).front().outcome, Outcome::killed);
  EXPECT_THAT(exits(id), testing::ElementsAre("exit.7.1"));
  EXPECT_TRUE(fs::exists(directory(id) / "kill.req"));
  EXPECT_EQ(kill({id}).front().outcome, Outcome::already_ended);
}

TEST_F(KillTest, a_stopped_job_ends_by_the_first_signal) {
  const auto id = start_job("sh -c \"$stay\" child & trap 'exit 3' INT; : >ready; kill -STOP $$; sleep 1000",
                            {"ready", "child"});
  EXPECT_EQ(kill({id}, 200ms, SIGINT).front().outcome, Outcome::killed);
  EXPECT_FALSE(is_alive(pid_of(id, "child")));
}

TEST_F(KillTest, several_jobs_get_a_report_each_in_the_order_asked_for) {
  std::vector<re::JobId> ids;
  for (int job = 0; job < 10; ++job) ids.push_back(start_job("sh -c \"$stay\" child", {"child"}));
  ids.insert(ids.begin() + 3, new_id());
  ids.push_back(ids.front());
  const auto reports = kill(ids);
  ASSERT_EQ(reports.size(), ids.size());
  for (std::size_t at = 0; at < ids.size(); ++at) {
    EXPECT_EQ(reports[at].id, ids[at]);
    EXPECT_EQ(reports[at].outcome, at == 3 ? Outcome::unknown_job : Outcome::killed) << at;
    if (at == 3) continue;
    EXPECT_FALSE(is_alive(pid_of(ids[at], "child")));
  }
}

TEST_F(KillTest, a_job_that_has_not_begun_is_told_never_to_begin) {
  const auto id = make_directory();
  EXPECT_EQ(kill({id}).front().outcome, Outcome::not_running);
  EXPECT_TRUE(fs::exists(directory(id) / "kill.req"));
}

TEST_F(KillTest, what_an_ended_job_left_running_is_ended) {
  const auto id =
      start_job("setsid sh -c \"$stay\" left & while ! [ -e left ]; do sleep 0.01; done; exit 4", {"left"});
  ASSERT_TRUE(wait_until([&] { return !exits(id).empty(); }));
  const int left = pid_of(id, "left");
  ASSERT_TRUE(is_alive(left));
  EXPECT_EQ(kill({id}).front().outcome, Outcome::killed);
  EXPECT_FALSE(is_alive(left));
  EXPECT_THAT(exits(id), testing::ElementsAre("exit.4.1"));
}

TEST_F(KillTest, without_a_supervisor_the_exit_status_is_written_by_the_kill) {
  const auto id = start_job("sh -c \"$stay\" child", {"child"});
  m_children.back().send_signal(SIGKILL);
  m_children.back().wait();
  m_children.pop_back();
  EXPECT_EQ(kill({id}).front().outcome, Outcome::killed);
  EXPECT_FALSE(is_alive(pid_of(id, "child")));
  ASSERT_EQ(exits(id).size(), 1U);
  EXPECT_THAT(exits(id).front(), testing::StartsWith("exit.137."));
}

TEST_F(KillTest, names_that_look_like_the_fields_of_a_process_do_no_harm) {
  const std::string name = "') S 1 1 1\n1 (x'";
  const auto id = start_job("cp \"$(command -v sleep)\" " + name + "\nsetsid sh -c 'exec ./\"$0\" 1000' " +
                                name + " & echo $! >odd; sh -c \"$stay\" child",
                            {"odd", "child"});
  EXPECT_EQ(kill({id}).front().outcome, Outcome::killed);
  EXPECT_FALSE(is_alive(pid_of(id, "odd")));
}

TEST_F(KillTest, who_only_looks_at_the_lock_is_left_alone) {
  const auto id = start_job("sh -c \"$stay\" child", {"child"});
  re::sys::SpawnOptions options;
  options.arguments = {"sh", "-c", "exec 6<job.lock; : >looks; exec sleep 1000"};
  options.directory = directory(id);
  options.input = -1;
  m_children.push_back(re::sys::Child::spawn(options));
  ASSERT_TRUE(wait_until([&] { return fs::exists(directory(id) / "looks"); }));
  EXPECT_EQ(kill({id}).front().outcome, Outcome::killed);
  EXPECT_FALSE(m_children.back().poll());
}

TEST_F(KillTest, a_process_of_another_user_is_named_and_never_signalled) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to start a process of another user";
  const auto id =
      start_job("setpriv --reuid=65534 --clear-groups sleep 1000 & echo $! >other; sleep 1000", {"other"});
  const int other = pid_of(id, "other");
  ASSERT_TRUE(wait_until([&] {
    const auto status = re::sys::read_file_if_exists("/proc/" + std::to_string(other) + "/status");
    return status && status->find("Uid:\t65534") != std::string::npos;
  }));
  const auto report = kill({id}).front();
  EXPECT_EQ(report.outcome, Outcome::survivors);
  ASSERT_EQ(report.survivors.size(), 1U);
  EXPECT_EQ(report.survivors.front().pid, other);
  EXPECT_EQ(report.survivors.front().command, "sleep 1000 ");
  EXPECT_TRUE(is_alive(other));
}

TEST_F(KillTest, a_job_whose_directory_was_taken_away_is_found_and_ended) {
  const auto id = start_job("sh -c \"$stay\" child & env -i PATH=\"$PATH\" sh -c \"$stay\" unmarked & wait",
                            {"child", "unmarked"});
  const int child = pid_of(id, "child");
  const int unmarked = pid_of(id, "unmarked");
  fs::rename(directory(id), m_home.path() / "elsewhere");
  fs::remove_all(m_home.path() / "elsewhere");
  const std::vector<re::JobId> ids = {new_id(), id};
  auto task = re::jobs::find_orphans(m_host, ids, 60s);
  auto found = boost::asio::co_spawn(m_io, std::move(task), boost::asio::use_future);
  m_io.restart();
  m_io.run();
  EXPECT_EQ(found.get(), std::vector<re::JobId>{id});
  EXPECT_EQ(kill({id}).front().outcome, Outcome::killed);
  EXPECT_FALSE(is_alive(child));
  EXPECT_FALSE(is_alive(unmarked));
  EXPECT_EQ(kill({id}).front().outcome, Outcome::unknown_job);
}

TEST_F(KillTest, what_may_run_elsewhere_is_refused) {
  const auto id = make_directory();
  touch(id, "started");
  const std::string boot(re::trim(re::sys::read_file("/proc/sys/kernel/random/boot_id")));
  const auto record = [&](const std::string& facts) {
    re::sys::write_file_atomic(directory(id) / "run", "pid=1 start=1 " + facts + "\n");
    return kill({id}).front();
  };
  auto report = record("boot=another pidns=1 host=elsewhere.example");
  EXPECT_EQ(report.outcome, Outcome::refused);
  EXPECT_THAT(report.reason, testing::HasSubstr("it runs on elsewhere.example, this is "));
  auto holder = re::sys::FileLock::attempt(directory(id) / "job.lock");
  ASSERT_TRUE(holder);
  report = record("boot=" + boot + " pidns=1 host=here");
  EXPECT_EQ(report.outcome, Outcome::refused);
  EXPECT_EQ(report.reason, "it runs in another pid namespace");
  holder.reset();
  EXPECT_EQ(record("boot=" + boot + " pidns=1 host=here").outcome, Outcome::already_ended);
  const std::string host(re::trim(re::sys::run_captured({"uname", "-n"}).output));
  EXPECT_EQ(record("boot=before pidns=1 host=" + host).outcome, Outcome::already_ended);
}

TEST_F(KillTest, a_kill_from_within_the_job_does_not_end_itself) {
  const auto id = start_job("sh -c \"$stay\" child", {"child"});
  ::setenv("RE_JOB_ID", id.text().c_str(), 1);
  const auto reports = kill({id});
  ::unsetenv("RE_JOB_ID");
  EXPECT_EQ(reports.front().outcome, Outcome::killed);
  EXPECT_FALSE(is_alive(pid_of(id, "child")));
}

#ifdef RE_FAILPOINTS
TEST_F(KillTest, cut_off_in_the_middle_it_can_be_done_again) {
  for (const char* fault : {"kill.requested:1:kill", "kill.asked:1:kill"}) {
    const auto id = start_job("sh -c \"$stay\" child", {"child"});
    ::setenv("RE_FAULT", fault, 1);
    EXPECT_THROW(kill({id}), re::Error) << fault;
    ::unsetenv("RE_FAULT");
    EXPECT_TRUE(fs::exists(directory(id) / "kill.req"));
    const auto outcome = kill({id}).front().outcome;
    EXPECT_TRUE(outcome == Outcome::killed || outcome == Outcome::already_ended) << fault;
    EXPECT_FALSE(is_alive(pid_of(id, "child"))) << fault;
  }
}
#endif

// In a pid namespace of its own: the job's process and its supervisor die, and a stranger, the leader of a
// session with a child, gets the recorded pid. Prints what re_kill says, and who lives.
constexpr std::string_view k_reuse = R"sh(
start_supervisor() { setsid sh -c "$SUPERVISOR" supervisor "$1" 'exec sleep 1000' </dev/null >/dev/null 2>&1 & supervisor=$!; }
id=${1##*/}
start_supervisor "$1"
while ! [ -e "$1/run" ]; do sleep 0.01; done
read -r line <"$1/run"
pid=${line#pid=}; pid=${pid%% *}
kill -9 "$supervisor"; kill -9 "$pid"
wait
while [ -e "/proc/$pid" ]; do sleep 0.01; done
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid || exit 77
  setsid sh -c 'sleep 1000 & echo $! >"$0/mate"; wait' "$1" </dev/null >/dev/null 2>&1 &
  [ "$!" -ne "$pid" ] || break
  kill -9 "$!"
done
[ "$!" -eq "$pid" ] || { echo "pid $! instead of $pid"; exit 1; }
while ! [ -s "$1/mate" ]; do sleep 0.01; done
( eval "$LIBRARY"; re_kill 20 15 "$id" )
kill -0 "$pid" && kill -0 "$(cat "$1/mate")" && echo 'strangers live'
)sh";

TEST_F(KillTest, a_stranger_with_a_recycled_pid_is_never_signalled) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, for a pid namespace";
  const auto id = make_directory();
  const std::array<std::string_view, 3> files = {re::jobs::scripts::basics, re::jobs::scripts::common,
                                                 re::jobs::scripts::kill};
  const auto result = re::sys::run_captured(
      {"env", "HOME=" + m_home.path().string(), "SUPERVISOR=" + std::string(k_supervisor),
       "LIBRARY=" + re::jobs::script_text(files), "unshare", "--pid", "--fork", "--kill-child",
       "--mount-proc", "sh", "-c", std::string(k_reuse), "reuse", directory(id)});
  if (result.status.code == 77) GTEST_SKIP() << "this kernel lacks ns_last_pid";
  EXPECT_EQ(result.output, "report " + id.text() + " already_ended\nstrangers live\n") << result.error;
}

}  // namespace
