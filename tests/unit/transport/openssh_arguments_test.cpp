// The arguments with which ssh becomes a connection master of ours.
#include <gtest/gtest.h>

#include <algorithm>

#include "re/base/strings.hpp"
#include "transport/openssh_master.hpp"

namespace re::transport {
namespace {

bool has_option(const std::vector<std::string>& arguments, std::string_view text) {
  return std::find(arguments.begin(), arguments.end(), text) != arguments.end();
}

TEST(OpensshArgumentsTest, the_target_goes_before_the_configuration_and_names_come_last) {
  Target target;
  target.host = "gpu1";
  target.user = "pat";
  target.port = 2222;
  target.identity_files = {"/k"};
  target.ssh_config = "/c";
  target.connect_timeout = std::chrono::milliseconds(1200);
  EffectiveConfig config;
  const auto arguments = master_arguments(target, config, "/s", true);
  EXPECT_EQ(join(std::vector<std::string>(arguments.end() - 8, arguments.end()), " "),
            "-l pat -p 2222 -i /k -- gpu1");
  EXPECT_TRUE(has_option(arguments, "ConnectTimeout=2"));
  EXPECT_TRUE(has_option(arguments, "ServerAliveInterval=15"));
  EXPECT_TRUE(has_option(arguments, "StrictHostKeyChecking=ask"));
}

TEST(OpensshArgumentsTest, what_the_user_configured_stays) {
  Target target;
  target.host = "gpu1";
  EffectiveConfig config;
  config.server_alive_interval = std::chrono::seconds(7);
  config.strict_host_key_checking = "yes";
  const auto arguments = master_arguments(target, config, "/s", false);
  EXPECT_FALSE(has_option(arguments, "ServerAliveInterval=15"));
  EXPECT_TRUE(has_option(arguments, "StrictHostKeyChecking=yes"));
  for (const auto& argument : arguments) EXPECT_FALSE(argument.starts_with("KexAlgorithms")) << argument;
}

}  // namespace
}  // namespace re::transport
