#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "re/sys/file.hpp"
#include "remote/probe_text.hpp"

namespace {

using namespace re::remote;
using State = GpuReport::State;
using testing::HasSubstr;

const std::string k_uuid = "GPU-5f0d3a1e-0000-0000-0000-00000000000";

std::string captured(const std::string& name) {
  return re::sys::read_file(RE_SOURCE_DIR "/tests/data/nvidia-smi/" + name + ".txt");
}

SmiText answer(const std::string& name, const std::string& code = "0") {
  SmiText text;
  text.code = code;
  text.fields =
      "index,name,uuid,memory.total,memory.used,memory.free,utilization.gpu,temperature.gpu,power.draw";
  text.rows = captured(name);
  text.app_code = "0";
  return text;
}

TEST(GpuTextTest, reads_a_plain_answer) {
  const auto report = parse_smi(answer("plain"));
  EXPECT_EQ(report.state, State::ok);
  ASSERT_EQ(report.gpus.size(), 2U);
  const Gpu& gpu = report.gpus[0];
  EXPECT_EQ(gpu.index, 0U);
  EXPECT_EQ(gpu.name, "NVIDIA A100-SXM4-80GB");
  EXPECT_EQ(gpu.uuid, k_uuid + "0");
  EXPECT_EQ(gpu.memory_total_mib, 81920U);
  EXPECT_EQ(gpu.memory_used_mib, 1024U);
  EXPECT_EQ(gpu.memory_free_mib, 80896U);
  EXPECT_EQ(gpu.utilization_percent, 37U);
  EXPECT_EQ(gpu.temperature_celsius, 41);
  EXPECT_DOUBLE_EQ(*gpu.power_watt, 88.31);
  EXPECT_EQ(gpu.fault, "");
  EXPECT_TRUE(report.has_processes);
  EXPECT_TRUE(gpu.processes.empty());
}

TEST(GpuTextTest, states_have_names_that_differ) {
  std::set<std::string_view> names;
  for (const auto state :
       {State::absent, State::ok, State::no_driver, State::no_devices, State::hung, State::failed}) {
    names.insert(to_string(state));
  }
  EXPECT_EQ(names, (std::set<std::string_view>{"absent", "ok", "no driver", "no devices", "hung", "failed"}));
}

TEST(GpuTextTest, a_header_and_units_do_not_disturb) {
  const auto report = parse_smi(answer("header_units"));
  ASSERT_EQ(report.gpus.size(), 1U);
  EXPECT_EQ(report.gpus[0].memory_used_mib, 1024U);
  EXPECT_EQ(report.gpus[0].utilization_percent, 37U);
  EXPECT_DOUBLE_EQ(*report.gpus[0].power_watt, 88.31);
}

TEST(GpuTextTest, a_value_that_is_not_available_keeps_the_card) {
  const auto report = parse_smi(answer("tokens"));
  ASSERT_EQ(report.gpus.size(), 2U);
  EXPECT_EQ(report.gpus[0].utilization_percent, std::nullopt);
  EXPECT_EQ(report.gpus[0].temperature_celsius, std::nullopt);
  EXPECT_EQ(report.gpus[0].power_watt, std::nullopt);
  EXPECT_EQ(report.gpus[0].memory_free_mib, 10417U);
  EXPECT_EQ(report.gpus[1].power_watt, std::nullopt);
  EXPECT_EQ(report.gpus[1].fault, "");
}

TEST(GpuTextTest, unified_memory_and_missing_permission_keep_the_card) {
  for (const char* name : {"unified_memory", "no_permission"}) {
    const auto report = parse_smi(answer(name));
    ASSERT_EQ(report.gpus.size(), 1U) << name;
    EXPECT_EQ(report.gpus[0].uuid, k_uuid + "0");
    EXPECT_EQ(report.gpus[0].memory_total_mib, std::nullopt);
    EXPECT_EQ(report.gpus[0].memory_free_mib, std::nullopt);
    EXPECT_EQ(report.gpus[0].fault, "");
    EXPECT_TRUE(report.gpus[0].temperature_celsius);
  }
}

TEST(GpuTextTest, a_lost_card_is_reported_among_the_good_ones) {
  const auto old = parse_smi(answer("lost_old", "15"));
  ASSERT_EQ(old.gpus.size(), 3U);
  EXPECT_EQ(old.state, State::ok);
  EXPECT_EQ(old.gpus[1].bus_id, "0000:05:00.0");
  EXPECT_EQ(old.gpus[1].fault, "GPU is lost");
  EXPECT_EQ(old.gpus[2].index, 2U);
  const auto newer = parse_smi(answer("lost_new", "255"));
  ASSERT_EQ(newer.gpus.size(), 2U);
  EXPECT_EQ(newer.gpus[0].bus_id, "0000:02:00.0");
  EXPECT_EQ(newer.gpus[0].fault, "Unknown Error");
  const auto newest = parse_smi(answer("lost_newest", "255"));
  ASSERT_EQ(newest.gpus.size(), 2U);
  EXPECT_EQ(newest.gpus[1].index, 1U);
  EXPECT_EQ(newest.gpus[1].bus_id, "0000:34:00.0");
  EXPECT_EQ(newest.gpus[1].fault, "Unknown Error");
}

TEST(GpuTextTest, a_card_that_answers_nothing_has_a_fault) {
  const auto report = parse_smi(answer("failing_card"));
  ASSERT_EQ(report.gpus.size(), 3U);
  EXPECT_EQ(report.gpus[0].fault, "");
  EXPECT_EQ(report.gpus[1].fault, "GPU requires reset");
  EXPECT_EQ(report.gpus[1].uuid, "");
  EXPECT_EQ(report.gpus[2].fault, "Unknown Error");
}

TEST(GpuTextTest, commas_in_a_name_belong_to_it) {
  const auto report = parse_smi(answer("names_with_commas"));
  ASSERT_EQ(report.gpus.size(), 2U);
  EXPECT_EQ(report.gpus[0].name, "Graphics Device, Rev. B, 16 GB");
  EXPECT_EQ(report.gpus[0].uuid, k_uuid + "0");
  EXPECT_EQ(report.gpus[1].name, "Graphics Device, Rev. C");
  EXPECT_EQ(report.gpus[1].memory_total_mib, 16384U);
}

struct ToolFailure {
  const char* name;
  const char* code;
  State state;
  const char* reason;
};

class ToolFailureTest : public testing::TestWithParam<ToolFailure> {};

TEST_P(ToolFailureTest, has_its_state_and_reason) {
  const auto& given = GetParam();
  const auto report = parse_smi(answer(given.name, given.code));
  EXPECT_EQ(report.state, given.state);
  EXPECT_THAT(report.reason, HasSubstr(given.reason));
  EXPECT_EQ(report.reason.find('\n'), std::string::npos);
  EXPECT_TRUE(report.gpus.empty());
  EXPECT_FALSE(report.has_processes);
}

INSTANTIATE_TEST_SUITE_P(
    All, ToolFailureTest,
    testing::Values(ToolFailure{"no_driver", "9", State::no_driver,
                                "couldn't communicate with the NVIDIA driver"},
                    ToolFailure{"no_devices", "6", State::no_devices, "No devices were found"},
                    ToolFailure{"no_devices", "0", State::no_devices, "No devices were found"},
                    ToolFailure{"mismatch", "18", State::no_driver, "Driver/library version mismatch"},
                    ToolFailure{"unknown_error", "255", State::no_driver, "Unknown Error"},
                    ToolFailure{"bad_field", "2", State::failed, "not a valid field"}));

TEST(GpuTextTest, a_hang_and_a_silent_failure_are_told) {
  SmiText text;
  EXPECT_EQ(parse_smi(text).state, State::absent);
  text.code = "hangs";
  EXPECT_EQ(parse_smi(text).state, State::hung);
  text.code = "held";
  EXPECT_THAT(parse_smi(text).reason, HasSubstr("earlier"));
  text.code = "139";
  EXPECT_EQ(parse_smi(text).state, State::failed);
  EXPECT_THAT(parse_smi(text).reason, HasSubstr("139"));
}

TEST(GpuTextTest, slices_and_processes_belong_to_their_card) {
  SmiText text = answer("plain");
  text.list = captured("mig_list");
  text.apps = captured("apps");
  text.owners = {{12345, "alice"}};
  const auto report = parse_smi(text);
  ASSERT_EQ(report.gpus.size(), 2U);
  ASSERT_EQ(report.gpus[0].mig_devices.size(), 2U);
  EXPECT_EQ(report.gpus[0].mig_devices[0].profile, "3g.20gb");
  EXPECT_EQ(report.gpus[0].mig_devices[0].uuid, "MIG-e07a497d-1bb6-5a42-b670-1c33bf55ab6e");
  EXPECT_TRUE(report.gpus[1].mig_devices.empty());
  ASSERT_EQ(report.gpus[0].processes.size(), 2U);
  EXPECT_EQ(report.gpus[0].processes[0].pid, 12345);
  EXPECT_EQ(report.gpus[0].processes[0].user, "alice");
  EXPECT_EQ(report.gpus[0].processes[0].memory_mib, 998U);
  EXPECT_EQ(report.gpus[0].processes[1].pid, 12347);
  ASSERT_EQ(report.gpus[1].processes.size(), 1U);
  EXPECT_EQ(report.gpus[1].processes[0].user, std::nullopt);
  EXPECT_EQ(report.gpus[1].processes[0].memory_mib, std::nullopt);
}

TEST(GpuTextTest, an_answer_cut_anywhere_is_no_crash) {
  for (const char* name : {"plain", "lost_newest", "names_with_commas", "mig_list", "failing_card"}) {
    const std::string whole = captured(name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      SmiText text = answer(name);
      text.rows = whole.substr(0, size);
      text.list = text.rows;
      text.apps = text.rows;
      EXPECT_LE(parse_smi(text).gpus.size(), 3U);
    }
  }
}

}  // namespace
