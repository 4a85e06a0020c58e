// What goes wrong between two machines, and what the ssh2 transport makes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fstream>

#include "transport/ssh2_algorithms.hpp"
#include "unit/transport/ssh2_client.hpp"

namespace re::transport {
namespace {

using test::SshdFixture;
using test::SshdOptions;
using testing::HasSubstr;

Target with_config(const SshdFixture& sshd, const std::string& lines) {
  Target target = sshd.target();
  target.ssh_config = sshd.directory() / "ssh_config.changed";
  sys::write_file_atomic(*target.ssh_config, "Host *\n" + lines + "\n" + sys::read_file(sshd.ssh_config()));
  return target;
}

ErrorKind kind_of_failure(Client& client, Async<Chunk> reading, std::string& message) {
  try {
    client.runner.run(std::move(reading));
    message = "it did not fail";
    return ErrorKind::usage;
  } catch (const Error& error) {
    message = error.what();
    return error.kind();
  }
}

TEST(Ssh2Failure, names_a_refused_connection) {
  const SshdFixture sshd;
  Target target = sshd.target();
  target.port = static_cast<unsigned short>(1);
  Client client(target);
  const Error error = client.failure_of_connect();
  EXPECT_EQ(error.kind(), ErrorKind::unreachable);
  EXPECT_THAT(error.what(), HasSubstr("cannot connect to 127.0.0.1 port 1: Connection refused"));
}

TEST(Ssh2Failure, names_an_unknown_host) {
  const SshdFixture sshd;
  Target target = with_config(sshd, "HostName no-such-host.invalid");
  Client client(target);
  const Error error = client.failure_of_connect();
  EXPECT_EQ(error.kind(), ErrorKind::unreachable);
  EXPECT_THAT(error.what(), HasSubstr("no-such-host.invalid"));
}

TEST(Ssh2Failure, gives_up_on_a_server_that_says_nothing_within_the_connect_timeout) {
  const SshdFixture sshd;
  asio::io_context context;
  asio::ip::tcp::acceptor silent(
      context, {asio::ip::address_v4::loopback(), 0});  // accepts by its backlog, never answers
  Target target = sshd.target();
  target.port = silent.local_endpoint().port();
  target.connect_timeout = 300ms;
  Client client(target);
  EXPECT_EQ(client.failure_of_connect().kind(), ErrorKind::timeout);
}

TEST(Ssh2Failure, names_a_server_that_hangs_up_before_its_banner) {
  const SshdFixture sshd;
  Client client(sshd.target());
  asio::ip::tcp::acceptor acceptor(client.runner.context(), {asio::ip::address_v4::loopback(), 0});
  client.target.port = acceptor.local_endpoint().port();
  const auto hang_up = [](asio::ip::tcp::acceptor& from) -> Async<void> {
    for (;;) {
      auto socket = co_await from.async_accept(asio::use_awaitable);
      socket.close();
    }
  };
  asio::co_spawn(client.runner.context(), hang_up(acceptor), [](const std::exception_ptr&) {});
  const Error error = client.failure_of_connect();
  EXPECT_EQ(error.kind(), ErrorKind::unreachable);
  EXPECT_THAT(error.what(),
              HasSubstr("closed the connection before its greeting; it may be limiting logins"));
}

TEST(Ssh2Failure, refuses_a_host_key_that_is_not_known) {
  const SshdFixture sshd;
  Client client(with_config(sshd, "UserKnownHostsFile /dev/null"));
  EXPECT_EQ(client.failure_of_connect().kind(), ErrorKind::host_key);
}

TEST(Ssh2Failure, refuses_a_host_key_that_has_changed) {
  const SshdFixture sshd;
  const SshdFixture other;
  const std::string key = sys::read_file(other.directory() / "host_ed25519.pub");
  sys::write_file_atomic(sshd.known_hosts(), "[127.0.0.1]:" + std::to_string(sshd.port()) + " " + key);
  Client client(sshd.target());
  EXPECT_EQ(client.failure_of_connect().kind(), ErrorKind::host_key);
}

TEST(Ssh2Failure, is_unsupported_for_a_server_with_only_an_rsa_host_key) {
  if (has_rsa_sha2()) GTEST_SKIP() << "this libssh2 can verify rsa-sha2 signatures";
  SshdOptions options;
  options.host_key_types = {"rsa"};
  const SshdFixture sshd(options);
  {
    Client client(sshd.target());
    EXPECT_EQ(client.failure_of_connect().kind(), ErrorKind::unsupported);
  }
  Client client(with_config(sshd, "UserKnownHostsFile /dev/null"));  // found out by the key exchange
  EXPECT_EQ(client.failure_of_connect().kind(), ErrorKind::unsupported);
}

TEST(Ssh2Failure, prefers_the_type_of_host_key_that_is_known) {
  SshdOptions options;
  options.host_key_types = {"ed25519", "ecdsa"};
  const SshdFixture sshd(options);
  const std::string key = sys::read_file(sshd.directory() / "host_ecdsa.pub");
  sys::write_file_atomic(sshd.known_hosts(), "[127.0.0.1]:" + std::to_string(sshd.port()) + " " + key);
  Client client(sshd.target());
  EXPECT_THAT(client.connect().info().host_key, testing::StartsWith("ecdsa-sha2-nistp256 SHA256:"));
}

TEST(Ssh2Failure, is_unsupported_for_a_server_with_only_gcm) {
  SshdOptions options;
  options.extra_lines = {"Ciphers aes128-gcm@openssh.com"};
  const SshdFixture sshd(options);
  Client client(sshd.target());
  const Error error = client.failure_of_connect();
  EXPECT_EQ(error.kind(), ErrorKind::unsupported) << error.what();
}

TEST(Ssh2Failure, is_unsupported_for_a_server_with_only_etm) {
  if (has_rsa_sha2()) GTEST_SKIP() << "this libssh2 has EtM";
  SshdOptions options;
  options.extra_lines = {"MACs hmac-sha2-256-etm@openssh.com", "Ciphers aes128-ctr"};
  const SshdFixture sshd(options);
  Client client(sshd.target());
  EXPECT_EQ(client.failure_of_connect().kind(), ErrorKind::unsupported);
}

TEST(Ssh2Failure, is_unsupported_with_a_proxy_command) {
  const SshdFixture sshd;
  Client client(with_config(sshd, "ProxyCommand nc %h %p"));
  EXPECT_EQ(client.failure_of_connect().kind(), ErrorKind::unsupported);
}

TEST(Ssh2Failure, says_that_a_channel_beyond_max_sessions_was_refused_and_goes_on) {
  SshdOptions options;
  options.extra_lines = {"MaxSessions 2"};
  const SshdFixture sshd(options);
  Client client(sshd.target());
  client.connect();
  auto first = client.exec("cat");
  const auto second = client.exec("cat");
  try {
    client.exec("cat");
    FAIL() << "a third session was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::remote);
    EXPECT_THAT(error.what(), HasSubstr("MaxSessions"));
  }
  client.runner.run(first->close_input());
  EXPECT_EQ(client.runner.run(first->wait()).code, 0);
  client.runner.run(first->close());
  EXPECT_EQ(client.runner.run(client.exec("exit 5")->wait()).code, 5);
}

TEST(Ssh2Failure, says_that_a_terminal_was_refused) {
  SshdOptions options;
  options.extra_lines = {"PermitTTY no"};
  const SshdFixture sshd(options);
  Client client(sshd.target());
  client.connect();
  try {
    client.exec("true", PtyRequest{});
    FAIL() << "a terminal was given";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::remote);
  }
}

TEST(Ssh2Failure, is_unreachable_when_the_server_is_killed_in_mid_stream) {
  const SshdFixture sshd;
  Client client(sshd.target());
  client.connect();
  const auto channel = client.exec("echo ready; cat");
  EXPECT_EQ(client.runner.run(channel->read()).data, "ready\n");
  sshd.kill_connections();
  std::string message;
  EXPECT_EQ(kind_of_failure(client, channel->read(), message), ErrorKind::unreachable) << message;
  EXPECT_THAT(message, HasSubstr("connection to " + sshd.user() + "@127.0.0.1 lost"));
  // and for all that comes later
  EXPECT_EQ(kind_of_failure(client, channel->read(), message), ErrorKind::unreachable) << message;
  EXPECT_THROW(client.exec("true"), Error);
}

TEST(Ssh2Failure, notices_a_frozen_server_by_its_silence) {
  const SshdFixture sshd;
  Client client(with_config(sshd, "ServerAliveInterval 2\nServerAliveCountMax 2"));
  client.connect();
  const auto channel = client.exec("echo ready; cat");
  EXPECT_EQ(client.runner.run(channel->read()).data, "ready\n");
  sshd.freeze();
  std::string message;
  EXPECT_EQ(kind_of_failure(client, channel->read(), message), ErrorKind::unreachable) << message;
  EXPECT_THAT(message, HasSubstr("no sign of life"));
  sshd.thaw();
}

TEST(Ssh2Failure, outlives_silence_while_the_server_answers) {
  SshdOptions options;
  options.extra_lines = {"ClientAliveInterval 1", "ClientAliveCountMax 2"};  // the server asks, too
  const SshdFixture sshd(options);
  Client client(with_config(sshd, "ServerAliveInterval 2\nServerAliveCountMax 2"));
  client.connect();
  const auto pause = [](Connection&) -> Async<void> {
    asio::steady_timer timer(co_await asio::this_coro::executor, 5s);  // the time is what is tested
    co_await timer.async_wait(asio::use_awaitable);
  };
  client.runner.run(pause(*client.connection));  // without any channel
  const auto channel = client.exec("cat");
  client.runner.run(pause(*client.connection));  // with one that nobody reads
  client.runner.run(channel->close_input());
  EXPECT_EQ(client.runner.run(channel->wait()).code, 0);
}

TEST(Ssh2Failure, goes_on_through_new_key_exchanges) {
  SshdOptions options;
  options.extra_lines = {"RekeyLimit 1M"};
  const SshdFixture sshd(options);
  Client client(sshd.target());
  client.connect();
  const auto up = client.exec("cksum");
  const std::string data = random_bytes(6'000'000, 3);
  const auto send = [](Channel& to, const std::string& text) -> Async<void> {
    co_await to.write(text);
    co_await to.close_input();
  };
  client.runner.run(send(*up, data));
  EXPECT_THAT(client.runner.run(read_all(*up)).output, HasSubstr(" 6000000"));
  const auto down = client.exec("head -c 6000000 /dev/zero");
  EXPECT_EQ(client.runner.run(read_all(*down)).output.size(), 6'000'000U);
}

TEST(Ssh2Failure, closes_while_a_read_waits) {
  const SshdFixture sshd;
  Client client(sshd.target());
  client.connect();
  const auto channel = client.exec("echo ready; cat");
  EXPECT_EQ(client.runner.run(channel->read()).data, "ready\n");
  bool is_ended = false;
  asio::co_spawn(client.runner.context(), channel->read(),
                 [&](const std::exception_ptr& error, const Chunk&) {
                   EXPECT_TRUE(error);
                   is_ended = true;
                 });
  client.runner.context().restart();
  client.runner.context().poll();
  client.runner.run(client.connection->close());
  client.runner.context().restart();
  client.runner.context().run_for(5s);
  EXPECT_TRUE(is_ended);
}

TEST(Ssh2Failure, leaves_nothing_behind_when_a_wait_for_a_channel_is_cancelled) {
  const SshdFixture sshd;
  Client client(sshd.target());
  client.connect();
  asio::cancellation_signal cancel;
  bool is_ended = false;
  sshd.freeze();  // its answer must not come first
  asio::co_spawn(
      client.runner.context(), client.connection->exec({"cat", std::nullopt}),
      asio::bind_cancellation_slot(cancel.slot(), [&](const std::exception_ptr& error, const auto&) {
        EXPECT_TRUE(error);
        is_ended = true;
      }));
  client.runner.context().restart();
  client.runner.context().poll();
  cancel.emit(asio::cancellation_type::all);
  client.runner.context().restart();
  client.runner.context().poll();
  sshd.thaw();
  EXPECT_EQ(client.runner.run(client.exec("exit 6")->wait()).code, 6);
  EXPECT_TRUE(is_ended);
}

TEST(Ssh2Failure, reaches_a_host_through_another) {
  const SshdFixture bastion;
  const SshdFixture inner;
  Target target = inner.target();
  target.host = "inner";
  const auto entry = [](const std::string& name, const SshdFixture& sshd) {
    return "Host " + name + "\n  HostName 127.0.0.1\n  HostKeyAlias 127.0.0.1\n  Port " +
           std::to_string(sshd.port()) + "\n  IdentityFile " + sshd.key().string() +
           "\n  UserKnownHostsFile " + (sshd.directory() / "alias").string() +
           "\n  GlobalKnownHostsFile /dev/null\n  IdentitiesOnly yes\n  IdentityAgent none\n";
  };
  for (const SshdFixture* sshd : {&bastion, &inner}) {
    sys::write_file_atomic(sshd->directory() / "alias",
                           "127.0.0.1 " + sys::read_file(sshd->directory() / "host_ed25519.pub"));
  }
  target.ssh_config = inner.directory() / "jump_config";
  sys::write_file_atomic(*target.ssh_config, entry("inner", inner) + "  ProxyJump " + inner.user() +
                                                 "@bastion\n" + entry("bastion", bastion));
  Client client(target);
  client.connect();
  const auto channel = client.exec("cat; exit 9");
  const std::string data = random_bytes(3'000'000, 4);
  const auto send = [](Channel& to, std::string text) -> Async<void> {
    co_await to.write(text);
    co_await to.close_input();
  };
  asio::co_spawn(client.runner.context(), send(*channel, data), [](const std::exception_ptr&) {});
  EXPECT_TRUE(client.runner.run(read_all(*channel)).output == data);
  EXPECT_EQ(client.runner.run(channel->wait()).code, 9);
  EXPECT_THAT(bastion.log(), HasSubstr("Accepted publickey"));
  bastion.kill_connections();
  EXPECT_THROW(client.exec("true"), Error);
}

}  // namespace
}  // namespace re::transport
