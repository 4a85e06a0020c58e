#include "re/config/settings.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/config/writer.hpp"
#include "re/sys/file.hpp"

namespace {

using namespace re::config;
using testing::HasSubstr;
namespace fs = std::filesystem;

/// A home directory of its own.
class ConfigFilesTest : public testing::Test {
 protected:
  ConfigFilesTest() {
    m_sources.paths.home = m_directory.path();
    m_sources.paths.config = m_directory.path() / ".config/re";
  }

  fs::path write(const std::string& name, std::string_view text, unsigned mode = 0600) {
    const fs::path path = m_directory.path() / name;
    fs::create_directories(path.parent_path());
    re::sys::write_file_atomic(path, text, mode);
    return path;
  }

  std::string error() {
    try {
      load_settings(m_sources);
    } catch (const re::Error& thrown) {
      EXPECT_EQ(thrown.kind(), re::ErrorKind::config);
      return thrown.what();
    }
    return "no error";
  }

  unsigned mode_of(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 07777U;
  }

  re::sys::TemporaryDirectory m_directory{"re-config"};
  Sources m_sources;
};

constexpr std::string_view k_with_password = "[instance 0]\nusername = u\nhost = h\npassword = p\n";

TEST_F(ConfigFilesTest, no_file_gives_the_defaults_and_the_local_instance) {
  const Settings settings = load_settings(m_sources);
  EXPECT_FALSE(settings.user_file);
  EXPECT_EQ(settings.general.persist.value, std::chrono::minutes(10));
  const auto chosen = resolve(settings);
  ASSERT_EQ(chosen.size(), 1U);
  EXPECT_EQ(chosen[0].label(), "local");
  EXPECT_EQ(chosen[0].transport.value, TransportKind::local);
  EXPECT_EQ(chosen[0].remote_home.value, "projects/");
  EXPECT_EQ(to_string(chosen[0].remote_home.origin), "built-in default");
}

TEST_F(ConfigFilesTest, the_new_place_wins_over_recompute_pys_and_an_explicit_file_over_both) {
  write(".recompute.conf", "[instance 0]\nhost = old\n");
  Settings settings = load_settings(m_sources);
  EXPECT_EQ(settings.instances.at(0).host.value, "old");
  EXPECT_EQ(to_string(settings.instances[0].host.origin), "~/.recompute.conf:2");
  write(".config/re/re.conf", "[instance 0]\nhost = new\n");
  EXPECT_EQ(load_settings(m_sources).instances.at(0).host.value, "new");
  m_sources.explicit_file = write("other", "[instance 5]\nhost = explicit\n");
  settings = load_settings(m_sources);
  EXPECT_EQ(settings.instances.at(0).index, 5U);
  m_sources.explicit_file = m_directory.path() / "missing";
  EXPECT_EQ(error(), "there is no configuration file ~/missing");
}

TEST_F(ConfigFilesTest, a_password_that_others_can_read_is_refused_in_either_place) {
  for (const std::string name : {".recompute.conf", ".config/re/re.conf"}) {
    for (const unsigned mode : {0644U, 0640U, 0604U, 0610U}) {
      const fs::path path = write(name, k_with_password, mode);
      EXPECT_EQ(error(),
                "~/" + name + ":4: the file holds a password but others can read it; chmod 600 ~/" + name);
    }
    write(name, "[instance 0]\nhost = h\n", 0644);
    EXPECT_EQ(error(), "no error");
    write(name, k_with_password, 0400);
    EXPECT_EQ(error(), "no error");
  }
}

TEST_F(ConfigFilesTest, a_file_that_others_can_write_or_own_is_refused) {
  write(".recompute.conf", "[instance 0]\nhost = h\n", 0664);
  EXPECT_EQ(error(), "~/.recompute.conf can be written by others; chmod go-w ~/.recompute.conf");
  if (::geteuid() != 0) GTEST_SKIP() << "giving a file away needs root";
  const fs::path path = write(".recompute.conf", "[instance 0]\nhost = h\n");
  ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  EXPECT_THAT(error(), HasSubstr("belongs to another user"));
}

TEST_F(ConfigFilesTest, what_is_no_regular_file_is_refused_without_hanging) {
  ASSERT_EQ(::mkfifo((m_directory.path() / ".recompute.conf").c_str(), 0600), 0);
  EXPECT_EQ(error(), "~/.recompute.conf is not a regular file");
}

TEST_F(ConfigFilesTest, a_link_to_a_private_file_is_followed_and_its_target_checked) {
  const fs::path target = write("dotfiles/conf", k_with_password, 0600);
  fs::create_symlink(target, m_directory.path() / ".recompute.conf");
  EXPECT_EQ(load_settings(m_sources).instances.at(0).password.value->reveal(), "p");
  ASSERT_EQ(::chmod(target.c_str(), 0644), 0);
  EXPECT_THAT(error(), HasSubstr("others can read it"));
}

TEST_F(ConfigFilesTest, the_projects_remote_home_wins_and_its_instance_is_the_default) {
  write(".recompute.conf",
        "[general]\nremote_home = g\n[instance 0]\nhost = a\n[instance 1]\nhost = b\nremote_home = i\n");
  EXPECT_EQ(resolve(load_settings(m_sources)).at(0).remote_home.value, "g");
  m_sources.project_file = m_directory.path() / "p/.recompute/config";
  EXPECT_EQ(resolve(load_settings(m_sources), "1").at(0).remote_home.value, "i");
  write("p/.recompute/config", "[project]\ninstance = 1\nremote_home = w\n", 0666);
  const auto chosen = resolve(load_settings(m_sources));
  EXPECT_EQ(chosen.at(0).host.value, "b");
  EXPECT_EQ(chosen.at(0).remote_home.value, "w");
  EXPECT_EQ(to_string(chosen.at(0).remote_home.origin), "~/p/.recompute/config:3");
  write("p/.recompute/config", "[project]\npassword = x\n");
  EXPECT_THAT(error(), HasSubstr("~/p/.recompute/config:2: a project cannot set password"));
}

class ResolveTest : public ConfigFilesTest {
 protected:
  ResolveTest() {
    write(".recompute.conf",
          "[instance 2]\nname = gpu2\nhost = b\nusername = u\nport = 22\n[instance 7]\nhost = c.d\nusername "
          "= u\n"
          "[instance 9]\nname = gpu9\nhost = ::1\nusername = v\nport = 2222\n");
    m_settings = load_settings(m_sources);
  }
  std::string label(std::optional<std::string_view> selector) {
    return resolve(m_settings, selector).at(0).label();
  }
  std::string failure(std::string_view selector, re::ErrorKind kind) {
    try {
      resolve(m_settings, selector);
    } catch (const re::Error& thrown) {
      EXPECT_EQ(thrown.kind(), kind);
      return thrown.what();
    }
    return "no error";
  }
  Settings m_settings;
};

TEST_F(ResolveTest, index_name_destination_all_and_local_select) {
  EXPECT_EQ(label({}), "gpu2");
  EXPECT_EQ(label("7"), "u@c.d");
  EXPECT_EQ(label("gpu9"), "gpu9");
  EXPECT_EQ(label("local"), "local");
  EXPECT_EQ(resolve(m_settings, "all").size(), 3U);
  EXPECT_EQ(resolve(m_settings, "u@C.D").at(0).index, 7U);
  EXPECT_EQ(resolve(m_settings, "v@[::1]:2222").at(0).index, 9U);
  EXPECT_EQ(resolve(m_settings, "u@b:22").at(0).index, 2U);
}

TEST_F(ResolveTest, a_destination_that_is_not_configured_is_an_instance_of_its_own) {
  const auto chosen = resolve(m_settings, "w@x:2200").at(0);
  EXPECT_FALSE(chosen.index);
  EXPECT_EQ(chosen.label(), "w@x:2200");
  EXPECT_EQ(chosen.remote_home.value, "projects/");
  EXPECT_FALSE(resolve(m_settings, "v@[::1]:22").at(0).index);
  EXPECT_EQ(resolve(m_settings, "v@::2").at(0).host.value, "::2");
  EXPECT_EQ(resolve(m_settings, "a@b@c").at(0).username.value, "a@b");
}

TEST_F(ResolveTest, the_unknown_is_refused_with_what_there_is) {
  EXPECT_EQ(
      failure("gpu3", re::ErrorKind::not_found),
      "there is no instance gpu3 (there are: 2 (gpu2), 7 (u@c.d), 9 (gpu9), local); did you mean gpu2?");
  EXPECT_EQ(failure("4", re::ErrorKind::not_found),
            "there is no instance 4 (there are: 2 (gpu2), 7 (u@c.d), 9 (gpu9), local); add it with re "
            "sshadd, or write user@host");
  EXPECT_THAT(failure("c.d", re::ErrorKind::not_found), HasSubstr("the instance with this host is 7"));
  EXPECT_THAT(failure("99999999999999999999999", re::ErrorKind::not_found),
              HasSubstr("there is no instance"));
  EXPECT_THAT(failure("gpu3:22", re::ErrorKind::not_found), HasSubstr("there is no instance gpu3:22 ("));
  EXPECT_THAT(failure("", re::ErrorKind::not_found), HasSubstr("there is no instance"));
  EXPECT_THAT(failure("\x1b[31m", re::ErrorKind::not_found), HasSubstr("there is no instance ("));
}

class ResolveTagsTest : public ResolveTest {
 protected:
  ResolveTagsTest() {
    write(".recompute.conf",
          "[instance 1]\nname = gpu1\nhost = a\nusername = u\ntags = lab, a100\n"
          "[instance 2]\nname = gpu2\nhost = b\nusername = u\ntags = lab, gpu1, 2, local\n"
          "[instance 3]\nhost = c\nusername = u\ntags = 2024\n");
    m_settings = load_settings(m_sources);
  }
  std::string labels(std::string_view selector) {
    std::vector<std::string> labels;
    for (const auto& instance : resolve(m_settings, selector)) labels.push_back(instance.label());
    return re::join(labels, " ");
  }
};

TEST_F(ResolveTagsTest, a_tag_selects_every_instance_that_has_it) {
  EXPECT_EQ(labels("lab"), "gpu1 gpu2");
  EXPECT_EQ(labels("a100"), "gpu1");
  EXPECT_EQ(labels("2024"), "u@c");
}

TEST_F(ResolveTagsTest, a_name_an_index_and_a_keyword_win_over_a_tag_of_the_same_text) {
  EXPECT_EQ(labels("gpu1"), "gpu1");
  EXPECT_EQ(labels("2"), "gpu2");
  EXPECT_EQ(labels("local"), "local");
}

TEST_F(ResolveTagsTest, several_selectors_name_each_instance_once_in_their_order) {
  EXPECT_EQ(labels("3,lab"), "u@c gpu1 gpu2");
  EXPECT_EQ(labels("gpu2, all"), "gpu2 gpu1 u@c");
  EXPECT_EQ(labels("local,x@y,x@y,local"), "local x@y");
  EXPECT_EQ(resolve(m_settings, "u@b,gpu2").size(), 1U);
}

TEST_F(ResolveTagsTest, one_unknown_among_several_is_refused) {
  EXPECT_THAT(failure("gpu1,lap", re::ErrorKind::not_found), HasSubstr("did you mean lab?"));
  EXPECT_THAT(failure("gpu1,", re::ErrorKind::not_found), HasSubstr("there is no instance"));
}

TEST_F(ResolveTest, malformed_destinations_are_usage_errors) {
  for (const char* text : {"@h", "u@", "u@-h", "-u@h", "u@h:0", "u@h:x", "u@h:", "u@a b", "u@[::1",
                           "u@[::1]x", "u@$(id)", "u@h:22:22"}) {
    EXPECT_THAT(failure(text, re::ErrorKind::usage), HasSubstr("the destination")) << text;
  }
}

TEST_F(ConfigFilesTest, a_default_that_is_not_there_is_an_error_with_its_place) {
  write(".recompute.conf", "[general]\ninstance = 3\n");
  EXPECT_EQ(resolve(load_settings(m_sources)).at(0).label(), "local");
  write(".recompute.conf", "[general]\ninstance = 3\n[instance 0]\nhost = h\n");
  try {
    resolve(load_settings(m_sources));
    FAIL();
  } catch (const re::Error& thrown) {
    EXPECT_THAT(thrown.what(), HasSubstr("~/.recompute.conf:2: there is no instance 3"));
  }
}

class WriterTest : public ConfigFilesTest {
 protected:
  static NewInstance make(const std::string& user, const std::string& host,
                          const std::string& password = {}) {
    NewInstance instance;
    instance.destination = {user, host, {}};
    if (!password.empty()) instance.password = std::make_shared<const re::sys::Secret>(password);
    return instance;
  }
  std::size_t append(const fs::path& path, const NewInstance& instance) {
    return append_instance(path, m_sources.paths, instance);
  }
  std::string failure(const fs::path& path, const NewInstance& instance, re::ErrorKind kind) {
    try {
      append(path, instance);
    } catch (const re::Error& thrown) {
      EXPECT_EQ(thrown.kind(), kind);
      return thrown.what();
    }
    return "no error";
  }
};

TEST_F(WriterTest, a_first_instance_makes_a_private_file) {
  const fs::path path = user_file(m_sources);
  NewInstance instance = make("u", "::1", "a%b ;c");
  instance.name = "gpu";
  instance.destination.port = 2222;
  instance.identity_files = {"/k/a", "/k/b"};
  EXPECT_EQ(append(path, instance), 0U);
  EXPECT_EQ(re::sys::read_file(path),
            "[instance 0]\nname = gpu\nusername = u\nhost = ::1\nport = 2222\nidentity_file = "
            "/k/a\nidentity_file = /k/b\n"
            "password = a%%b ;c\n");
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(mode_of(path.parent_path()), 0700U);
  const auto read = resolve(load_settings(m_sources), "gpu").at(0);
  EXPECT_EQ(read.password.value->reveal(), "a%b ;c");
  EXPECT_EQ(read.identity_files.value.size(), 2U);
}

TEST_F(WriterTest, the_index_is_the_highest_and_one_and_every_byte_before_stays) {
  const std::string text = "# mine\r\n[instance 4]\r\nhost: h\r\n\r\n; note\r\n[general]\r\npersist: 1h";
  const fs::path path = write(".recompute.conf", text + "\r\n[instance 1]\r\nhost: x\r\npassword: p", 0600);
  EXPECT_EQ(append(path, make("u", "new")), 5U);
  EXPECT_EQ(
      re::sys::read_file(path),
      text +
          "\r\n[instance 1]\r\nhost: x\r\npassword: p\r\n\r\n[instance 5]\r\nusername: u\r\nhost: new\r\n");
}

TEST_F(WriterTest, a_password_makes_the_file_private_and_else_its_mode_stays) {
  const fs::path path = write(".recompute.conf", "[instance 0]\nhost=h\n", 0644);
  append(path, make("u", "i"));
  EXPECT_EQ(mode_of(path), 0644U);
  EXPECT_THAT(re::sys::read_file(path), HasSubstr("\n\n[instance 1]\nusername=u\nhost=i\n"));
  append(path, make("u", "j", "secret"));
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(load_settings(m_sources).instances.at(2).password.value->reveal(), "secret");
}

TEST_F(WriterTest, what_is_there_already_or_cannot_be_written_is_refused) {
  const fs::path path = write(".recompute.conf", "[instance 3]\nname = gpu\nusername = u\nhost = h\n");
  EXPECT_EQ(failure(path, make("u", "H"), re::ErrorKind::conflict),
            "gpu is instance 3 already (~/.recompute.conf:1); use it with -i 3");
  NewInstance named = make("v", "i");
  named.name = "gpu";
  EXPECT_THAT(failure(path, named, re::ErrorKind::conflict), HasSubstr("choose another name"));
  EXPECT_THAT(failure(path, make("u", "i", " x"), re::ErrorKind::config), HasSubstr("cannot be kept"));
  EXPECT_THAT(failure(path, make("u", "i", "x\ny"), re::ErrorKind::config), HasSubstr("cannot be kept"));
  EXPECT_THAT(failure(path, make("u\nhost = evil", "i"), re::ErrorKind::config), HasSubstr("the user name"));
  NewInstance file = make("u", "i");
  file.identity_files = {"/k/a,b"};
  EXPECT_THAT(failure(path, file, re::ErrorKind::config), HasSubstr("cannot be named"));
  EXPECT_EQ(re::sys::read_file(path), "[instance 3]\nname = gpu\nusername = u\nhost = h\n");
  write(".recompute.conf", "[instance 3]\nhots = h\n");
  EXPECT_THAT(failure(path, make("u", "i"), re::ErrorKind::config), HasSubstr("unknown key"));
}

TEST_F(WriterTest, a_link_stays_a_link) {
  const fs::path target = write("dotfiles/conf", "[instance 0]\nhost = h\n");
  const fs::path link = m_directory.path() / ".recompute.conf";
  fs::create_symlink(target, link);
  append(link, make("u", "i"));
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(load_settings(m_sources).instances.size(), 2U);
}

TEST_F(WriterTest, writers_at_the_same_time_lose_nothing) {
  constexpr int k_writers = 8;
  const fs::path path = m_directory.path() / ".recompute.conf";
  std::vector<pid_t> children;
  for (int i = 0; i < k_writers; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      for (int k = 0; k < 5; ++k) append(path, make("u" + std::to_string(i), "h" + std::to_string(k)));
      ::_exit(0);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const auto all = load_settings(m_sources).instances;
  ASSERT_EQ(all.size(), static_cast<std::size_t>(k_writers) * 5);
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i].index, i);
  const auto files = std::distance(fs::directory_iterator(m_directory.path()), fs::directory_iterator());
  EXPECT_EQ(files, 1) << "nothing but the file itself is left";
}

TEST_F(WriterTest, a_sample_is_written_once_unless_asked) {
  const fs::path path = user_file(m_sources);
  write_sample(path, Overwrite::no);
  EXPECT_EQ(mode_of(path), 0600U);
  EXPECT_EQ(re::sys::read_file(path), sample_text());
  try {
    write_sample(path, Overwrite::no);
    FAIL();
  } catch (const re::Error& thrown) {
    EXPECT_EQ(thrown.kind(), re::ErrorKind::conflict);
    EXPECT_THAT(thrown.what(), HasSubstr("use --force to overwrite it"));
  }
  re::sys::write_file_atomic(path, "x");
  write_sample(path, Overwrite::yes);
  EXPECT_EQ(re::sys::read_file(path), sample_text());
  EXPECT_EQ(append(path, make("u", "h")), 0U);
  EXPECT_EQ(load_settings(m_sources).instances.size(), 1U);
}

}  // namespace
