// The fixture of the suite that every transport passes.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "async_runner.hpp"
#include "channel_output.hpp"
#include "re/base/error.hpp"
#include "re/sys/file.hpp"
#include "support/sshd_fixture.hpp"
#include "transport/local_connection.hpp"
#include "transport/master_client.hpp"
#include "transport/master_server.hpp"
#include "transport/openssh_connection.hpp"
#include "transport/ssh2_connection.hpp"

namespace re::transport {

namespace asio = boost::asio;

inline Async<void> read_until(Channel& channel, std::string_view text) {
  std::string seen;
  while (seen.find(text) == std::string::npos) {
    const Chunk chunk = co_await channel.read();
    if (chunk.stream == Chunk::Stream::end)
      throw std::runtime_error("ended before '" + std::string(text) + "': " + seen);
    seen += chunk.data;
  }
}

inline std::string random_bytes(std::size_t size) {
  std::mt19937_64 random(20260102);  // fixed: what is tested is that any byte passes
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random() & 0xffU);
  return bytes;
}

#ifdef RE_SANITIZED
inline constexpr bool k_memory_is_ours = false;  // the sanitizer keeps what was freed
#else
inline constexpr bool k_memory_is_ours = true;
#endif

inline std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// How to reach a host; `over_master…`: the connection is the master's, whose channels are handed on.
enum class Way { local, ssh2, openssh, over_master_ssh2, over_master_openssh };

inline std::string to_string(Way way) {
  static const std::vector<std::string> k_names = {"local", "ssh2", "openssh", "over_master_ssh2",
                                                   "over_master_openssh"};
  return k_names.at(static_cast<std::size_t>(way));
}

class TransportContract : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    if (kind() != Kind::local) {
      test::SshdOptions options;
      // The start-up files of whoever runs this are not under test.
      if (!test::why_no_private_accounts()) options.home = test::Home::separate;
      m_sshd.emplace(options);
    }
    if (m_sshd) m_target = m_sshd->target();
    m_target.kind = kind();
    if (has_master()) {
      m_context.master = {m_directory.path() / "run", std::chrono::minutes(1)};
      m_master.emplace(m_runner.io(),
                       MasterServerOptions{m_context.master->directory, m_context.state_directory,
                                           m_context.master->persist});
      ASSERT_EQ(m_master->start(), MasterServer::Start::serving);
      asio::co_spawn(m_runner.io(), m_master->serve(), asio::detached);
    }
    m_connection = m_runner.run([&]() { return connect(); });
  }
  void TearDown() override {
    if (!m_connection) return;
    m_runner.run([&]() { return m_connection->close(); });
    m_connection.reset();
  }

  Async<std::unique_ptr<Connection>> connect() {
    if (has_master()) {
      auto connection = co_await connect_by_master(m_target, m_context, Reuse::allowed);
      if (!connection) throw std::runtime_error("the master does not serve");
      co_return std::move(connection);
    }
    if (kind() == Kind::ssh2) co_return co_await connect_ssh2(m_target, m_context);
    const OpensshPrograms programs;
    if (kind() == Kind::openssh) co_return co_await connect_openssh(m_target, m_context, programs);
    co_return connect_local(co_await asio::this_coro::executor, m_directory.path().string());
  }

  static bool has_master() {
    return GetParam() == Way::over_master_ssh2 || GetParam() == Way::over_master_openssh;
  }
  static Kind kind() {
    if (GetParam() == Way::local) return Kind::local;
    return GetParam() == Way::ssh2 || GetParam() == Way::over_master_ssh2 ? Kind::ssh2 : Kind::openssh;
  }

  // No parameter of these needs destroying: GCC 12 destroys such temporaries in a co_await expression twice.
  Async<std::unique_ptr<Channel>> exec(std::string_view command) {
    ExecRequest request;
    request.command = command;
    co_return co_await m_connection->exec(std::move(request));
  }

  Async<std::unique_ptr<Channel>> exec_on_pty(std::string_view command, sys::WindowSize size = {}) {
    ExecRequest request;
    request.command = command;
    request.pty.emplace();
    request.pty->term = "vt100";
    request.pty->size = size;
    co_return co_await m_connection->exec(std::move(request));
  }

  /// Runs a command to its end: its output and its code.
  Async<std::pair<Output, sys::ExitStatus>> run_command(std::string_view command) {
    auto channel = co_await exec(command);
    co_await channel->close_input();
    Output output = co_await read_all(*channel);
    const sys::ExitStatus status = co_await channel->wait();
    co_await channel->close();
    co_return std::pair(std::move(output), status);
  }

  template <class Function>
  std::optional<ErrorKind> failure_of(Function function) {
    try {
      m_runner.run(std::move(function));
      return std::nullopt;
    } catch (const Error& error) {
      return error.kind();
    }
  }

  sys::TemporaryDirectory m_directory{"re-contract"};
  std::optional<test::SshdFixture> m_sshd;
  Target m_target;
  test::FakePrompter m_prompter;
  NoProgress m_progress;
  ConnectContext m_context{m_prompter, m_progress, m_directory.path() / "state", m_directory.path() / "run"};
  test::AsyncRunner m_runner;
  std::optional<MasterServer> m_master;
  std::unique_ptr<Connection> m_connection;
};

}  // namespace re::transport
