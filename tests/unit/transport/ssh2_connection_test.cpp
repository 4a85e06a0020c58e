#include "transport/ssh2_connection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <csignal>

#include "unit/transport/ssh2_client.hpp"

namespace re::transport {
namespace {

using asio::experimental::awaitable_operators::operator&&;
using test::SshdFixture;
using test::SshdOptions;
using testing::HasSubstr;
using testing::StartsWith;

class Ssh2Connection : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    SshdOptions options;
    options.extra_lines = {"MaxSessions 100"};
    sshd = std::make_unique<SshdFixture>(options);
  }
  static void TearDownTestSuite() { sshd.reset(); }
  static std::unique_ptr<SshdFixture> sshd;
};
std::unique_ptr<SshdFixture> Ssh2Connection::sshd;

TEST_F(Ssh2Connection, says_where_it_is_connected_to) {
  Client client(sshd->target());
  const ConnectionInfo info = client.connect().info();
  EXPECT_EQ(info.destination, sshd->user() + "@127.0.0.1:" + std::to_string(sshd->port()));
  EXPECT_EQ(info.transport, "ssh2");
  EXPECT_THAT(info.host_key, StartsWith("ssh-ed25519 SHA256:"));
}

TEST_F(Ssh2Connection, keeps_output_and_errors_apart) {
  Client client(sshd->target());
  client.connect();
  const auto channel = client.exec("echo out; echo err >&2; echo out2; exit 7");
  const Output all = client.runner.run(read_all(*channel));
  EXPECT_EQ(all.output, "out\nout2\n");
  EXPECT_EQ(all.error, "err\n");
  EXPECT_EQ(client.runner.run(channel->wait()).code, 7);
}

TEST_F(Ssh2Connection, gives_the_exit_code_as_it_is) {
  Client client(sshd->target());
  client.connect();
  for (const int code : {0, 1, 7, 127, 255}) {
    const auto channel = client.exec("exit " + std::to_string(code));
    const auto status = client.runner.run(channel->wait());
    EXPECT_EQ(status.code, code);
    EXPECT_FALSE(status.signal);
  }
}

TEST_F(Ssh2Connection, tells_an_exit_by_signal_from_an_exit_code) {
  Client client(sshd->target());
  client.connect();
  for (const int signal : {SIGKILL, SIGTERM, SIGSEGV}) {
    const auto channel = client.exec("ulimit -c 0; kill -" + std::to_string(signal) + " $$");
    const auto status = client.runner.run(channel->wait());
    EXPECT_FALSE(status.code);
    EXPECT_EQ(status.signal, signal);
  }
}

Async<std::string> echo_through(Channel& channel, std::string data) {
  const auto send = [](Channel& to, const std::string& text) -> Async<void> {
    co_await to.write(text);
    co_await to.close_input();
  };
  Output all = co_await (send(channel, data) && read_all(channel));
  co_return std::move(all.output);
}

TEST_F(Ssh2Connection, carries_ten_megabytes_both_ways_byte_for_byte) {
  Client client(sshd->target());
  client.connect();
  const std::string data = random_bytes(10'000'000, 1);
  const auto channel = client.exec("cat");
  const std::string back = client.runner.run(echo_through(*channel, data));
  EXPECT_TRUE(back == data) << back.size();
  EXPECT_EQ(client.runner.run(channel->wait()).code, 0);
}

TEST_F(Ssh2Connection, runs_twenty_channels_side_by_side_without_deadlock) {
  Client client(sshd->target());
  client.connect();
  struct Job {
    std::unique_ptr<Channel> channel;
    std::string sent;
    std::string received;
    std::optional<sys::ExitStatus> status;
  };
  std::vector<Job> jobs(20);
  int left = static_cast<int>(jobs.size());
  const auto work = [](Connection& connection, Job& job, int& open) -> Async<void> {
    ExecRequest request{"cat; exit 3", std::nullopt};
    job.channel = co_await connection.exec(std::move(request));
    job.received = co_await echo_through(*job.channel, job.sent);
    job.status = co_await job.channel->wait();
    --open;
  };
  for (std::size_t index = 0; index < jobs.size(); ++index) {
    jobs[index].sent = random_bytes(300'000 + index * 1000, static_cast<unsigned>(index));
    asio::co_spawn(client.runner.context(), work(*client.connection, jobs[index], left), asio::detached);
  }
  const auto deadline = std::chrono::steady_clock::now() + 100s;
  while (left > 0 && std::chrono::steady_clock::now() < deadline) client.runner.context().run_one_for(100ms);
  for (auto& job : jobs) {
    EXPECT_TRUE(job.received == job.sent) << job.received.size() << " of " << job.sent.size();
    ASSERT_TRUE(job.status);
    EXPECT_EQ(job.status->code, 3);
  }
}

TEST_F(Ssh2Connection, lets_other_channels_go_on_while_one_is_not_read) {
  Client client(sshd->target());
  client.connect();
  const auto stuck = client.exec("head -c 20000000 /dev/zero");
  const auto channel = client.exec("cat");
  const std::string data = random_bytes(5'000'000, 2);
  EXPECT_TRUE(client.runner.run(echo_through(*channel, data)) == data);
  EXPECT_EQ(client.runner.run(read_all(*stuck)).output.size(), 20'000'000U);
}

TEST_F(Ssh2Connection, drops_what_is_written_to_a_process_that_has_ended) {
  Client client(sshd->target());
  client.connect();
  const auto channel = client.exec("exec 0<&-; echo gone; exit 4");
  const std::string data(20'000'000, 'x');
  client.runner.run(channel->write(data));
  EXPECT_EQ(client.runner.run(channel->wait()).code, 4);
}

TEST_F(Ssh2Connection, gives_a_terminal_whose_size_follows) {
  Client client(sshd->target());
  client.connect();
  PtyRequest pty;
  pty.term = "vt220";
  pty.size = {120, 40};
  const auto channel = client.exec("stty -echo; stty size; echo $TERM; read line; stty size", pty);
  std::string text;
  const auto read_until = [](Channel& from, std::string& all, std::string_view wanted) -> Async<void> {
    while (all.find(wanted) == std::string::npos) {
      const Chunk chunk = co_await from.read();
      if (chunk.stream == Chunk::Stream::end)
        throw std::runtime_error("end without " + std::string(wanted) + ": " + all);
      all += chunk.data;
    }
  };
  client.runner.run(read_until(*channel, text, "vt220"));
  EXPECT_THAT(text, HasSubstr("40 120"));
  client.runner.run(channel->resize({99, 33}));
  client.runner.run(channel->write("\n"));
  client.runner.run(read_until(*channel, text, "33 99"));
  EXPECT_EQ(client.runner.run(channel->wait()).code, 0);
}

TEST_F(Ssh2Connection, forwards_a_stream_to_a_port_of_the_host) {
  Client client(sshd->target());
  client.connect();
  asio::ip::tcp::acceptor acceptor(client.runner.context(), {asio::ip::address_v4::loopback(), 0});
  const auto serve = [](asio::ip::tcp::acceptor& from) -> Async<void> {
    auto socket = co_await from.async_accept(asio::use_awaitable);
    std::string text(5, '\0');
    co_await asio::async_read(socket, asio::buffer(text), asio::use_awaitable);
    text += " back";
    co_await asio::async_write(socket, asio::buffer(text), asio::use_awaitable);
  };
  asio::co_spawn(client.runner.context(), serve(acceptor), asio::detached);
  const auto channel =
      client.runner.run(client.connection->open_forward("127.0.0.1", acceptor.local_endpoint().port()));
  client.runner.run(channel->write("hello"));
  EXPECT_EQ(client.runner.run(read_all(*channel)).output, "hello back");
  EXPECT_EQ(client.runner.run(channel->wait()).code, 0);
}

TEST_F(Ssh2Connection, says_that_a_forward_was_refused) {
  Client client(sshd->target());
  client.connect();
  try {
    client.runner.run(client.connection->open_forward("127.0.0.1", 1));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::remote);
    EXPECT_THAT(error.what(), HasSubstr("Connection refused"));
  }
}

}  // namespace
}  // namespace re::transport
