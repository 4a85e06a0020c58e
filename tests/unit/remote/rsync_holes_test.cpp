#include "remote/rsync_holes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using re::remote::Finding;
using re::remote::judge_local_rsync;
using testing::HasSubstr;

Finding judged(const std::string& version, const std::string& changelog = "") {
  return judge_local_rsync("rsync  version " + version + "  protocol version 31\nCopyright\n", changelog);
}

TEST(RsyncHolesTest, a_missing_a_foreign_and_an_old_rsync_are_failures) {
  EXPECT_EQ(judge_local_rsync("", "").state, Finding::State::failed);
  EXPECT_THAT(judge_local_rsync("", "").mend, HasSubstr("apt-get install rsync"));
  EXPECT_EQ(judge_local_rsync("openrsync: protocol version 29\n", "").detail, "another program of that name");
  EXPECT_EQ(judged("3.1.2").state, Finding::State::failed);
}

TEST(RsyncHolesTest, the_first_hole_that_is_open_is_named_with_what_mends_it) {
  EXPECT_THAT(judged("3.1.3").detail, HasSubstr("CVE-2022-29154"));
  EXPECT_THAT(judged("3.2.4").detail, HasSubstr("re refuses to pull"));
  EXPECT_THAT(judged("3.2.7").detail, HasSubstr("CVE-2024-12087"));
  EXPECT_THAT(judged("3.4.1").detail, HasSubstr("CVE-2026-43620"));
  EXPECT_THAT(judged("3.4.4").detail, HasSubstr("CVE-2026-70458"));
  EXPECT_EQ(judged("3.4.4").state, Finding::State::warning);
  EXPECT_THAT(judged("3.4.4").mend, HasSubstr("3.5.0"));
  EXPECT_EQ(judged("3.5.0").state, Finding::State::ok);
}

TEST(RsyncHolesTest, what_the_package_says_it_mended_is_no_hole) {
  const std::string bookworm = "rsync (3.2.7-1+deb12u1)\n  * CVE-2024-12087\n";
  EXPECT_THAT(judged("3.2.7", bookworm).detail, HasSubstr("CVE-2026-43620"));
  EXPECT_EQ(judged("3.2.7", bookworm + "  * CVE-2026-43620, CVE-2026-70458\n").state, Finding::State::ok);
}

TEST(RsyncHolesTest, this_machine_has_one_that_is_read) {
  EXPECT_NE(re::remote::examine_local_rsync().state, Finding::State::failed);
}

}  // namespace
