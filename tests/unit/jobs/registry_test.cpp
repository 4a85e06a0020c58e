#include "re/jobs/registry.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <random>
#include <set>

#include "jobs/sqlite.hpp"
#include "re/sys/file.hpp"
#include "re/sys/random.hpp"

namespace {

namespace fs = std::filesystem;
using re::jobs::Registry;
using re::jobs::RegistryFilter;
using re::jobs::SameName;
using re::model::JobState;

re::model::JobSpec spec_of(const std::string& project, const std::string& name) {
  const auto id = re::sys::make_job_id(re::sys::SystemClock());
  return {id,
          0,
          name,
          "python3 train.py",
          project,
          "demo",
          {},
          {},
          re::model::WorkTree::own,
          re::model::Streams::merged,
          {},
          {},
          {},
          {},
          {},
          {}};
}

re::model::JobStatus status_of(const std::string& project, std::uint32_t index, JobState state) {
  const auto id = re::sys::make_job_id(re::sys::SystemClock());
  return {id, index, "far", "true", project, "demo", state, {}, {}, {}, {}, {}, 0};
}

class SetClock final : public re::Clock {
 public:
  [[nodiscard]] std::chrono::system_clock::time_point now() const override { return m_now; }
  std::chrono::system_clock::time_point m_now{std::chrono::hours(24 * 365 * 50)};
};

class RegistryTest : public testing::Test {
 protected:
  Registry open() const { return Registry::open(m_file, m_clock); }
  [[nodiscard]] std::vector<fs::path> files_with(const std::string& part) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(m_file.parent_path())) {
      if (entry.path().filename().string().find(part) != std::string::npos) found.push_back(entry.path());
    }
    return found;
  }

  /// Without the log of the file that was there.
  void replace(const std::string& content) const {
    for (const char* suffix : {"-wal", "-shm"}) fs::remove(m_file.string() + suffix);
    re::sys::write_file_atomic(m_file, content);
  }

  re::sys::TemporaryDirectory m_directory{"re-test"};
  fs::path m_file = m_directory.path() / "re" / "registry.db";
  re::sys::SystemClock m_clock;
};

TEST_F(RegistryTest, an_intent_is_there_for_the_next_process_with_all_it_says) {
  auto spec = spec_of("p", "first");
  spec.git_commit = "abc";
  spec.snapshot = "s1";
  spec.project_path = "projects/demo";
  spec.submitted_from = "me@laptop";
  EXPECT_EQ(open().add_intent(spec, "alice@gpu1"), 1U);
  const auto found = open().find_id(spec.id);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->state, JobState::intent);
  EXPECT_EQ(found->instance, "alice@gpu1");
  EXPECT_EQ(found->name, "first");
  EXPECT_EQ(found->command, "python3 train.py");
  EXPECT_EQ(found->git_commit, "abc");
  EXPECT_EQ(found->snapshot, "s1");
  EXPECT_EQ(found->project_path, "projects/demo");
  EXPECT_EQ(found->submitted_from, "me@laptop");
  EXPECT_EQ(found->submitted, spec.id.time());
  EXPECT_FALSE(found->exit_code);
}

TEST_F(RegistryTest, the_file_is_private_whatever_the_umask) {
  const mode_t old = ::umask(0);
  auto registry = open();
  registry.add_intent(spec_of("p", "n"), "here");
  ::umask(old);
  struct stat facts{};
  ASSERT_EQ(::stat(m_file.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0600U);
}

TEST_F(RegistryTest, indices_count_per_project_and_an_id_comes_once) {
  auto registry = open();
  EXPECT_EQ(registry.add_intent(spec_of("p", "a"), "here"), 1U);
  EXPECT_EQ(registry.add_intent(spec_of("p", "b"), "here"), 2U);
  EXPECT_EQ(registry.add_intent(spec_of("q", "c"), "here"), 1U);
  const auto spec = spec_of("p", "d");
  EXPECT_EQ(registry.add_intent(spec, "here"), 3U);
  try {
    registry.add_intent(spec, "here");
    FAIL();
  } catch (const re::Error& error) {
    EXPECT_EQ(error.kind(), re::ErrorKind::conflict) << error.what();
  }
  EXPECT_EQ(registry.list({}).size(), 4U);
}

TEST_F(RegistryTest, a_state_changes_but_what_is_done_stays_done) {
  auto registry = open();
  const auto spec = spec_of("p", "n");
  registry.add_intent(spec, "here");
  const re::jobs::Time when{std::chrono::milliseconds(1'700'000'000'123)};
  registry.set_state(spec.id, {JobState::running, {}, when, {}});
  EXPECT_EQ(registry.find_id(spec.id)->state, JobState::running);
  registry.set_state(spec.id, {JobState::done, 3, {}, when});
  registry.set_state(spec.id, {JobState::running, {}, {}, {}});
  const auto found = registry.find_id(spec.id);
  EXPECT_EQ(found->state, JobState::done);
  EXPECT_EQ(found->exit_code, 3);
  EXPECT_EQ(found->started, when);
  EXPECT_EQ(found->ended, when);
  EXPECT_THROW(registry.set_state(spec_of("p", "x").id, {}), re::Error);
}

TEST_F(RegistryTest, a_job_from_another_laptop_keeps_its_index_only_where_it_is_free) {
  auto registry = open();
  registry.add_intent(spec_of("p", "mine"), "here");
  auto far = status_of("p", 5, JobState::running);
  EXPECT_EQ(registry.take_over(far, "gpu").index, 5U);
  EXPECT_EQ(registry.take_over(status_of("p", 1, JobState::running), "gpu").index, 6U);
  EXPECT_EQ(registry.take_over(status_of("p", 0, JobState::running), "gpu").index, 7U);
  far.state = JobState::done;
  far.index = 99;
  far.exit_code = 0;
  const auto again = registry.take_over(far, "gpu");
  EXPECT_EQ(again.index, 5U);
  EXPECT_EQ(again.state, JobState::done);
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_EQ(registry.add_intent(spec_of("p", "next"), "here"), 8U);
}

TEST_F(RegistryTest, a_deleted_registry_is_rebuilt_from_the_hosts) {
  std::vector<re::model::JobStatus> listing;
  for (std::uint32_t index = 1; index <= 20; ++index)
    listing.push_back(status_of("p", index, JobState::done));
  std::reverse(listing.begin(), listing.end());
  {
    auto registry = open();
    registry.take_over(listing, "gpu");
  }
  fs::remove(m_file);
  auto registry = open();
  EXPECT_EQ(registry.note(), "");
  EXPECT_TRUE(registry.list({}).empty());
  const auto records = registry.take_over(listing, "gpu");
  ASSERT_EQ(records.size(), listing.size());
  for (std::size_t at = 0; at < listing.size(); ++at) EXPECT_EQ(records[at].index, listing[at].index);
}

TEST_F(RegistryTest, a_listing_that_tells_nothing_new_writes_nothing) {
  auto registry = open();
  auto job = status_of("p", 1, JobState::running);
  job.started = re::jobs::Time(std::chrono::seconds(1'800'000'000));
  registry.take_over(job, "gpu");
  const auto bytes = [this] {
    return re::sys::read_file(m_file) + re::sys::read_file_if_exists(m_file.string() + "-wal").value_or("");
  };
  const auto before = bytes();  // SQLite counts every commit in it
  EXPECT_EQ(registry.take_over(job, "gpu").started, job.started);
  EXPECT_EQ(bytes(), before);
  job.state = JobState::done;
  job.exit_code = 3;
  EXPECT_EQ(registry.take_over(job, "gpu").exit_code, 3);
  EXPECT_NE(bytes(), before);
}

TEST_F(RegistryTest, lists_by_project_instance_and_state) {
  auto registry = open();
  registry.add_intent(spec_of("p", "a"), "here");
  registry.take_over(status_of("p", 0, JobState::running), "gpu");
  registry.take_over(status_of("p", 0, JobState::done), "gpu");
  registry.take_over(status_of("q", 0, JobState::unknown), "gpu");
  using Which = RegistryFilter::Which;
  EXPECT_EQ(registry.list({}).size(), 4U);
  EXPECT_EQ(registry.list({Which::all, "p", {}}).size(), 3U);
  EXPECT_EQ(registry.list({Which::all, {}, "gpu"}).size(), 3U);
  EXPECT_EQ(registry.list({Which::live, "p", {}}).size(), 2U);
  EXPECT_EQ(registry.list({Which::pending, {}, {}}).size(), 2U);
}

TEST_F(RegistryTest, finds_by_index_id_prefix_name_and_newest) {
  auto registry = open();
  const auto first = spec_of("p", "train");
  const auto second = spec_of("p", "train");
  const auto other = spec_of("q", "elsewhere");
  for (const auto* spec : {&first, &second, &other}) registry.add_intent(*spec, "here");
  const auto find = [&registry](std::string_view selector) {
    return registry.find("p", selector, SameName::newest);
  };
  const auto newest = std::max(first.id, second.id);
  EXPECT_EQ(find("1").id, first.id);
  EXPECT_EQ(find(second.id.text()).id, second.id);
  EXPECT_EQ(find(other.id.text()).id, other.id);
  EXPECT_EQ(find("train").id, newest);
  EXPECT_EQ(find("").id, newest);
  EXPECT_EQ(find(first.id.text().substr(0, 20)).id, first.id);
}

TEST_F(RegistryTest, a_new_id_is_the_newest_also_when_the_clock_was_set_back) {
  using namespace std::chrono_literals;
  auto registry = open();
  SetClock clock;
  EXPECT_EQ(registry.make_id(clock).time(), clock.now());
  auto spec = spec_of("p", "early");
  spec.id = registry.make_id(clock);
  registry.add_intent(spec, "gpu1");
  clock.m_now -= 24h;
  EXPECT_EQ(registry.make_id(clock).time(), spec.id.time() + 1ms);
  clock.m_now += 48h;
  EXPECT_EQ(registry.make_id(clock).time(), clock.now());
}

TEST_F(RegistryTest, what_cannot_be_found_is_told_apart) {
  auto registry = open();
  for (const char* name : {"train", "train"}) registry.add_intent(spec_of("p", name), "here");
  const auto kind_of = [&registry](std::string_view selector, SameName same_name) {
    try {
      (void)registry.find("p", selector, same_name);
    } catch (const re::Error& error) {
      return std::pair(error.kind(), std::string(error.what()));
    }
    return std::pair(re::ErrorKind::io, std::string("found"));
  };
  EXPECT_EQ(kind_of("train", SameName::refuse).first, re::ErrorKind::conflict);
  EXPECT_THAT(kind_of("train", SameName::refuse).second, testing::HasSubstr("fits several jobs: "));
  const std::string prefix = registry.list({}).front().id.text().substr(0, 4);
  EXPECT_EQ(kind_of(prefix, SameName::newest).first, re::ErrorKind::conflict);
  EXPECT_EQ(kind_of("0", SameName::newest).first, re::ErrorKind::usage);
  EXPECT_EQ(kind_of("99", SameName::newest).first, re::ErrorKind::not_found);
  EXPECT_THAT(kind_of("trian", SameName::newest).second, testing::HasSubstr("did you mean train?"));
  EXPECT_EQ(kind_of("99999999999999999999", SameName::newest).first, re::ErrorKind::not_found);
}

TEST_F(RegistryTest, two_processes_that_add_200_jobs_each_get_400_indices) {
  std::vector<pid_t> children;
  for (int worker = 0; worker < 2; ++worker) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    try {
      for (int job = 0; job < 200; ++job) open().add_intent(spec_of("p", "n"), "here");
    } catch (const std::exception& error) {
      ::fprintf(stderr, "worker: %s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  std::set<std::uint32_t> indices;
  for (const auto& job : open().list({})) indices.insert(job.index);
  EXPECT_EQ(indices.size(), 400U);
  EXPECT_EQ(*indices.rbegin(), 400U);
}

#ifdef RE_FAILPOINTS
// How a child that runs `work` and then exits with 0 has ended.
int run_in_child(const std::function<void()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    try {
      work();
    } catch (const std::exception& error) {
      ::fprintf(stderr, "child: %s\n", error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(pid, &status, 0);
  return status;
}

TEST_F(RegistryTest, killed_in_the_middle_an_intent_is_there_wholly_or_not_at_all) {
  const auto before = spec_of("p", "before");
  const auto after = spec_of("p", "after");
  for (const auto& [fault, spec] :
       {std::pair("registry.intent:1:kill", &before), std::pair("registry.intent:2:kill", &after)}) {
    const int status = run_in_child([&] {
      ::setenv("RE_FAULT", fault, 1);
      open().add_intent(*spec, "here");
    });
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << fault;
  }
  auto registry = open();
  EXPECT_EQ(registry.note(), "");
  EXPECT_FALSE(registry.find_id(before.id));
  EXPECT_TRUE(registry.find_id(after.id));
  EXPECT_EQ(registry.add_intent(spec_of("p", "next"), "here"), 2U);
}

TEST_F(RegistryTest, an_error_in_the_middle_leaves_nothing) {
  const auto spec = spec_of("p", "n");
  const int status = run_in_child([&] {
    ::setenv("RE_FAULT", "registry.intent:1:enospc", 1);
    auto registry = open();
    EXPECT_THROW(registry.add_intent(spec, "here"), re::Error);
    if (registry.find_id(spec.id) || registry.add_intent(spec, "here") != 1) ::_exit(2);
  });
  EXPECT_EQ(status, 0);
}
#endif

TEST_F(RegistryTest, what_is_no_database_is_moved_aside_with_a_note) {
  open().add_intent(spec_of("p", "n"), "here");
  replace(std::string(5000, 'x'));
  auto registry = open();
  EXPECT_THAT(registry.note(), testing::HasSubstr(".corrupt-"));
  EXPECT_EQ(files_with(".corrupt-").size(), 1U);
  EXPECT_EQ(registry.add_intent(spec_of("p", "n"), "here"), 1U);
  EXPECT_EQ(open().note(), "");
}

TEST_F(RegistryTest, a_file_damaged_at_random_bytes_is_read_or_moved_aside) {
  {
    auto registry = open();
    std::vector<re::model::JobStatus> listing;
    for (std::uint32_t index = 1; index <= 60; ++index)
      listing.push_back(status_of("p", index, JobState::done));
    registry.take_over(listing, "gpu");
  }
  re::jobs::sqlite::Connection(m_file).execute("PRAGMA wal_checkpoint(TRUNCATE)");
  const std::string sound = re::sys::read_file(m_file);
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  int moved = 0;
  for (int round = 0; round < 150; ++round) {
    std::string damaged = sound;
    for (int hit = 0; hit < 8; ++hit) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (round % 10 == 0) damaged.resize(random() % damaged.size());
    replace(damaged);
    try {
      auto registry = open();
      moved += registry.note().empty() ? 0 : 1;
      registry.add_intent(spec_of("new", "n"), "here");
      for (const auto& job : registry.list({})) (void)registry.find_id(job.id);
    } catch (const re::Error& error) {  // a newer version's number, or an id that is none
      const auto kind = error.kind();
      EXPECT_TRUE(kind == re::ErrorKind::unsupported || kind == re::ErrorKind::io) << seed << error.what();
    }
  }
  EXPECT_GT(moved, 0) << seed;
}

TEST_F(RegistryTest, two_processes_that_find_it_damaged_move_it_once) {
  for (int round = 0; round < 10; ++round) {
    open();
    replace("this is not a database at all, far from it");
    const auto before = files_with(".corrupt-").size();
    std::vector<pid_t> children;
    for (int worker = 0; worker < 3; ++worker) {
      children.push_back(::fork());
      if (children.back() != 0) continue;
      try {
        open().add_intent(spec_of("p", "n"), "here");
      } catch (const std::exception& error) {
        ::fprintf(stderr, "worker: %s\n", error.what());
        ::_exit(1);
      }
      ::_exit(0);
    }
    for (const pid_t child : children) {
      int status = -1;
      ::waitpid(child, &status, 0);
      EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(files_with(".corrupt-").size(), before + 1);
    EXPECT_EQ(open().list({}).size(), 3U);
  }
}

TEST_F(RegistryTest, a_file_of_a_newer_re_is_left_alone) {
  open();
  re::jobs::sqlite::Connection(m_file).execute("PRAGMA user_version = 99");
  try {
    open();
    FAIL();
  } catch (const re::Error& error) {
    EXPECT_EQ(error.kind(), re::ErrorKind::unsupported) << error.what();
  }
  EXPECT_TRUE(files_with(".corrupt-").empty());
}

TEST_F(RegistryTest, files_of_every_version_load) {
  const fs::path stored = fs::path(RE_SOURCE_DIR) / "tests" / "data" / "registry";
  int loaded = 0;
  for (const auto& entry : fs::directory_iterator(stored)) {
    re::sys::ensure_private_directory(m_file.parent_path());
    replace(re::sys::read_file(entry.path()));
    auto registry = open();
    EXPECT_EQ(registry.note(), "") << entry.path();
    const auto jobs = registry.list({});
    ASSERT_EQ(jobs.size(), 2U) << entry.path();
    EXPECT_EQ(jobs[0].id.text(), "01kajz3b8h0000000000000001");
    EXPECT_EQ(jobs[0].state, JobState::done);
    EXPECT_EQ(jobs[0].exit_code, 3);
    EXPECT_EQ(jobs[0].name, "train");
    EXPECT_EQ(jobs[1].state, JobState::intent);
    EXPECT_EQ(registry.add_intent(spec_of("p", "n"), "here"), 3U);
    ++loaded;
  }
  EXPECT_GE(loaded, 2);
}

}  // namespace
