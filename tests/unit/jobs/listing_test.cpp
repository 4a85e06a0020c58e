#include "jobs/listing.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "job_fixture.hpp"
#include "jobs/spec.hpp"
#include "re/base/strings.hpp"

namespace re::jobs::test {
namespace {

using model::JobState;

model::JobSpec full_spec() {
  auto spec = live_job("echo 'a%b'\n\tc=d \x7f\x01 \xc3\xa9");
  spec.index = 7;
  spec.name = "n a\nme";
  spec.work_tree = model::WorkTree::own;
  spec.streams = model::Streams::split;
  spec.snapshot = "abc";
  spec.continues = live_job("x").id;
  spec.shared = {"data", "models/big"};
  spec.git_commit = "0123456789abcdef";
  return spec;
}

std::string answer_of(const model::JobSpec& spec) {
  const std::string id = spec.id.text();
  return "now 1000000100\njob " + id + " running -\nspec\n" + render_spec(spec) +
         "run\npid=17 start=5 boot=b pidns=1 init=3 host=h uid=0 began=1000000000 job=" + id +
         "\nlog\n-rw------- 1 0 0 12345 Nov 21 10:10 " + id + "/log\nend\n";
}

TEST(SpecTest, survives_being_written_and_read) {
  const auto spec = full_spec();
  const auto text = render_spec(spec);
  for (const char letter : text) EXPECT_TRUE(letter == '\n' || static_cast<unsigned char>(letter) >= 0x20);
  const auto read = parse_spec(text).value();
  EXPECT_EQ(render_spec(read), text);
  EXPECT_EQ(read.command, spec.command);
  EXPECT_EQ(read.name, spec.name);
  EXPECT_EQ(read.shared, spec.shared);
  EXPECT_EQ(read.continues, spec.continues);
}

TEST(SpecTest, cut_anywhere_is_refused_or_lacks_whole_lines) {
  const auto text = render_spec(full_spec());
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto read = parse_spec(std::string_view(text).substr(0, size));
    EXPECT_TRUE(!read || text[size - 1] == '\n') << size;
  }
}

TEST(SpecTest, what_cannot_be_carried_is_refused) {
  auto spec = live_job("true");
  spec.environment = {{"UID", "1"}};
  EXPECT_THROW(require_valid(spec), Error);
  spec.environment = {{"A B", "1"}};
  EXPECT_THROW(require_valid(spec), Error);
  spec = live_job(std::string(k_command_limit + 1, 'x'));
  EXPECT_THROW(require_valid(spec), Error);
  spec = live_job(std::string("a\0b", 3));
  EXPECT_THROW(require_valid(spec), Error);
}

TEST(ListingTest, joins_what_stands_in_its_parts) {
  const auto spec = full_spec();
  const auto listing = parse_listing(answer_of(spec)).value();
  ASSERT_EQ(listing.jobs.size(), 1U);
  EXPECT_TRUE(listing.problems.empty());
  const auto& job = listing.jobs[0];
  EXPECT_EQ(job.state, JobState::running);
  EXPECT_EQ(job.pid, 17);
  EXPECT_EQ(job.index, 7U);
  EXPECT_EQ(job.name, spec.name);
  EXPECT_EQ(job.command, spec.command);
  EXPECT_EQ(job.elapsed, 100s);
  EXPECT_EQ(job.log_size, 12345U);
}

TEST(ListingTest, an_answer_that_is_cut_is_an_error) {
  const auto text = answer_of(full_spec());
  for (std::size_t size = 0; size + 1 < text.size(); ++size) {
    EXPECT_FALSE(parse_listing(std::string_view(text).substr(0, size)).has_value()) << size;
  }
}

TEST(ListingTest, a_wrong_job_is_a_problem_beside_the_right_ones) {
  const auto text = answer_of(full_spec());
  const auto id = live_job("x").id.text();
  const std::vector<std::string> wrong = {"job " + id + " flying -\n", "job nonsense running -\n",
                                          "job " + id + " done -\n", "job " + id + " done exit.999.1\n",
                                          "job " + id + " running x y z\n"};
  for (const auto& line : wrong) {
    const auto listing = parse_listing(replace_all(text, "spec\n", line + "spec\n")).value();
    EXPECT_EQ(listing.jobs.size(), 1U) << line;
    EXPECT_EQ(listing.problems.size(), 1U) << line;
  }
}

TEST(ListingTest, any_bytes_are_an_answer_or_an_error) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto text = answer_of(full_spec());
  for (int round = 0; round < 20'000; ++round) {
    auto broken = text;
    for (int change = 0; change < 3; ++change) {
      const auto at = random() % broken.size();
      switch (random() % 3) {
        case 0:
          broken[at] = static_cast<char>(random() % 256);
          break;
        case 1:
          broken.erase(at, random() % 20);
          break;
        default:
          broken.insert(at, text.substr(random() % text.size(), random() % 40));
          break;
      }
    }
    (void)parse_listing(broken);
  }
}

TEST(ListTest, two_thousand_ended_jobs_cost_no_process_the_second_time) {
  Remote remote;
  const auto spec = live_job("echo text");
  remote.launch(spec);
  ASSERT_TRUE(remote.wait_for(spec.id, JobState::done));
  constexpr int k_count = 2000;
  for (int number = 0; number < k_count; ++number) {
    const auto id = live_job("x").id;
    std::filesystem::copy(remote.directory(spec.id), remote.directory(id));
    for (const std::string file : {"spec", "run"}) {
      std::ofstream(remote.directory(id) / file)
          << replace_all(remote.read(spec.id, file), spec.id.text(), id.text());
    }
    if (number >= 50) continue;  // these are seen for the first time: their lock is still a file to be asked
    std::filesystem::rename(remote.directory(id) / "job.free", remote.directory(id) / "job.lock");
  }
  const auto running = live_job("exec sleep 1000");
  remote.launch(running);
  remote.count_calls("flock");
  ListFilter filter;
  auto live = remote.await(remote.jobs().list(filter, k_deadline));
  ASSERT_EQ(live.jobs.size(), 1U);
  EXPECT_EQ(live.jobs[0].id, running.id);
  EXPECT_EQ(remote.calls(), 51U);
  remote.count_calls("flock");
  filter.scope = ListFilter::Scope::all;
  const auto all = remote.await(remote.jobs().list(filter, k_deadline));
  EXPECT_EQ(all.jobs.size(), k_count + 2U);
  EXPECT_TRUE(all.problems.empty());
  EXPECT_EQ(remote.calls(), 1U);  // for the one that runs
  for (const auto& job : all.jobs) EXPECT_TRUE(job.log_size == 5 || job.id == running.id);
  filter.project_id = "another";
  EXPECT_TRUE(remote.await(remote.jobs().list(filter, k_deadline)).jobs.empty());
}

TEST(ListTest, a_host_without_jobs_has_an_empty_list) {
  Remote remote;
  ListFilter filter;
  EXPECT_TRUE(remote.await(remote.jobs().list(filter, k_deadline)).jobs.empty());
}

}  // namespace
}  // namespace re::jobs::test
