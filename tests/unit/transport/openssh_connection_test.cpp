// What only the openssh transport has: ssh's questions, its errors, its process. The rest is in
// contract_test.cpp.
#include "transport/openssh_connection.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <exception>
#include <fstream>
#include <thread>

#include "async_runner.hpp"
#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/file.hpp"
#include "re/transport/askpass.hpp"
#include "support/sshd_fixture.hpp"

namespace re::transport {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using namespace std::string_view_literals;

// This test program is the askpass program as well, as `re` is: ssh starts it by the link's name.
__attribute__((constructor)) void serve_as_askpass(int argc, char** argv) {
  if (argc > 0 && is_askpass_call(argv[0])) ::_exit(askpass_main(argc > 1 ? argv[1] : ""));
}

class RecordedProgress final : public Progress {
 public:
  std::vector<std::string> notes;
  void step(std::string_view) override {}
  void advance(std::uint64_t, std::uint64_t) override {}
  void note(std::string_view text) override { notes.emplace_back(text); }
};

/// All command lines and environments of our ssh and its children, as `ps` would show them.
std::string visible_to_others(pid_t session) {
  std::string all;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = parse_number<pid_t>(entry.path().filename().string());
    if (!pid || ::getsid(*pid) != session) continue;
    for (const char* name : {"cmdline", "environ"}) {
      std::ifstream file(entry.path() / name, std::ios::binary);
      all.append(std::istreambuf_iterator<char>(file), {});
    }
  }
  return all;
}

std::vector<pid_t> own_children() {
  std::vector<pid_t> children;
  std::ifstream file("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  for (pid_t pid = 0; file >> pid;) children.push_back(pid);
  return children;
}

/// The children that are an ssh; the fixture's sshd is the other one.
std::vector<pid_t> own_masters() {
  auto children = own_children();
  std::erase_if(children, [](pid_t child) {
    return !sys::read_file("/proc/" + std::to_string(child) + "/cmdline").starts_with("ssh\0-M"sv);
  });
  return children;
}

template <class Condition>
bool holds_within(std::chrono::milliseconds limit, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

Async<std::string> read_all(Channel& channel) {
  std::string output;
  for (;;) {
    const Chunk chunk = co_await channel.read();
    if (chunk.stream == Chunk::Stream::end) co_return output;
    output += chunk.data;
  }
}

class OpensshConnectionTest : public ::testing::Test {
 protected:
  void start(test::SshdOptions options) {
    if (!test::why_no_private_accounts()) options.home = test::Home::separate;
    m_sshd.emplace(std::move(options));
    m_target = m_sshd->target();
    m_target.kind = Kind::openssh;
  }

  void connect() {
    m_connection = m_runner.run([&]() -> Async<std::unique_ptr<Connection>> {
      const OpensshPrograms programs;
      co_return co_await connect_openssh(m_target, m_context, programs);
    });
  }

  Error failure() {
    try {
      connect();
    } catch (const Error& error) {
      return error;
    }
    ADD_FAILURE() << "it connected";
    return {ErrorKind::io, "none"};
  }

  std::string output_of(std::string_view command) {
    return m_runner.run([&]() -> Async<std::string> {
      ExecRequest request;
      request.command = command;
      auto channel = co_await m_connection->exec(std::move(request));
      co_return co_await read_all(*channel);
    });
  }

  /// What the one master says.
  std::string master_log() {
    const fs::directory_iterator directory(m_directory.path() / "run");
    return sys::read_file(directory->path() / "log");
  }

  /// An ssh_config without the fixture's key; the lines come first, so they win.
  void configure(std::string_view lines) {
    const auto file = m_directory.path() / "ssh_config";
    sys::write_file_atomic(file, std::string(lines) + "\n" + sys::read_file(m_sshd->ssh_config()));
    m_target.ssh_config = file;
  }

  sys::TemporaryDirectory m_directory{"re-openssh"};
  std::optional<test::SshdFixture> m_sshd;
  Target m_target;
  test::FakePrompter m_prompter;
  RecordedProgress m_progress;
  ConnectContext m_context{m_prompter, m_progress, m_directory.path() / "state", m_directory.path() / "run"};
  test::AsyncRunner m_runner;
  std::unique_ptr<Connection> m_connection;
};

TEST_F(OpensshConnectionTest, nothing_is_left_behind) {
  start({});
  connect();
  EXPECT_EQ(own_children().size(), 2U);  // the sshd and our ssh
  EXPECT_FALSE(fs::is_empty(m_directory.path() / "run"));
  m_connection.reset();
  EXPECT_EQ(own_children().size(), 1U);
  EXPECT_TRUE(fs::is_empty(m_directory.path() / "run"));
}

TEST_F(OpensshConnectionTest, the_socket_is_private) {
  start({});
  connect();
  const auto directory = fs::directory_iterator(m_directory.path() / "run")->path();
  EXPECT_EQ(fs::status(directory).permissions(), fs::perms::owner_all);
  EXPECT_TRUE(fs::is_socket(directory / "ctl"));
}

TEST_F(OpensshConnectionTest, a_runtime_directory_that_is_too_long_for_a_socket_is_replaced) {
  start({});
  m_context.runtime_directory = m_directory.path() / std::string(100, 'x');
  connect();
  EXPECT_EQ(output_of("echo fine"), "fine\n");
  EXPECT_FALSE(fs::exists(m_context.runtime_directory));
}

TEST_F(OpensshConnectionTest, an_unknown_key_is_asked_for_with_its_fingerprint) {
  start({});
  const auto known = m_directory.path() / "known_hosts";
  configure("UserKnownHostsFile " + known.string() + "\nStrictHostKeyChecking ask");
  m_target.unknown_host = UnknownHost::ask;
  m_prompter.confirmations = {false, true};
  EXPECT_EQ(failure().kind(), ErrorKind::host_key);
  EXPECT_FALSE(fs::exists(known));
  connect();
  EXPECT_EQ(output_of("echo in"), "in\n");
  ASSERT_EQ(m_prompter.asked.size(), 2U);
  const std::string& key = m_connection->info().host_key;
  EXPECT_NE(m_prompter.asked[1].find(key.substr(key.find("SHA256:"))), std::string::npos)
      << m_prompter.asked[1];
  EXPECT_TRUE(fs::exists(known));
}

TEST_F(OpensshConnectionTest, a_question_without_an_answer_is_a_refusal_that_says_why) {
  start({});
  configure("UserKnownHostsFile /dev/null\nStrictHostKeyChecking ask");
  m_target.unknown_host = UnknownHost::ask;  // and the prompter has no answer
  const Error error = failure();
  EXPECT_EQ(error.kind(), ErrorKind::host_key);
  EXPECT_FALSE(error.hint().empty());
}

TEST_F(OpensshConnectionTest, refusing_unknown_hosts_asks_nothing) {
  start({});
  configure("UserKnownHostsFile /dev/null\nStrictHostKeyChecking no");
  m_target.unknown_host = UnknownHost::refuse;
  EXPECT_EQ(failure().kind(), ErrorKind::host_key);
  EXPECT_TRUE(m_prompter.asked.empty());
}

TEST_F(OpensshConnectionTest, a_changed_key_is_refused_though_the_configuration_checks_nothing) {
  start({});
  const auto known = m_directory.path() / "known_hosts";
  const auto other = m_sshd->make_key("other");
  sys::write_file_atomic(
      known, "[127.0.0.1]:" + std::to_string(m_sshd->port()) + " " + sys::read_file(other.string() + ".pub"));
  configure("UserKnownHostsFile " + known.string() + "\nStrictHostKeyChecking no");
  m_target.unknown_host = UnknownHost::accept_new;
  const Error error = failure();
  EXPECT_EQ(error.kind(), ErrorKind::host_key);
  EXPECT_NE(error.message().find(known.string() + ":1"), std::string::npos) << error.message();
}

TEST_F(OpensshConnectionTest, the_passphrase_of_a_key_is_asked_for) {
  start({});
  const auto key = m_sshd->make_key("locked", "ed25519", "open sesame");
  m_sshd->authorize(key);
  m_target.identity_files = {key};
  configure("IdentityFile " + key.string() + "\nIdentitiesOnly yes\nIdentityAgent none");
  sys::write_file_atomic(*m_target.ssh_config, replace_all(sys::read_file(*m_target.ssh_config),
                                                           "IdentityFile " + m_sshd->key().string(), ""));
  m_prompter.secrets.emplace_back("open sesame");
  connect();
  ASSERT_EQ(m_prompter.asked.size(), 1U);
  EXPECT_NE(m_prompter.asked[0].find("passphrase"), std::string::npos);
}

TEST_F(OpensshConnectionTest, a_configured_password_is_given_and_shows_nowhere) {
  if (const auto reason = test::why_no_private_accounts()) GTEST_SKIP() << *reason;
  test::SshdOptions options;
  options.accounts = {{"pat", "canary-8f2e61", "/bin/sh"}};
  start(options);
  configure("User pat\nPubkeyAuthentication no");
  std::string seen;
  m_target.password = [&]() {
    // While ssh waits for it: what it and the askpass program show of themselves.
    for (const pid_t master : own_masters()) seen += visible_to_others(master);
    return sys::Secret("canary-8f2e61");
  };
  connect();
  EXPECT_EQ(output_of("id -un"), "pat\n");
  EXPECT_TRUE(m_prompter.asked.empty());
  for (const pid_t master : own_masters()) seen += visible_to_others(master);
  for (const auto& entry : fs::recursive_directory_iterator(m_directory.path() / "run")) {
    if (entry.is_regular_file() && !entry.is_symlink()) seen += sys::read_file(entry.path());
  }
  EXPECT_NE(seen.find("re-askpass"), std::string::npos);  // it was looked at while it ran
  EXPECT_EQ(seen.find("canary"), std::string::npos);
}

TEST_F(OpensshConnectionTest, a_wrong_password_is_tried_once) {
  if (const auto reason = test::why_no_private_accounts()) GTEST_SKIP() << *reason;
  test::SshdOptions options;
  options.accounts = {{"pat", "right", "/bin/sh"}};
  start(options);
  configure("User pat\nPubkeyAuthentication no");
  int asked = 0;
  m_target.password = [&]() {
    ++asked;
    return sys::Secret("wrong");
  };
  EXPECT_EQ(failure().kind(), ErrorKind::auth);
  EXPECT_EQ(asked, 1);
}

TEST_F(OpensshConnectionTest, an_interruption_at_a_question_ends_ssh_at_once) {
  if (const auto reason = test::why_no_private_accounts()) GTEST_SKIP() << *reason;
  start({});
  configure("PubkeyAuthentication no");
  m_target.password = []() -> sys::Secret { throw Error(ErrorKind::interrupted, "interrupted"); };
  EXPECT_EQ(failure().kind(), ErrorKind::interrupted);
  EXPECT_EQ(own_children().size(), 1U);
}

TEST_F(OpensshConnectionTest, a_stranger_on_the_socket_gets_no_answer) {
  start({});
  configure("PubkeyAuthentication no");
  int asked = 0;
  int stranger = -1;
  m_target.password = [&]() {
    ++asked;
    return sys::Secret("canary");
  };
  m_prompter.secrets.emplace_back("never");
  // A program of the same user, in another session, that found the socket.
  const auto run = m_directory.path() / "run";
  std::jthread other([&] {
    fs::path socket;
    for (int i = 0; i < 20000 && socket.empty(); ++i) {
      std::error_code ignored;
      for (const auto& entry : fs::directory_iterator(run, ignored)) {
        if (fs::exists(entry.path() / "ask")) socket = entry.path() / "ask";
      }
      std::this_thread::yield();
    }
    sys::SpawnOptions options;
    options.arguments = {fs::path("/proc/self/exe"), "x"};
    options.environment = {{"RE_ASKPASS_SOCKET", socket}};
    const auto link = m_directory.path() / std::string(k_askpass_name);
    fs::create_symlink(fs::read_symlink("/proc/self/exe"), link);
    options.arguments[0] = link;
    options.arguments[1] = "(" + m_sshd->user() + "@127.0.0.1) Password:";
    options.output = -1;
    stranger = sys::Child::spawn(options).wait().code.value_or(-1);
  });
  static_cast<void>(failure());
  other.join();
  EXPECT_EQ(stranger, 1);
  EXPECT_LE(asked, 1);  // ssh itself, never the stranger
}

TEST_F(OpensshConnectionTest, a_server_that_does_not_listen_is_unreachable) {
  start({});
  m_sshd->stop();
  EXPECT_EQ(failure().kind(), ErrorKind::unreachable);
}

TEST_F(OpensshConnectionTest, a_server_that_does_not_answer_ends_in_the_timeout) {
  start({});
  m_sshd->freeze();
  m_target.connect_timeout = std::chrono::milliseconds(1500);
  const auto kind = failure().kind();
  EXPECT_TRUE(kind == ErrorKind::timeout || kind == ErrorKind::unreachable);
  m_sshd->thaw();
}

TEST_F(OpensshConnectionTest, the_banner_reaches_the_prompter) {
  test::SshdOptions options;
  const auto banner = m_directory.path() / "banner";
  sys::write_file_atomic(banner, "Only for staff.\n", 0644);
  options.extra_lines = {"Banner " + banner.string()};
  start(options);
  connect();
  EXPECT_EQ(m_prompter.banners, "Only for staff.\n");
}

TEST_F(OpensshConnectionTest, a_proxy_command_is_served) {
  start({});
  const std::string port = std::to_string(m_sshd->port());
  configure("ProxyCommand ssh -F " + m_sshd->ssh_config().string() +
            " -o ProxyCommand=none -W 127.0.0.1:" + port + " 127.0.0.1");
  connect();
  EXPECT_EQ(output_of("echo through"), "through\n");
}

TEST_F(OpensshConnectionTest, a_channel_too_many_is_refused_and_the_others_live) {
  test::SshdOptions options;
  options.extra_lines = {"MaxSessions 1"};
  start(options);
  connect();
  m_runner.run([&]() -> Async<void> {
    ExecRequest request;
    request.command = "cat";
    auto first = co_await m_connection->exec(request);
    std::optional<ErrorKind> kind;
    try {
      auto second = co_await m_connection->exec(request);
    } catch (const Error& error) {
      kind = error.kind();
    }
    EXPECT_EQ(kind, ErrorKind::remote);
    co_await first->close_input();
    const auto status = co_await first->wait();
    EXPECT_EQ(status.code, 0);
  });
}

TEST_F(OpensshConnectionTest, a_terminal_that_is_refused_is_an_error_and_no_plain_pipe) {
  test::SshdOptions options;
  options.extra_lines = {"PermitTTY no"};
  start(options);
  connect();
  std::optional<ErrorKind> kind;
  try {
    m_runner.run([&]() -> Async<void> {
      ExecRequest request;
      request.command = "echo never; cat";
      request.pty.emplace();
      auto channel = co_await m_connection->exec(request);
      for (;;) {
        const Chunk chunk = co_await channel->read();
        if (chunk.stream == Chunk::Stream::end) break;
      }
    });
  } catch (const Error& error) {
    kind = error.kind();
  }
  EXPECT_EQ(kind, ErrorKind::remote);
}

// The process may be ahead of the one who learns that its session is open.
TEST_F(OpensshConnectionTest, what_a_terminal_prints_before_we_know_that_it_is_open_is_unchanged) {
  start({});
  connect();
  const auto was_asked_for = [&] { return master_log().find("[client-session]") != std::string::npos; };
  const auto has_ended = [&] { return master_log().find("free: client-session") != std::string::npos; };
  std::unique_ptr<Channel> channel;
  std::exception_ptr failure;
  bool is_open = false;
  asio::co_spawn(
      m_runner.io(),
      [&]() -> Async<void> {
        ExecRequest request;
        request.command = "echo early";
        request.pty.emplace();
        channel = co_await m_connection->exec(request);
      },
      [&](std::exception_ptr thrown) {
        failure = std::move(thrown);
        is_open = true;
      });
  // We stand still from the request on until all has been printed.
  for (int step = 0; step < 100 && !is_open; ++step) {
    m_runner.io().restart();
    m_runner.io().run_one_for(std::chrono::seconds(10));
    if (holds_within(std::chrono::milliseconds(300), was_asked_for)) {
      ASSERT_TRUE(holds_within(std::chrono::seconds(30), has_ended)) << master_log();
    }
  }
  ASSERT_TRUE(is_open);
  ASSERT_EQ(failure, nullptr);
  EXPECT_EQ(m_runner.run([&]() { return read_all(*channel); }), "early\r\n");
}

TEST_F(OpensshConnectionTest, the_death_of_the_master_is_a_lost_connection) {
  start({});
  connect();
  m_runner.run([&]() -> Async<void> {
    ExecRequest request;
    request.command = "echo ready; cat";
    auto channel = co_await m_connection->exec(request);
    const Chunk ready = co_await channel->read();
    EXPECT_EQ(ready.data, "ready\n");
    for (const pid_t master : own_masters()) ::kill(master, SIGKILL);
    std::optional<ErrorKind> kind;
    try {
      const Chunk chunk = co_await channel->read();
      ADD_FAILURE() << "read " << chunk.data;
    } catch (const Error& error) {
      kind = error.kind();
    }
    EXPECT_EQ(kind, ErrorKind::unreachable);
  });
}

TEST_F(OpensshConnectionTest, names_that_ssh_could_take_for_something_else_are_refused) {
  start({});
  for (const char* host :
       {"-oProxyCommand=touch /tmp/x", "a b", "a;b", "a`b`", "u@h", "ssh://h", "$(id)", "a\nb"}) {
    m_target.host = host;
    EXPECT_EQ(failure().kind(), ErrorKind::config) << host;
  }
  m_target.host = "127.0.0.1";
  m_target.user = "-x";
  EXPECT_EQ(failure().kind(), ErrorKind::config);
}

}  // namespace
}  // namespace re::transport
