#include "cli/complete.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "re/base/error.hpp"

namespace {

using re::cli::Candidate;
using re::cli::JobChoice;
using re::cli::Parsed;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using Words = std::vector<std::string>;

class KnownSource final : public re::cli::CompletionSource {
 public:
  std::vector<Instance> instances(const Parsed& parsed) override {
    config = parsed.text("config").value_or("");
    return {{"0", "gpu1", "ann@gpubox", {"lab", "a100"}}, {"7", "", "bob@[::1]:22", {"lab"}}};
  }
  std::vector<Job> jobs(const Parsed&, JobChoice choice) override {
    std::vector<Job> jobs = {{"1", "runner", "python3 a.py", "done"}};
    if (choice == JobChoice::live) jobs.clear();
    jobs.push_back({"2", "runner", "python3 b.py", "running"});
    jobs.push_back({"3", "big box", "sleep 9", "running"});
    return jobs;
  }
  std::vector<std::string> remote_paths(const Parsed& parsed, const std::string& prefix) override {
    asked = parsed.text("job").value_or("") + ":" + prefix;
    return {"bin/", "b c.txt", "other"};
  }
  std::string config;
  std::string asked;
};

re::cli::Completion ask(const Words& words) {
  KnownSource source;
  return re::cli::complete(words, source);
}

Words texts(const Words& words) {
  Words texts;
  for (const auto& candidate : ask(words).candidates) texts.push_back(candidate.text);
  return texts;
}

TEST(CompleteTest, commands_come_with_their_summaries) {
  EXPECT_THAT(ask({"pu"}).candidates,
              ElementsAre(Candidate{"push", "Upload files"}, Candidate{"pull", "Download files"},
                          Candidate{"purge", "End all live jobs of the project"}));
  EXPECT_THAT(texts({"help", "asy"}), ElementsAre("async"));
  EXPECT_THAT(texts({"-i", "gpu1", "asy"}), ElementsAre("async"));
  EXPECT_THAT(texts({"nonsense", ""}), IsEmpty());
}

TEST(CompleteTest, options_are_those_of_the_command_and_none_comes_twice) {
  EXPECT_THAT(texts({"log", "--f"}), ElementsAre("--follow", "--filter"));
  EXPECT_THAT(texts({"log", "-f", "--f"}), ElementsAre("--filter"));
  EXPECT_THAT(texts({"log", "--filter=x", "--follow", "--f"}), IsEmpty());
  EXPECT_THAT(texts({"async", "-e", "A=1", "--en"}), ElementsAre("--env"));
  EXPECT_THAT(texts({"push", "-i", "0", "--inst"}), IsEmpty());
  EXPECT_THAT(texts({"probe", "-i", "0", "--inst"}), ElementsAre("--instance"));
  EXPECT_THAT(texts({"log", "-f"}), ElementsAre("-f"));
  EXPECT_THAT(texts({"--vers"}), ElementsAre("--version"));
}

TEST(CompleteTest, an_option_may_stand_before_the_command) {
  EXPECT_THAT(texts({"-i", "gp"}), ElementsAre("gpu1"));
  EXPECT_THAT(texts({"--json", "log", "--js"}), IsEmpty());
  KnownSource source;
  re::cli::complete({"--config", "my.conf", "list", "-i", ""}, source);
  EXPECT_EQ(source.config, "my.conf");
}

TEST(CompleteTest, values_come_from_the_configuration_and_the_table) {
  EXPECT_THAT(ask({"push", "-i", ""}).candidates,
              ElementsAre(Candidate{"gpu1", "ann@gpubox"}, Candidate{"0", "gpu1, ann@gpubox"},
                          Candidate{"7", "bob@[::1]:22"}, Candidate{"local", "this machine"}));
  EXPECT_THAT(ask({"async", "-i", "l"}).candidates,
              ElementsAre(Candidate{"local", "this machine"}, Candidate{"lab", "gpu1, bob@[::1]:22"}));
  EXPECT_THAT(texts({"probe", "--instance=a"}), ElementsAre("--instance=all", "--instance=a100"));
  EXPECT_THAT(texts({"probe", "-igp"}), ElementsAre("-igpu1"));
  EXPECT_THAT(texts({"list", "--instance-idx", ""}), ElementsAre("0", "7"));
  EXPECT_THAT(texts({"list", "--color", "a"}), ElementsAre("auto", "always"));
  EXPECT_TRUE(ask({"list", "--config", "x"}).files);
  EXPECT_TRUE(ask({"list", "--config=x"}).files);
  EXPECT_THAT(texts({"async", "--name", ""}), IsEmpty());
}

TEST(CompleteTest, jobs_have_an_index_and_a_name_and_the_newest_bears_it) {
  EXPECT_THAT(ask({"log", ""}).candidates, ElementsAre(Candidate{"1", "runner, done: python3 a.py"},
                                                       Candidate{"2", "runner, running: python3 b.py"},
                                                       Candidate{"3", "big box, running: sleep 9"},
                                                       Candidate{"big box", "job 3, running: sleep 9"},
                                                       Candidate{"runner", "job 2, running: python3 b.py"}));
  EXPECT_THAT(texts({"log", "1", ""}), IsEmpty());
  EXPECT_THAT(texts({"log", "--idx", ""}), ElementsAre("1", "2", "3"));
  EXPECT_THAT(texts({"async", "--continue=b"}), ElementsAre("--continue=big box"));
}

TEST(CompleteTest, what_has_ended_cannot_be_killed_nor_anything_twice) {
  EXPECT_THAT(texts({"kill", ""}), ElementsAre("2", "3", "big box", "runner"));
  EXPECT_THAT(texts({"kill", "2", "runner", ""}), ElementsAre("3", "big box"));
  EXPECT_THAT(texts({"purge", ""}), IsEmpty());
}

TEST(CompleteTest, a_forward_begins_with_an_instance_or_a_live_job_and_ports_are_the_users) {
  EXPECT_THAT(texts({"forward", ""}), ElementsAre("gpu1", "local", "2", "3", "big box", "runner"));
  EXPECT_THAT(texts({"forward", "gpu1", ""}), IsEmpty());
  EXPECT_THAT(texts({"forward", "-i", "gpu1", ""}), IsEmpty());
}

TEST(CompleteTest, a_remote_command_is_the_shells_own) {
  const auto first = ask({"async", "-i", "0", "py"});
  EXPECT_TRUE(first.files && first.programs && first.candidates.empty());
  const auto later = ask({"async", "python3", "--na"});
  EXPECT_TRUE(later.files && !later.programs && later.candidates.empty());
  EXPECT_THAT(texts({"async", "python3 x.py", "--na"}), ElementsAre("--name"));
  EXPECT_TRUE(ask({"sync", "--", "--na"}).programs);
}

TEST(CompleteTest, pull_asks_the_host_for_the_first_path_and_takes_the_rest_here) {
  KnownSource source;
  const auto first = re::cli::complete({"pull", "--job", "2", "b"}, source);
  EXPECT_EQ(source.asked, "2:b");
  EXPECT_THAT(first.candidates, ElementsAre(Candidate{"bin/"}, Candidate{"b c.txt"}));
  EXPECT_FALSE(first.files);
  source.asked.clear();
  EXPECT_TRUE(re::cli::complete({"pull", "bin/", ""}, source).files);
  EXPECT_EQ(source.asked, "");
  EXPECT_TRUE(ask({"push", "x", ""}).files);
}

TEST(CompleteTest, two_dashes_end_the_options) {
  EXPECT_THAT(texts({"log", "--", "--"}), IsEmpty());
  EXPECT_TRUE(ask({"push", "--", "-"}).files);
}

TEST(CompleteTest, a_candidate_is_one_line_and_harmless) {
  re::cli::Completion completion;
  completion.candidates = {{"a b", "x\ty\x1b[31m"}, {"c\nd", "no"}, {"e\x1b", "no"}, {"", "no"}, {"f"}};
  completion.files = true;
  EXPECT_EQ(re::cli::render(completion), "a b\tx\\x09y\\x1b[31m\nf\n\tfiles\n");
}

TEST(CompleteTest, no_words_at_all_are_no_error) {
  EXPECT_THAT(texts({}), IsEmpty());
  EXPECT_THAT(texts({"log", "--", "", "", "-", ""}), IsEmpty());
}

}  // namespace
