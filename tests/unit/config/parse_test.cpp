#include "config/parse.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>

#include "re/config/writer.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"

namespace {

using namespace re::config;
using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::string_view k_seed_file =
    "[general]\n"
    "instance = 0\n"
    "remote_home = projects/\n"
    "\n"
    "[instance 0]\n"
    "username = grenouille\n"
    "host = grasse.local\n"
    "password = hen0s3datru1h\n"
    "\n";

re::Result<UserLayer> parse(std::string_view text) {
  return parse_user_layer(text, {"c", "/home/u"});
}

// Every failure is of kind config.
template <class T>
std::string message_of(const re::Result<T>& result) {
  try {
    static_cast<void>(result.value());
  } catch (const re::Error& error) {
    EXPECT_EQ(error.kind(), re::ErrorKind::config);
    return error.what();
  }
  return "no error";
}

std::string error_of(std::string_view text) {
  return message_of(parse(text));
}

std::string project_error_of(std::string_view text) {
  return message_of(parse_project_layer(text, {"p", "/home/u"}));
}

std::string instance_with(std::string_view line) {
  return "[instance 0]\nhost = h\n" + std::string(line) + "\n";
}

std::string password_of(std::string_view text) {
  const UserLayer layer = parse(text).value();
  const auto& password = layer.instances.at(0).password.value;
  return password ? std::string(password->reveal()) : "none";
}

TEST(ConfigParseTest, the_file_of_recompute_py_is_read_as_it_is) {
  const UserLayer layer = parse(k_seed_file).value();
  ASSERT_EQ(layer.instances.size(), 1U);
  const auto& instance = layer.instances[0];
  EXPECT_EQ(instance.index, 0U);
  EXPECT_EQ(instance.username.value, "grenouille");
  EXPECT_EQ(instance.host.value, "grasse.local");
  EXPECT_EQ(instance.host.origin, (Origin{"c", 7}));
  EXPECT_EQ(instance.password.value->reveal(), "hen0s3datru1h");
  EXPECT_EQ(layer.general.remote_home.value, "projects/");
  EXPECT_EQ(layer.general.remote_home.origin.line, 3U);
  EXPECT_EQ(layer.password, (Origin{"c", 8}));
}

TEST(ConfigParseTest, every_key_reaches_its_field) {
  const UserLayer layer =
      parse(
          "[general]\ninstance = gpu1\nremote_home = ~/work\npersist = 5min\ndeadline = 7s\n"
          "connect_timeout = 1500ms\nssh_config = ~/.ssh/other\n"
          "[instance 3]\nname = gpu1\nuser = me\nhost = [::1]\nport = 2222\n"
          "identity_file = ~/.ssh/a, /k/b\nidentity_file = ~/.ssh/c\n"
          "password_command = pass show 'gpu 1'\ntransport = openssh\nhost_key = accept-new\n"
          "connect_timeout = 4\ntags = lab, a100\nremote_home = /scratch\npython = python3.11\n")
          .value();
  EXPECT_EQ(layer.general.instance.value, "gpu1");
  EXPECT_EQ(layer.general.remote_home.value, "work");
  EXPECT_EQ(layer.general.persist.value, std::chrono::minutes(5));
  EXPECT_EQ(layer.general.deadline.value, std::chrono::seconds(7));
  EXPECT_EQ(layer.general.connect_timeout.value, Milliseconds(1500));
  EXPECT_EQ(layer.general.ssh_config.value, "/home/u/.ssh/other");
  const auto& instance = layer.instances.at(0);
  EXPECT_EQ(instance.index, 3U);
  EXPECT_EQ(instance.section.line, 8U);
  EXPECT_EQ(instance.name.value, "gpu1");
  EXPECT_EQ(instance.username.value, "me");
  EXPECT_EQ(instance.host.value, "::1");
  EXPECT_EQ(instance.port.value, 2222);
  EXPECT_EQ(instance.identity_files.value,
            (std::vector<fs::path>{"/home/u/.ssh/a", "/k/b", "/home/u/.ssh/c"}));
  EXPECT_EQ(instance.password_command.value, "pass show 'gpu 1'");
  EXPECT_EQ(instance.transport.value, TransportKind::openssh);
  EXPECT_EQ(instance.host_key.value, HostKeyPolicy::accept_new);
  EXPECT_EQ(instance.connect_timeout.value, std::chrono::seconds(4));
  EXPECT_EQ(instance.tags.value, (std::vector<std::string>{"lab", "a100"}));
  EXPECT_EQ(instance.remote_home.value, "/scratch");
  EXPECT_EQ(instance.python.value, "python3.11");
}

TEST(ConfigParseTest, a_password_comes_back_whole) {
  const std::string long_one(5000, 'x');
  EXPECT_EQ(password_of(instance_with("password = " + long_one)), long_one);
  EXPECT_EQ(password_of(instance_with("password = a ; b # c")), "a ; b # c");
  EXPECT_EQ(password_of(instance_with("password = ;a")), ";a");
  EXPECT_EQ(password_of(instance_with("password = \"quoted\" 'too'")), "\"quoted\" 'too'");
  EXPECT_EQ(password_of(instance_with("password = a=b:c]d[")), "a=b:c]d[");
  EXPECT_EQ(password_of(instance_with("password: =x")), "=x");
  EXPECT_EQ(password_of(instance_with("password =")), "none");
  EXPECT_EQ(password_of("[instance 0]\nhost = h\npassword = no newline"), "no newline");
}

TEST(ConfigParseTest, percent_signs_are_read_as_configparser_interpolates) {
  EXPECT_EQ(password_of(instance_with("password = 50%% off")), "50% off");
  EXPECT_EQ(password_of(instance_with("password = 50% off")), "50% off");
  EXPECT_EQ(password_of(instance_with("password = %%%%")), "%%");
  EXPECT_EQ(password_of(instance_with("password = %%(x)s")), "%(x)s");
  EXPECT_THAT(error_of(instance_with("password = %(host)s")), HasSubstr("c:3: password uses %( )"));
}

TEST(ConfigParseTest, line_ends_marks_and_indentation_do_not_matter) {
  const UserLayer layer =
      parse("\xef\xbb\xbf[instance 0]\r\n  HOST : h\r\n  username=u\r\n\r\n  ; note\r\n").value();
  EXPECT_EQ(layer.instances.at(0).host.value, "h");
  EXPECT_EQ(layer.instances.at(0).username.value, "u");
  EXPECT_EQ(layer.instances.at(0).username.origin.line, 3U);
}

struct Refusal {
  const char* text;
  const char* message;
};

TEST(ConfigParseTest, mistakes_are_refused_with_their_line) {
  const std::array<Refusal, 43> refusals = {{
      {"[instance 0]\nusrname = u\nhost = h\n",
       "c:2: unknown key \"usrname\" in [instance 0]; did you mean username?"},
      {"[generl]\n", "c:1: unknown section \"generl\"; did you mean general?"},
      {"[DEFAULT]\n", "[DEFAULT] is not supported"},
      {"[Instance 0]\n", "an instance's section is [instance N]"},
      {"[instance gpu1]\n", "an instance's section is [instance N]"},
      {"[instance 1000000]\n", "an instance's section is [instance N]"},
      {"[instance 0]\nhost = h\n[instance 00]\nhost = i\n", "c:3: this section stands already in line 1"},
      {"[instance 0]\nhost = h\nHost = i\n", "c:3: host is set already in line 2"},
      {"[instance 0]\nhost = h\nuser = a\nusername = b\n", "c:4: username is set already in line 3"},
      {"host = h\n", "c:1: stands before the first [section]"},
      {"[instance 0]\nhost\n", "c:2: is neither a [section]"},
      {"[instance 0\nhost = h\n", "c:1: begins a section but has no ']'"},
      {"[instance 0] x\n", "c:1: has text after its ']'"},
      {"[]\n", "c:1: has a section without a name"},
      {"[instance 0]\n= h\n", "c:2: has no key before its '='"},
      {"[instance 0]\nhost = h\n  more\n", "c:3: continues the value above it"},
      {"[instance 0]\nhost = h\n\n # c\n  username = u\n", "c:5: continues the value above it"},
      {"[instance 0]\nusername = u\n", "c:1: [instance 0] has no host"},
      {"[instance 0]\nhost =\n", "c:2: host has no value"},
      {"[instance 0]\nhost = -oProxyCommand=x\n", "c:2: host begins with '-'"},
      {"[instance 0]\nhost = a b\n", "c:2: host holds a blank"},
      {"[instance 0]\nhost = gpu1 ; the big one\n", "a comment stands on a line of its own"},
      {"[instance 0]\nhost = a$(id)\n", "c:2: host holds a $"},
      {"[instance 0]\nhost = u@h\n", "write username = … beside it"},
      {"[instance 0]\nhost = h:22\n", "write port = … beside it"},
      {"[instance 0]\nhost = h\nusername = -l\n", "c:3: username begins with '-'"},
      {"[instance 0]\nhost = h\nport = 0\n", "c:3: port must be a number from 1 to 65535"},
      {"[instance 0]\nhost = h\nport = 65536\n", "c:3: port must be"},
      {"[instance 0]\nhost = h\ntransport = ssh\n", "auto, ssh2, openssh, local; did you mean ssh2?"},
      {"[instance 0]\nhost = h\nhost_key = no\n", "must be one of ask, accept-new, strict"},
      {"[instance 0]\nhost = h\nname = 7\n", "is a number"},
      {"[instance 0]\nhost = h\nname = all\n", "has a meaning of its own"},
      {"[instance 0]\nhost = h\nname = a/b\n", "may hold only letters"},
      {"[instance 0]\nhost = h\nname = g\n[instance 4]\nhost = i\nname = g\n",
       "c:6: the name \"g\" is taken already in line 3"},
      {"[instance 0]\nhost = h\nidentity_file = id\n", "c:3: identity_file is not an absolute path"},
      {"[instance 0]\nhost = h\npassword = x\npassword_command = y\n",
       "has a password and a password_command"},
      {"[general]\npersist = soon\n", "must be a time such as"},
      {"[general]\ninstance = all\n", "must be one instance, not all"},
      {"[general]\ninstance = -u@h\n", "c:2: instance is wrong: "},
      {"[general]\ninstance = a/b\n", "c:2: instance may hold only letters"},
      {"[instance 0]\nhost = h\ntags = lab, a b\n", "c:3: tags may hold only letters"},
      {"[general]\nremote_home = ~bob/x\n", "names another user's home"},
      {"[instance 0]\nhost = h\nname = x\x1b[31m\n", "holds a control character"},
  }};
  for (const auto& refusal : refusals)
    EXPECT_THAT(error_of(refusal.text), HasSubstr(refusal.message)) << refusal.text;
}

TEST(ConfigParseTest, choices_are_named_as_they_are_written) {
  for (const std::string name : {"auto", "ssh2", "openssh", "local"}) {
    const auto layer = parse("[instance 0]\nhost = h\ntransport = " + name + "\n").value();
    EXPECT_EQ(to_string(layer.instances.at(0).transport.value), name);
  }
  for (const std::string name : {"ask", "accept-new", "strict"}) {
    const auto layer = parse("[instance 0]\nhost = h\nhost_key = " + name + "\n").value();
    EXPECT_EQ(to_string(layer.instances.at(0).host_key.value), name);
  }
}

TEST(ConfigParseTest, nul_bytes_and_names_beyond_inihs_buffers_are_refused) {
  EXPECT_THAT(error_of(std::string_view("[instance 0]\nhost = h\0x\n", 24)),
              HasSubstr("c:2: holds a NUL byte"));
  EXPECT_THAT(error_of("[instance 0]\nhost" + std::string(60, 't') + " = h\n"),
              HasSubstr("c:2: has a key of 64"));
  EXPECT_THAT(error_of("[instance 0" + std::string(60, '0') + "]\n"),
              HasSubstr("c:1: has a section name of 70"));
  EXPECT_THAT(error_of("[instance 0]\rhost = h\r"), HasSubstr("c:1: has text after its ']'"));
}

TEST(ConfigParseTest, no_message_repeats_what_may_be_a_password) {
  for (const char* line : {"password hunter2", "password hunter2 = x", "pass: %(hunter2", "hunter2\x01=x",
                           "password = hunter2 %(x)s"}) {
    const std::string message = error_of(instance_with(line));
    EXPECT_NE(message, "no error");
    EXPECT_EQ(message.find("hunter2"), std::string::npos) << message;
  }
}

TEST(ConfigParseTest, a_file_cut_at_any_byte_never_names_another_host) {
  const std::string whole =
      "\xef\xbb\xbf[general]\ninstance = 12\n[instance 12]\nusername = grenouille\nhost = grasse.local\nport "
      "= 2222\n"
      "name = gpu12\nremote_home = projects/deep\npassword = hen0s3datru1h\n[instance 3]\nhost = b.example\n";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const auto result = parse(std::string_view(whole).substr(0, size));
    static_cast<void>(message_of(result));
    if (!result.has_value()) continue;
    EXPECT_TRUE(result->general.instance.value == "12" || !result->general.instance.is_set()) << size;
    for (const auto& instance : result->instances) {
      const bool is_first = instance.index == 12U;
      EXPECT_TRUE(is_first || instance.index == 3U) << size;
      EXPECT_EQ(instance.host.value, is_first ? "grasse.local" : "b.example") << size;
      EXPECT_EQ(instance.port.value.value_or(2222), 2222) << size;
      EXPECT_EQ(instance.remote_home.is_set() ? instance.remote_home.value : "projects/deep", "projects/deep")
          << size;
    }
  }
}

TEST(ConfigParseTest, random_bytes_give_a_value_or_a_config_error) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  constexpr std::string_view k_letters = "[]=:;#%( \t\r\n\x00\xef\xbb\xbfinstance0hostpassword";
  for (int round = 0; round < 3000; ++round) {
    std::string text(round % 2 == 0 ? "[instance 0]\nhost=h\n" : "");
    for (auto size = random() % 120; size > 0; --size) text += k_letters[random() % k_letters.size()];
    static_cast<void>(error_of(text));
    static_cast<void>(project_error_of(text));
  }
}

// What configparser itself reads, with recompute.py's settings, is what we read or refuse.
TEST(ConfigParseTest, agrees_with_configparser_wherever_it_accepts) {
  try {
    if (!re::sys::run_captured({"python3", "-c", "import configparser"}).status.succeeded())
      GTEST_SKIP() << "no configparser";
  } catch (const re::Error& error) {
    GTEST_SKIP() << error.what();
  }
  const re::sys::TemporaryDirectory directory("re-config");
  const std::array<std::string, 12> lines = {"password = a ; b",  "password: a#b",   "password=a=b",
                                             "password :a:b",     "PassWord =  x  ", "password = 'q'",
                                             "password = 50%% x", "password =\t;x",  "password = \"",
                                             "password = [x]",    "password = ünï",  "  password = in"};
  for (const auto& line : lines) {
    const std::string text = instance_with(line);
    const auto ours = parse(text);
    const fs::path file = directory.path() / "c";
    re::sys::write_file_atomic(file, text);
    const auto theirs = re::sys::run_captured(
        {"python3", "-X", "utf8", "-c",
         "import configparser,sys\nc=configparser.ConfigParser()\nc.read(sys.argv[1])\n"
         "sys.stdout.write(c['instance 0'].get('password','<none>') + '|' + c['instance 0']['host'])",
         file.string()});
    if (!ours.has_value()) {
      EXPECT_EQ(line, "  password = in");  // a continuation of host for both
      EXPECT_EQ(theirs.output, "<none>|h\npassword = in");
      continue;
    }
    ASSERT_TRUE(theirs.status.succeeded()) << line << theirs.error;
    EXPECT_EQ(password_of(text) + "|h", theirs.output) << line;
  }
}

TEST(ConfigProjectTest, a_project_sets_what_is_its_own) {
  const auto project = parse_project_layer(
                           "[project]\nname = mynn\ninstance = gpu1\nremote_home = work/x\npython = "
                           "python3\nshared = ckpt/, out/a\n",
                           {"p", "/home/u"})
                           .value();
  EXPECT_EQ(project.name.value, "mynn");
  EXPECT_EQ(project.instance.value, "gpu1");
  EXPECT_EQ(project.remote_home.value, "work/x");
  EXPECT_EQ(project.shared.value, (std::vector<std::string>{"ckpt", "out/a"}));
}

TEST(ConfigProjectTest, a_project_never_sets_where_or_as_whom_or_what_runs_here) {
  for (const std::string key : {"host", "user", "username", "port", "identity_file", "password",
                                "password_command", "ssh_config", "transport", "host_key", "persist"}) {
    for (const std::string section : {"[project]", "[general]", "[instance 0]"}) {
      EXPECT_THAT(project_error_of(section + "\n" + key + " = x\n"),
                  HasSubstr("p:2: a project cannot set " + key));
    }
  }
  EXPECT_THAT(project_error_of("[project]\nproxycommand = x\n"), HasSubstr("unknown key \"proxycommand\""));
  EXPECT_THAT(project_error_of("[instance 0]\n"), HasSubstr("the only section"));
  EXPECT_THAT(project_error_of("[project]\ninstance = evil@host\n"),
              HasSubstr("a project cannot set a host"));
  EXPECT_THAT(project_error_of("[project]\nremote_home = /etc\n"),
              HasSubstr("must lie in the home directory"));
  EXPECT_THAT(project_error_of("[project]\nremote_home = a/../..\n"),
              HasSubstr("must lie in the home directory"));
  EXPECT_THAT(project_error_of("[project]\nremote_home = .ssh\n"),
              HasSubstr("must lie in the home directory"));
  EXPECT_THAT(project_error_of("[project]\nname = ..\n"), HasSubstr("is not a plain directory name"));
  EXPECT_THAT(project_error_of("[project]\nname = a/b\n"), HasSubstr("is not a plain directory name"));
  EXPECT_THAT(project_error_of("[project]\nshared = ../x\n"), HasSubstr("inside the project"));
}

TEST(ConfigSampleTest, is_valid_and_names_every_key) {
  EXPECT_TRUE(parse(sample_text()).value().instances.empty());
  const std::string text(sample_text());
  const auto instances = text.find("[instance 0]");
  for (const auto& key : general_keys()) EXPECT_LT(text.find("\n#" + key + " = "), instances) << key;
  for (const auto& key : instance_keys())
    EXPECT_NE(text.find("\n#" + key + " = ", instances), std::string::npos) << key;
}

}  // namespace
