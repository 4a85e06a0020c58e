#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "config/parse.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"

namespace {

// The keys that a section of re.conf(5) describes: its ".It Cm KEY" lines, sorted.
std::vector<std::string> documented_keys(const std::string& section) {
  const std::string page = re::sys::read_file(std::filesystem::path(RE_SOURCE_DIR) / "man/re.conf.5");
  std::vector<std::string> keys;
  bool is_inside = false;
  for (const auto line : re::split_lines(page)) {
    if (line.starts_with(".Sh ")) is_inside = line == ".Sh SECTION [" + section + "]\\&";
    if (is_inside && line.starts_with(".It Cm ")) keys.emplace_back(re::split_words(line)[2]);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::vector<std::string> sorted(std::vector<std::string> keys) {
  std::sort(keys.begin(), keys.end());
  return keys;
}

TEST(ManualTest, every_key_of_the_configuration_is_documented_and_no_other) {
  EXPECT_EQ(documented_keys("general"), sorted(re::config::general_keys()));
  EXPECT_EQ(documented_keys("instance N"), sorted(re::config::instance_keys()));
  EXPECT_EQ(documented_keys("project"), sorted(re::config::project_keys()));
}

}  // namespace
