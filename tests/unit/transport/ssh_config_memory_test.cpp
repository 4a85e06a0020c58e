// Whether what is remembered of ssh's answers is what ssh says.
#include "transport/ssh_config_memory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <fstream>
#include <optional>
#include <random>

#include "async_runner.hpp"
#include "re/base/error.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"
#include "transport/ssh_config.hpp"

namespace re::transport {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A configuration that ssh may refuse, too.
class Writer {
 public:
  Writer(unsigned seed, fs::path directory) : m_generator(seed), m_directory(std::move(directory)) {}

  fs::path write() {
    const fs::path file = m_directory / ("config" + std::to_string(++m_count));
    sys::write_file_atomic(file, text(0));
    return file;
  }
  std::string name() {
    static constexpr std::array k_names = {"gpu1",     "gpu2", "gpu10", "GPU1",     "web.example", "gpu1.lan",
                                           "10.0.0.7", "::1",  "x",     "bob@gpu1", "a_b",         "node"};
    return pick(k_names);
  }
  bool one_in(unsigned of) { return m_generator() % of == 0; }

 private:
  template <class List>
  std::string pick(const List& list) {
    return list[m_generator() % list.size()];
  }

  std::string keyword(std::string word) {
    if (one_in(3)) {
      for (auto& letter : word)
        letter = static_cast<char>(one_in(2) ? std::toupper(letter) : std::tolower(letter));
    }
    static constexpr std::array k_before = {"", "  ", "\t", " \t"};
    static constexpr std::array k_after = {" ", "=", " = ", "\t", "  "};
    return pick(k_before) + word + pick(k_after);
  }

  std::string patterns() {
    static constexpr std::array k_patterns = {"gpu*",   "gpu?",  "*",        "!gpu1",    "gpu1",
                                              "*.lan",  "web.*", "\"gpu2\"", "10.0.0.*", "x,gpu1",
                                              "!*.lan", "a_b",   "GPU1",     "# gpu1",   "n?d*"};
    std::string list;
    for (auto count = 1 + m_generator() % 3; count > 0; --count) list += " " + pick(k_patterns);
    return list.substr(1);
  }

  std::string setting() {
    static constexpr std::array k_settings = {"User alice",
                                              "User bob",
                                              "Port 2200",
                                              "HostName gpu1",
                                              "HostName real.example",
                                              "HostName %h.example",
                                              "IdentityFile ~/.ssh/k1",
                                              "IdentityFile ~/.ssh/%h",
                                              "UserKnownHostsFile ~/.ssh/kh_%k",
                                              "ControlPath ~/cm-%C",
                                              "ProxyJump jump",
                                              "ProxyCommand nc %h %p",
                                              "IdentityAgent ${RE_TEST_AGENT}",
                                              "IdentityAgent $RE_TEST_AGENT",
                                              "HostKeyAlias \"x\"",
                                              "StrictHostKeyChecking accept-new",
                                              "CanonicalizeHostname no",
                                              "ServerAliveInterval 7",
                                              "Ciphers aes128-ctr",
                                              "# a comment",
                                              "",
                                              "HashKnownHosts yes",
                                              "ConnectTimeout 9",
                                              "AddressFamily inet"};
    const std::string whole = pick(k_settings);
    const auto blank = whole.find(' ');
    if (whole.empty() || whole.front() == '#') return whole;
    return keyword(whole.substr(0, blank)) + whole.substr(blank + 1) + (one_in(6) ? " \t" : "");
  }

  std::string include(int depth) {
    const fs::path file =
        m_directory / ("part" + std::to_string(++m_count) + (one_in(2) ? ".conf" : ".other"));
    if (depth < 2 && !one_in(6)) sys::write_file_atomic(file, text(depth + 1));
    return keyword("Include") +
           (one_in(3) ? (m_directory / ("part" + std::to_string(m_count) + "*")).string() : file.string());
  }

  std::string match() {
    static constexpr std::array k_matches = {"all",       "host gpu*",  "originalhost gpu1,x", "user alice",
                                             "exec true", "!host web*", "host gpu1 user bob",  "final all",
                                             "canonical"};
    return keyword("Match") + pick(k_matches);
  }

  std::string text(int depth) {
    std::string lines;
    for (auto count = m_generator() % 9; count > 0; --count) {
      const unsigned what = static_cast<unsigned>(m_generator() % 24);
      if (what < 6) {
        lines += keyword("Host") + patterns();
      } else if (what == 6) {
        lines += match();
      } else if (what < 9) {
        lines += include(depth);
      } else {
        lines += setting();
      }
      lines += one_in(8) ? "\r\n" : "\n";
    }
    return lines;
  }

  std::mt19937 m_generator;
  fs::path m_directory;
  unsigned m_count = 0;
};

class SshConfigMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto ssh = sys::find_program("ssh", sys::process_environment());
    if (!ssh) GTEST_SKIP() << "no ssh here";
    m_ssh = *ssh;
  }

  Target target(const std::string& name, const fs::path& config) {
    Target target;
    target.host = name;
    target.ssh_config = config;
    return target;
  }

  // Nothing where ssh refuses.
  static std::optional<std::string> direct(const Target& target) {
    const auto answer = sys::run_captured(ssh_question(target));
    if (!answer.status.succeeded()) return std::nullopt;
    return known_ssh_config_lines(answer.output);
  }
  std::optional<std::string> remembered(SshConfigMemory& memory, const Target& target) {
    try {
      return m_runner.run([&] { return memory.answer(target, m_ssh); });
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::config);
      return std::nullopt;
    }
  }
  // Their order is nothing to anyone, but for the identity files'.
  static std::vector<std::string> sorted(const std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
      lines.push_back(text.substr(at, text.find('\n', at) - at));
    std::stable_sort(lines.begin(), lines.end(), [](const std::string& a, const std::string& b) {
      return a.substr(0, a.find(' ')) < b.substr(0, b.find(' '));
    });
    return lines;
  }

  fs::path write(std::string_view text) {
    const fs::path file = m_directory.path() / "config";
    sys::write_file_atomic(file, text);
    return file;
  }
  fs::path cache() const { return m_directory.path() / "cache/ssh-config"; }
  // How many questions the names cost a program that begins anew.
  std::size_t questions(const std::vector<std::string>& names, const fs::path& config) {
    SshConfigMemory memory(cache(), 5s);
    for (const auto& name : names) (void)remembered(memory, target(name, config));
    return memory.questions();
  }

  sys::TemporaryDirectory m_directory;
  fs::path m_ssh;
  test::AsyncRunner m_runner;
};

TEST_F(SshConfigMemoryTest, says_what_ssh_says_of_every_host_under_random_configurations) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Writer writer(seed, m_directory.path());
  std::size_t asked = 0;
  std::size_t compared = 0;
  for (int round = 0; round < 25; ++round) {
    const fs::path config = writer.write();
    // Another program each time, so that the file is used, too.
    std::optional<SshConfigMemory> memory;
    for (int trial = 0; trial < 7; ++trial) {
      if (!memory || writer.one_in(3)) memory.emplace(cache(), 5s);
      Target host = target(writer.name(), config);
      if (writer.one_in(5)) host.user = "carol";
      if (writer.one_in(5)) host.port = static_cast<unsigned short>(23);
      const auto expected = direct(host);
      const std::size_t before = memory->questions();
      const auto got = remembered(*memory, host);
      asked += memory->questions() - before;
      ++compared;
      ASSERT_EQ(got.has_value(), expected.has_value()) << host.host << "\n" << sys::read_file(config);
      if (!got) continue;
      ASSERT_EQ(sorted(*got), sorted(*expected)) << host.host << "\n" << sys::read_file(config);
    }
  }
  EXPECT_LT(asked, compared);  // otherwise nothing has been tried
}

TEST_F(SshConfigMemoryTest, asks_once_for_hosts_that_no_line_tells_apart) {
  const fs::path config = write("Host gpu*\n User alice\nHost *\n ControlPath ~/%C\n Port 2200\n");
  EXPECT_EQ(questions({"gpu1", "gpu2", "gpu3"}, config), 1U);
  EXPECT_EQ(questions({"gpu4", "gpu5"}, config), 0U);  // from the file
  EXPECT_EQ(questions({"web", "gpu5"}, config), 1U);
}

TEST_F(SshConfigMemoryTest, many_at_the_same_time_ask_once) {
  const fs::path config = write("Host *\n User alice\n");
  SshConfigMemory memory(cache(), 5s);
  std::size_t answered = 0;
  for (int host = 0; host < 40; ++host) {
    boost::asio::co_spawn(m_runner.io(), memory.answer(target("host" + std::to_string(host), config), m_ssh),
                          [host, &answered](const std::exception_ptr& failure, const std::string& lines) {
                            EXPECT_FALSE(failure);
                            const std::string line = "hostname host" + std::to_string(host) + "\n";
                            if (lines.find(line) != std::string::npos) ++answered;
                          });
  }
  m_runner.io().restart();
  m_runner.io().run_for(60s);
  EXPECT_EQ(answered, 40U);
  EXPECT_EQ(memory.questions(), 1U);
  EXPECT_EQ(questions({"host40"}, config), 0U);  // the answer is in the file
}

TEST_F(SshConfigMemoryTest, asks_again_when_an_included_file_appears_or_changes) {
  const fs::path config = write("Include " + (m_directory.path() / "*.conf").string() + "\n");
  EXPECT_EQ(questions({"host1", "host2"}, config), 1U);
  sys::write_file_atomic(m_directory.path() / "new.conf", "Host host1\n User alice\n");
  EXPECT_EQ(questions({"host1", "host2", "host3"}, config), 2U);
  sys::write_file_atomic(m_directory.path() / "new.conf", "Host host2\n User alice\n");
  EXPECT_EQ(questions({"host1", "host2"}, config), 2U);
}

TEST_F(SshConfigMemoryTest, always_asks_where_the_answer_depends_on_more_than_the_files) {
  const fs::path config =
      write("Match exec \"test -e " + (m_directory.path() / "there").string() + "\"\n User alice\n");
  EXPECT_EQ(questions({"a", "a"}, config), 2U);
}

TEST_F(SshConfigMemoryTest, ignores_a_file_that_is_damaged_or_that_others_may_write) {
  const fs::path config = write("Host *\n User alice\n");
  ASSERT_EQ(questions({"a"}, config), 1U);
  ASSERT_EQ(questions({"a"}, config), 0U);
  struct stat facts{};
  ASSERT_EQ(::stat(cache().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777U, 0600U);
  ASSERT_EQ(::chmod(cache().c_str(), 0620), 0);
  EXPECT_EQ(questions({"a"}, config), 1U);
  const std::string whole = sys::read_file(cache());
  for (const std::size_t size : {std::size_t{0}, std::size_t{20}, whole.size() / 2, whole.size() - 1}) {
    sys::write_file_atomic(cache(), whole.substr(0, size));
    EXPECT_EQ(questions({"a"}, config), 1U) << size;
  }
  std::string changed = whole;
  changed[changed.find("alice")] = 'A';
  sys::write_file_atomic(cache(), changed);
  EXPECT_EQ(questions({"a"}, config), 1U);
}

}  // namespace
}  // namespace re::transport
