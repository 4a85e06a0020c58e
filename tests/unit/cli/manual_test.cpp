#include "cli/manual.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "cli/command.hpp"
#include "re/base/error.hpp"
#include "re/sys/file.hpp"

namespace {

const std::filesystem::path k_source = RE_SOURCE_DIR;

TEST(ManualTest, the_page_that_is_kept_is_the_one_that_the_program_makes) {
  const std::string made = re::cli::manual_page(re::sys::read_file(k_source / "man/re.1.in"));
  EXPECT_TRUE(made == re::sys::read_file(k_source / "man/re.1")) << "renew it with: ninja manual";
}

TEST(ManualTest, every_command_and_every_option_is_in_the_page) {
  const std::string page = re::cli::manual_page("@COMMANDS@\n");
  for (const auto& command : re::cli::commands()) {
    EXPECT_NE(page.find(".Nm Cm " + std::string(command.name) + "\n"), std::string::npos) << command.name;
    for (const auto& option : command.options)
      EXPECT_NE(page.find("Fl \\-" + std::string(option.key())), std::string::npos) << option.names;
  }
}

TEST(ManualTest, what_the_reader_types_is_no_typography) {
  const std::string page = re::cli::manual_page("@COMMANDS@\n");
  EXPECT_NE(page.find("without \\-\\-delete."), std::string::npos);
  EXPECT_NE(page.find("\\(ti/.config/re/re.conf"), std::string::npos);
  EXPECT_EQ(page.find(" --"), std::string::npos);
  EXPECT_NE(page.find(".Op Ar JOB ...\n"), std::string::npos);
}

TEST(ManualTest, a_template_without_a_place_for_the_commands_is_refused) {
  EXPECT_THROW(re::cli::manual_page("COMMANDS\n"), re::Error);
}

TEST(ManualTest, every_command_has_a_golden_help) {
  for (const auto& command : re::cli::commands()) {
    const auto file = k_source / "tests/golden" / ("help_" + std::string(command.name)) / "stdout";
    EXPECT_TRUE(std::filesystem::exists(file)) << file;
  }
}

}  // namespace
