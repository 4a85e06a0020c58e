// A launch is broken at every step and in every way; the job still runs at most once, and what became of it
// is said.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <map>
#include <random>
#include <set>
#include <tuple>

#include "job_fixture.hpp"
#include "jobs/calls.hpp"
#include "jobs/scripts.hpp"
#include "re/base/strings.hpp"

namespace re::jobs::test {
namespace {

using model::JobState;

/// RE_FAULT while this lives.
class Fault {
 public:
  explicit Fault(const std::string& fault) { ::setenv("RE_FAULT", fault.c_str(), 1); }
  ~Fault() { ::unsetenv("RE_FAULT"); }
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;
};

std::vector<std::string> steps_of(std::string_view script) {
  std::vector<std::string> steps;
  for (const auto line : split_lines(script)) {
    const auto words = split_words(line);
    const bool is_step = words.size() > 1 && words[0] == "re_fault" && words[1] != "launch.terminal";
    if (is_step) steps.emplace_back(words[1]);
  }
  return steps;
}

std::vector<std::string> all_steps() {
  auto steps = steps_of(scripts::launch);
  for (const auto script : {scripts::supervisor, scripts::run}) {
    const auto more = steps_of(script);
    steps.insert(steps.end(), more.begin(), more.end());
  }
  return steps;
}

/// A job with a work tree of its own, made from a snapshot by hand.
model::JobSpec own_job(Remote& remote) {
  const auto snapshot = remote.home() / ".re/snapshots/s1";
  std::filesystem::create_directories(snapshot / "tree");
  std::ofstream(snapshot / "manifest").flush();
  std::ofstream(snapshot / "tree/file") << "text\n";
  auto spec = live_job("cat file && echo \"$RE_JOB_ID\" >>\"$HOME/ran\"");
  spec.work_tree = model::WorkTree::own;
  spec.snapshot = "s1";
  return spec;
}

std::size_t runs_of(const Remote& remote, const JobId& id) {
  std::size_t runs = 0;
  const std::string ran = remote.read_home("ran");
  for (const auto line : split_lines(ran)) runs += line == id.text() ? 1U : 0U;
  return runs;
}

// What `re` does later with a submission whose answer it did not see: the same again, until it is clear.
void reconcile(Remote& remote, const model::JobSpec& spec) {
  const auto is_clear = [&] {
    const auto answer = remote.launch(spec).answer;
    return answer == Launch::exited || answer == Launch::lost;
  };
  ASSERT_TRUE(wait_until(is_clear, 60s)) << model::to_string(remote.state(spec.id));
}

/// What happens, and whether a place was made ahead ("ready").
class LaunchFaultTest : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  [[nodiscard]] static std::string fault() { return std::get<0>(GetParam()); }
  [[nodiscard]] static bool is_ready() { return std::get<1>(GetParam()) == "ready"; }
};

INSTANTIATE_TEST_SUITE_P(JobHostTest, LaunchFaultTest,
                         testing::Combine(testing::Values("kill", "eio", "enospc"),
                                          testing::Values("cold", "ready")),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" + std::get<1>(test.param);
                         });

// Steps that a launch does not come to when a place is there.
bool is_cold_step(const std::string& step) {
  return step == "launch.mkdir" || step == "launch.start" || step == "launch.started";
}

TEST_P(LaunchFaultTest, at_every_step_the_job_runs_at_most_once_and_its_end_is_clear) {
  std::set<std::string> lost;
  for (const auto& step : all_steps()) {
    if (is_ready() && is_cold_step(step)) continue;
    SCOPED_TRACE(step + ":" + fault());
    Remote remote;
    if (is_ready()) remote.start_ahead();
    const auto spec = own_job(remote);
    {
      const Fault at(step + ":1:" + fault());
      try {
        remote.launch(spec);
      } catch (const Error& error) {
        EXPECT_TRUE(error.kind() == ErrorKind::unreachable || error.kind() == ErrorKind::remote)
            << error.what();
      }
    }
    ASSERT_TRUE(wait_until([&] { return std::filesystem::exists(remote.home() / ".re-fault"); }))
        << "the failpoint was not reached";
    ASSERT_NO_FATAL_FAILURE(reconcile(remote, spec));
    const auto status = remote.status(spec.id);
    const std::size_t runs = runs_of(remote, spec.id);
    EXPECT_LE(runs, 1U);
    EXPECT_TRUE(status.state == JobState::done || status.state == JobState::lost)
        << model::to_string(status.state);
    if (status.state == JobState::lost) lost.insert(step);
    if (status.state == JobState::done) {
      EXPECT_EQ(runs == 1, status.exit_code == 0) << *status.exit_code;
    }
    // Before the claim nothing is lost: the job was never started, and now it is.
    if (step.starts_with("launch.") || step.starts_with("supervise.") || step == "claim.make" ||
        step == "work.plan") {
      EXPECT_EQ(runs, 1U);
    }
  }
  // Only what vanished between the claim and its exit status is lost.
  for (const auto& step : lost) {
    EXPECT_TRUE(step.starts_with("claim.") || step.starts_with("work.") || step.starts_with("run.") ||
                step.starts_with("end."))
        << step;
  }
}

TEST_P(LaunchFaultTest, what_starts_a_job_on_a_terminal_is_whole_or_not_there) {
  Remote remote;
  if (is_ready()) remote.start_ahead();
  auto spec = live_job("echo \"$RE_JOB_ID\" >>../ran");
  spec.streams = model::Streams::terminal;
  {
    const Fault at("launch.terminal:1:" + fault());
    EXPECT_THROW(remote.launch(spec), Error);
  }
  EXPECT_FALSE(std::filesystem::exists(remote.directory(spec.id) / "terminal"));
  EXPECT_EQ(remote.launch(spec).answer, Launch::committed);
  EXPECT_TRUE(std::filesystem::exists(remote.directory(spec.id) / "terminal"));
  EXPECT_EQ(runs_of(remote, spec.id), 0U);
}

TEST(ResumeTest, a_job_whose_start_never_came_is_started_once) {
  for (const auto& make : {live_job, split_job}) {
    Remote remote;
    const auto spec = make("cat; echo \"$RE_JOB_ID\" >>../ran");
    {
      const Fault fault("supervise.lock:1:kill");
      EXPECT_EQ(remote.launch(spec).answer, Launch::committed);
    }
    ASSERT_EQ(remote.state(spec.id), JobState::committed);
    EXPECT_NE(remote.await(remote.jobs().resume(spec.id, k_deadline)).answer, Launch::lost);
    ASSERT_TRUE(remote.wait_for(spec.id, JobState::done));
    remote.await(remote.jobs().resume(spec.id, k_deadline));
    EXPECT_EQ(runs_of(remote, spec.id), 1U);
  }
}

TEST(ResumeTest, a_job_on_a_terminal_waits_for_its_terminal) {
  Remote remote;
  auto spec = live_job("echo \"$RE_JOB_ID\" >>../ran");
  spec.streams = model::Streams::terminal;
  EXPECT_EQ(remote.launch(spec).answer, Launch::committed);
  EXPECT_EQ(remote.await(remote.jobs().resume(spec.id, k_deadline)).answer, Launch::committed);
  EXPECT_EQ(remote.state(spec.id), JobState::committed);
}

TEST(ResumeTest, a_job_that_is_not_there_is_said_to_be_missing) {
  Remote remote;
  EXPECT_THROW(remote.await(remote.jobs().resume(live_job("true").id, k_deadline)), Error);
}

/// One attempt of a client that may be killed and whose script may be cut.
class Attempt {
 public:
  enum class Shell { cold, ready };
  Attempt(const Remote& remote, const model::JobSpec& spec, const std::filesystem::path& file, Shell shell)
      : m_text(text(launch_call(spec, remote.shell(), "re_launch"), shell)),
        m_shell(remote.shell()),
        m_home(remote.home()),
        m_file(file) {}

  static std::string text(const OwnedCall& call, Shell shell) {
    if (shell == Shell::cold) return whole_script(call.call());
    return remote::render_preamble(call.library, call.preparation) + script_for_ready_shell(call.call());
  }
  [[nodiscard]] std::size_t size() const { return m_text.size(); }

  sys::Child start(std::size_t size) {
    sys::write_file_atomic(m_file, m_text.substr(0, size));
    const auto input = sys::open_file(m_file, O_RDONLY);
    const auto nothing = sys::open_file("/dev/null", O_WRONLY);
    sys::SpawnOptions options;
    options.arguments = {m_shell, "-s"};
    options.environment = {{"HOME", m_home}};
    options.directory = m_home;
    options.input = input.get();
    options.output = options.error = nothing.get();
    return sys::Child::spawn(options);
  }

 private:
  std::string m_text;
  std::string m_shell;
  std::string m_home;
  std::filesystem::path m_file;
};

class Soak {
 public:
  explicit Soak(unsigned seed) : m_random(seed) {}

  void submit(const model::JobSpec& spec) {
    const int clients = below(3) == 0 ? 3 : 1;
    std::vector<sys::Child> children;
    for (int client = 0; client < clients; ++client) {
      const auto shell = below(2) == 0 ? Attempt::Shell::ready : Attempt::Shell::cold;
      Attempt attempt(m_remote, spec, m_remote.home() / ("script" + std::to_string(client)), shell);
      const bool is_cut = below(3) == 0;
      m_cut += is_cut ? 1U : 0U;
      children.push_back(attempt.start(is_cut ? below(attempt.size() - 1) : attempt.size()));
    }
    m_concurrent += clients == 3 ? 1U : 0U;
    if (below(10) != 0) ::usleep(static_cast<useconds_t>(below(120'000)));
    for (auto& child : children) {
      if (below(10) != 0) {
        child.send_signal(SIGKILL);
        ++m_killed;
      }
      child.wait();
    }
  }

  void report() const {
    std::printf("killed %zu clients, cut %zu scripts, %zu triple-concurrent attempts\n", m_killed, m_cut,
                m_concurrent);
  }
  Remote& remote() { return m_remote; }

 private:
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(m_random);
  }

  Remote m_remote;
  std::mt19937 m_random;
  std::size_t m_killed = 0;
  std::size_t m_cut = 0;
  std::size_t m_concurrent = 0;
};

TEST(LaunchSoakTest, nothing_is_lost_and_nothing_runs_twice) {
  const char* const wanted = std::getenv("RE_SOAK");
  const char* const chosen = std::getenv("RE_SEED");
  const int count = wanted == nullptr ? 100 : std::atoi(wanted);
  const unsigned seed = chosen == nullptr ? std::random_device()() : static_cast<unsigned>(std::atoi(chosen));
  std::printf("RE_SEED=%u\n", seed);
  Soak soak(seed);
  std::vector<model::JobSpec> specs;
  for (int number = 0; number < count; ++number) {
    specs.push_back(live_job("echo \"$RE_JOB_ID\" >>../ran"));
    soak.submit(specs.back());
    if (number % 2 == 0) soak.submit(specs.back());
  }
  for (const auto& spec : specs) ASSERT_NO_FATAL_FAILURE(reconcile(soak.remote(), spec));
  soak.report();
  std::map<std::string, int> runs;
  const std::string ran = soak.remote().read_home("ran");
  for (const auto line : split_lines(ran)) ++runs[std::string(line)];
  for (const auto& spec : specs) EXPECT_EQ(runs[spec.id.text()], 1) << spec.id.text();
  EXPECT_EQ(runs.size(), specs.size());
}

TEST(LaunchSoakTest, three_clients_at_once_start_it_once) {
  for (const auto& shell : shells()) {
    Remote remote(shell);
    const auto spec = live_job("echo \"$RE_JOB_ID\" >>../ran");
    std::vector<sys::Child> children;
    for (int client = 0; client < 3; ++client) {
      const auto how = client == 0 ? Attempt::Shell::cold : Attempt::Shell::ready;
      Attempt attempt(remote, spec, remote.home() / ("script" + std::to_string(client)), how);
      children.push_back(attempt.start(attempt.size()));
    }
    for (auto& child : children) EXPECT_TRUE(child.wait().succeeded());
    ASSERT_TRUE(remote.wait_for(spec.id, JobState::done)) << shell;
    EXPECT_EQ(runs_of(remote, spec.id), 1U) << shell;
  }
}

/// Runs each prefix of a script and sees that it says nothing and makes nothing.
class Cutter {
 public:
  Cutter(const std::string& shell, std::string text) : m_text(std::move(text)) {
    for (const auto word : split_words(shell)) m_arguments.emplace_back(word);
    m_arguments.emplace_back("-s");
  }

  /// \param stride 1: cut at every byte
  void cut(std::size_t stride) {
    const auto file = m_remote.home() / "script";
    sys::write_file_atomic(file, m_text);
    const auto said = m_remote.home() / "said";
    const auto output = sys::open_file(said, O_WRONLY | O_CREAT | O_APPEND);
    const auto nothing = sys::open_file("/dev/null", O_WRONLY);
    for (std::size_t size = m_text.size() - 2; size > 0; size -= std::min(size, stride)) {
      std::filesystem::resize_file(file, size);
      const auto input = sys::open_file(file, O_RDONLY);
      sys::SpawnOptions options;
      options.arguments = m_arguments;
      options.environment = {{"HOME", m_remote.home()}};
      options.input = input.get();
      options.output = output.get();
      options.error = nothing.get();
      sys::Child::spawn(options).wait();
      const bool is_clean =
          !std::filesystem::exists(m_remote.home() / ".re") && std::filesystem::file_size(said) == 0;
      ASSERT_TRUE(is_clean) << "cut at " << size;
    }
  }

 private:
  Remote m_remote;
  std::vector<std::string> m_arguments;
  std::string m_text;
};

std::string rendered(const OwnedCall& call) {
  return whole_script(call.call());
}

OwnedCall patched_launch() {
  const std::string sum(64, 'a');
  const SnapshotEntry entry{"dir/a.py", sum, SnapshotEntry::Mode::executable, ""};
  SnapshotPatch patch = plan_patch(render_manifest({}), render_manifest({entry})).value();
  patch.base = "s0";
  patch.project_id = "project-1";
  patch.project_directory = "project";
  patch.manifest_sha256 = sum;
  patch.files.at(0).content = "print('hello')\n";
  auto spec = live_job("touch ran");
  spec.work_tree = model::WorkTree::own;
  spec.snapshot = "s1";
  return launch_call(spec, "/bin/sh", "re_launch", {&patch});
}

std::vector<std::string> all_scripts() {
  const auto spec = live_job("touch ran");
  ListFilter filter;
  return {rendered(launch_call(split_job("touch ran"), "/bin/sh", "re_launch_attached")),
          rendered(launch_call(spec, "/bin/sh", "re_launch")),
          rendered(patched_launch()),
          rendered(batch_call({spec, live_job("touch ran")}, "/bin/sh")),
          rendered(stream_call("re_attach", {spec.id.text(), "0", "0"})),
          rendered(list_call(filter)),
          rendered(resume_call(spec.id, "/bin/sh")),
          rendered(signal_call(spec.id, 15))};
}

// RE_CUT_STRIDE=1 cuts at every byte, which takes minutes.
std::size_t stride() {
  const char* const wanted = std::getenv("RE_CUT_STRIDE");
  return wanted == nullptr ? 211 : parse_number<std::size_t>(wanted).value();
}

// The shells are not instrumented, and take long to start from a program that is.
#ifdef RE_SANITIZED
constexpr std::size_t k_every_byte = 31;
#else
constexpr std::size_t k_every_byte = 1;
#endif

TEST(ScriptCutTest, a_launch_cut_at_any_byte_does_nothing) {
  Cutter cutter("dash", all_scripts()[0]);
  cutter.cut(k_every_byte);
}

TEST(ScriptCutTest, every_script_cut_under_every_shell_does_nothing) {
  for (const auto& shell : shells()) {
    for (const auto& script : all_scripts()) {
      SCOPED_TRACE(shell);
      Cutter cutter(shell, script);
      ASSERT_NO_FATAL_FAILURE(cutter.cut(stride()));
    }
  }
}

}  // namespace
}  // namespace re::jobs::test
