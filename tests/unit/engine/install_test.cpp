#include "re/engine/install.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "re/base/error.hpp"
#include "re/sys/file.hpp"

namespace re::engine {
namespace {

using How = InstallPlan::How;
using testing::ElementsAre;
using testing::HasSubstr;

class InstallTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    sys::write_file_atomic(m_directory.path() / name, text);
  }
  InstallPlan plan() { return plan_install(m_project, project::collect_files(m_project.root)); }
  std::string requirements() {
    return sys::read_file_if_exists(m_project.root / "requirements.txt").value_or("");
  }

  sys::TemporaryDirectory m_directory{"re-install"};
  project::Project m_project{std::filesystem::canonical(m_directory.path()), "p", std::string(32, 'a')};
};

TEST_F(InstallTest, a_project_that_imports_nothing_needs_nothing) {
  write("x.py", "import json\n");
  EXPECT_EQ(plan().how, How::nothing);
}

TEST_F(InstallTest, the_imports_are_written_down_once_and_anew_when_they_change) {
  write("x.py", "import absent_thing\ntry:\n  import tried_thing\nexcept ImportError:\n  pass\n");
  const auto first = plan();
  EXPECT_EQ(first.how, How::requirements);
  EXPECT_THAT(first.words, ElementsAre("requirements.txt"));
  write_requirements(m_project, first);
  EXPECT_EQ(requirements(), first.generated);
  EXPECT_THAT(requirements(), HasSubstr("\nabsent_thing\n"));
  EXPECT_EQ(requirements().find("tried_thing"), std::string::npos);
  EXPECT_EQ(plan().hash, first.hash);
  write("y.py", "import other_thing\n");
  const auto second = plan();
  EXPECT_NE(second.hash, first.hash);
  EXPECT_THAT(second.generated, HasSubstr("\nother_thing\n"));
}

TEST_F(InstallTest, the_projects_own_way_comes_before_its_imports) {
  write("x.py", "import absent_thing\n");
  write("pyproject.toml", "[tool.black]\nline-length = 100\n");
  EXPECT_FALSE(plan().generated.empty());
  write("pyproject.toml", "[project]\nname = 'p'\n");
  EXPECT_EQ(plan().how, How::project);
  write("requirements.txt", "absent_thing==1\n");
  const auto plan_by_hand = plan();
  EXPECT_EQ(plan_by_hand.how, How::requirements);
  write_requirements(m_project, plan_by_hand);
  EXPECT_EQ(requirements(), "absent_thing==1\n");
  write("environment.yml", "name: p\n");
  EXPECT_EQ(plan().how, How::conda);
  write("uv.lock", "version = 1\n");
  const auto locked = plan();
  EXPECT_EQ(locked.how, How::uv);
  write("uv.lock", "version = 2\n");
  EXPECT_NE(plan().hash, locked.hash);
}

TEST(InstallPackages, an_option_is_no_package) {
  EXPECT_THAT(plan_packages({"torch>=2", "tqdm"}).words, ElementsAre("torch>=2", "tqdm"));
  EXPECT_THROW(plan_packages({"-r"}), Error);
  EXPECT_THROW(plan_packages({"git+https://h/x", "--index-url=http://h"}), Error);
}

}  // namespace
}  // namespace re::engine
