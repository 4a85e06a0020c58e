#include "remote/probe_text.hpp"

#include <gtest/gtest.h>

namespace {

using namespace re::remote;

TEST(ProbeTextTest, strange_lines_are_passed_over) {
  const auto facts = parse_host_facts(
      "\n \nnonsense\nload x y z\nload 1 2\ncpus -1\nmemory_total_kib 99999999999999999999999\ndisk a b c\n"
      "owner 1\ntool x\nhostname h i\nclock 12\n");
  EXPECT_EQ(facts.hostname, "h i");
  EXPECT_EQ(facts.clock_epoch, 12);
  EXPECT_EQ(facts.cpus, std::nullopt);
  EXPECT_EQ(facts.memory_total_mib, std::nullopt);
  EXPECT_EQ(facts.load_1, std::nullopt);
  EXPECT_FALSE(facts.disk);
  EXPECT_TRUE(facts.tools.empty());
}

TEST(ProbeTextTest, a_disk_line_may_hold_blanks_at_both_ends) {
  const auto facts =
      parse_host_facts("disk_place /x y\ndisk //nas/my share 4096000 1024000 2048000 34% /mnt/a b\n");
  ASSERT_TRUE(facts.disk);
  EXPECT_EQ(facts.disk->place, "/x y");
  EXPECT_EQ(facts.disk->type, "");
  EXPECT_EQ(facts.disk->total_mib, 4000U);
  EXPECT_EQ(facts.disk->available_mib, 2000U);
}

TEST(ProbeTextTest, a_disk_may_be_told_in_blocks) {
  const auto facts = parse_host_facts("disk_place /x\ndisk_blocks 4096 1024000 512001 UNKNOWN (0x12 ab)\n");
  ASSERT_TRUE(facts.disk);
  EXPECT_EQ(facts.disk->type, "UNKNOWN (0x12 ab)");
  EXPECT_EQ(facts.disk->total_mib, 4000U);
  EXPECT_EQ(facts.disk->available_mib, 2000U);
  EXPECT_FALSE(parse_host_facts("disk_place /x\ndisk_blocks 4096 1 ? ext4\n").disk);
}

TEST(ProbeTextTest, a_place_without_figures_is_no_disk) {
  for (const auto* figures : {"", "disk - - - - - /\n", "disk a 2097152 1048576 524288 full /\n",
                              "disk_blocks 4096 2560\n", "disk_blocks 4096 x 1280 ext2/ext3\n"}) {
    EXPECT_FALSE(parse_host_facts(std::string("disk_place /\n") + figures).disk) << figures;
  }
}

TEST(ProbeTextTest, a_disk_that_does_not_answer_is_named) {
  const auto facts = parse_host_facts("disk_hangs /mnt/nfs\n");
  EXPECT_FALSE(facts.disk);
  EXPECT_EQ(facts.disk_fault, "/mnt/nfs does not answer");
}

TEST(ProbeTextTest, owners_of_processes_are_taken_where_both_words_are_there) {
  const auto report = parse_host_facts(
                          "smi_code 0\nsmi_fields index,name,uuid\nsmi 0, A100, GPU-a\napp_code 0\n"
                          "app 7, GPU-a, 10\napp 8, GPU-a, 10\napp 9, GPU-a, 10\n"
                          "owner 7 ann\nowner 8\nowner nine bob\nowner 9 bob x\n")
                          .gpus;
  ASSERT_EQ(report.state, GpuReport::State::ok) << report.reason;
  ASSERT_EQ(report.gpus.size(), 1U);
  ASSERT_EQ(report.gpus[0].processes.size(), 3U);
  EXPECT_EQ(report.gpus[0].processes[0].user, "ann");
  EXPECT_EQ(report.gpus[0].processes[1].user, std::nullopt);
  EXPECT_EQ(report.gpus[0].processes[2].user, std::nullopt);
}

}  // namespace
