// The one suite that every transport passes: the contract of include/re/transport/connection.hpp.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "contract_fixture.hpp"
#include "re/base/error.hpp"
#include "re/base/shell.hpp"
#include "re/base/strings.hpp"

namespace re::transport {
namespace {

using asio::ip::tcp;

TEST_P(TransportContract, the_connection_says_what_it_is) {
  const ConnectionInfo& info = m_connection->info();
  EXPECT_EQ(info.transport, to_string(kind()));
  if (kind() == Kind::local) return;
  EXPECT_EQ(info.destination, m_sshd->user() + "@127.0.0.1:" + std::to_string(m_sshd->port()));
  EXPECT_TRUE(info.host_key.starts_with("ssh-ed25519 SHA256:")) << info.host_key;
}

TEST_P(TransportContract, output_and_error_come_apart_and_the_code_after_them) {
  const auto [output, status] = m_runner.run([&]() { return run_command("echo out; echo err >&2; exit 3"); });
  EXPECT_EQ(output.output, "out\n");
  EXPECT_EQ(output.error, "err\n");
  EXPECT_EQ(status.code, 3);
  EXPECT_EQ(status.signal, std::nullopt);
}

TEST_P(TransportContract, five_megabytes_of_any_bytes_pass_both_ways_unchanged) {
  const std::string sent = random_bytes(5'000'000);
  const auto received = m_runner.run([&]() -> Async<Output> {
    auto channel = co_await exec("cat");
    asio::co_spawn(
        m_runner.io(),
        [&]() -> Async<void> {
          co_await channel->write(sent);
          co_await channel->close_input();
        },
        asio::detached);
    Output output = co_await read_all(*channel);
    const auto status = co_await channel->wait();
    EXPECT_EQ(status.code, 0);
    co_return output;
  });
  EXPECT_TRUE(received.output == sent) << received.output.size() << " bytes came back";
  EXPECT_EQ(received.error, "");
}

TEST_P(TransportContract, both_streams_may_carry_much_at_once) {
  const auto [output, status] = m_runner.run(
      [&]() { return run_command("head -c 3000000 /dev/zero & head -c 2000000 /dev/zero >&2; wait"); });
  EXPECT_EQ(output.output.size(), 3'000'000U);
  EXPECT_EQ(output.error.size(), 2'000'000U);
  EXPECT_EQ(status.code, 0);
}

TEST_P(TransportContract, the_process_sees_the_end_of_its_input_and_closing_it_twice_is_nothing) {
  const auto output = m_runner.run([&]() -> Async<Output> {
    auto channel = co_await exec("wc -c");
    co_await channel->write("12345");
    co_await channel->close_input();
    co_await channel->close_input();
    co_return co_await read_all(*channel);
  });
  EXPECT_EQ(trim(output.output), "5");
}

TEST_P(TransportContract, what_is_written_after_the_process_closed_its_input_is_dropped) {
  const auto gate = m_directory.path() / "gate";
  const auto status = m_runner.run([&]() -> Async<sys::ExitStatus> {
    const std::string file = shell_quote(gate.string());
    const std::string command =
        "exec 0<&-; echo closed; while [ ! -e " + file + " ]; do sleep 0.05; done; exit 6";
    auto channel = co_await exec(command);
    co_await read_until(*channel, "closed\n");
    const std::string block(100'000, 'x');
    for (int i = 0; i < 80; ++i) co_await channel->write(block);
    sys::write_file_atomic(gate, "");
    co_return co_await channel->wait();
  });
  EXPECT_EQ(status.code, 6);
}

TEST_P(TransportContract, every_exit_code_comes_back) {
  m_runner.run([&]() -> Async<void> {
    // A new login takes sshd a tenth of a second: there, those that mean something to some program on the
    // way.
    const int step = kind() == Kind::local ? 1 : 17;
    std::vector<int> codes = {1, 2, 126, 127, 128, 129, 130, 137, 143, 254};
    for (int code = 0; code < 256; code += step) codes.push_back(code);
    for (const int code : codes) {
      const std::string command = "exit " + std::to_string(code);
      const auto result = co_await run_command(command);
      EXPECT_EQ(result.second.code, code);
    }
  });
}

TEST_P(TransportContract, a_process_ended_by_a_signal_is_no_exit_code) {
  try {
    const auto result = m_runner.run([&]() { return run_command("kill -9 $$"); });
    EXPECT_EQ(result.second.code, std::nullopt);
    EXPECT_EQ(result.second.signal, SIGKILL);
  } catch (const Error& error) {
    EXPECT_EQ(kind(), Kind::openssh) << error.what();  // its multiplexing carries no signals
    EXPECT_EQ(error.kind(), ErrorKind::unreachable);
  }
}

TEST_P(TransportContract, wait_drains_what_was_not_read) {
  const auto status = m_runner.run([&]() -> Async<sys::ExitStatus> {
    auto channel = co_await exec("head -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2; exit 5");
    co_return co_await channel->wait();
  });
  EXPECT_EQ(status.code, 5);
}

TEST_P(TransportContract, after_the_end_reading_gives_the_end_again) {
  m_runner.run([&]() -> Async<void> {
    auto channel = co_await exec("echo x");
    const auto output = co_await read_all(*channel);
    EXPECT_EQ(output.output, "x\n");
    const Chunk again = co_await channel->read();
    EXPECT_EQ(again.stream, Chunk::Stream::end);
    const auto status = co_await channel->wait();
    EXPECT_EQ(status.code, 0);
  });
}

TEST_P(TransportContract, a_pty_has_the_size_and_the_type_that_were_asked_for) {
  const auto output = m_runner.run([&]() -> Async<Output> {
    const sys::WindowSize size{101, 33};
    auto channel = co_await exec_on_pty(
        "stty size; echo $TERM; test -t 0 && test -t 1 && test -t 2 && echo all-tty", size);
    co_return co_await read_all(*channel);
  });
  EXPECT_NE(output.output.find("33 101\r\n"), std::string::npos) << output.output;
  EXPECT_NE(output.output.find("vt100\r\n"), std::string::npos) << output.output;
  EXPECT_NE(output.output.find("all-tty\r\n"), std::string::npos) << output.output;
  EXPECT_EQ(output.error, "");
}

TEST_P(TransportContract, a_pty_passes_input_once_and_its_code) {
  m_runner.run([&]() -> Async<void> {
    auto channel = co_await exec_on_pty("echo ready; read line; echo \"got <$line>\"; exit 9");
    co_await read_until(*channel, "ready\r\n");
    co_await channel->write("hello\n");
    const auto output = co_await read_all(*channel);
    EXPECT_EQ(output.output, "hello\r\ngot <hello>\r\n");  // the remote terminal's echo, and no second one
    const auto status = co_await channel->wait();
    EXPECT_EQ(status.code, 9);
  });
}

TEST_P(TransportContract, the_end_of_the_input_reaches_what_reads_a_pty) {
  m_runner.run([&]() -> Async<void> {
    auto channel = co_await exec_on_pty("echo ready; cat; exit 7");
    co_await read_until(*channel, "ready\r\n");
    co_await channel->write("x\n");
    co_await channel->close_input();
    const auto output = co_await read_all(*channel);
    EXPECT_EQ(output.output, "x\r\nx\r\n");  // the echo, and what cat wrote
    const auto status = co_await channel->wait();
    EXPECT_EQ(status.code, 7);
  });
}

TEST_P(TransportContract, a_pty_can_be_resized) {
  m_runner.run([&]() -> Async<void> {
    auto channel = co_await exec_on_pty(
        "echo ready; while [ \"$(stty size)\" != '50 120' ]; do sleep 0.02; done; echo resized");
    co_await read_until(*channel, "ready\r\n");
    const sys::WindowSize size{120, 50};
    co_await channel->resize(size);
    co_await read_until(*channel, "resized\r\n");
  });
}

TEST_P(TransportContract, a_pty_passes_much_input_and_any_byte_both_ways) {
  const std::string sent = random_bytes(500'000);
  const auto received = m_runner.run([&]() -> Async<Output> {
    auto channel =
        co_await exec_on_pty("stty raw -echo; echo ready; exec head -c " + std::to_string(sent.size()));
    co_await read_until(*channel, "ready\n");
    asio::co_spawn(m_runner.io(), [&]() -> Async<void> { co_await channel->write(sent); }, asio::detached);
    Output output = co_await read_all(*channel);
    const auto status = co_await channel->wait();
    EXPECT_EQ(status.code, 0);
    co_return output;
  });
  EXPECT_TRUE(received.output == sent) << received.output.size() << " bytes came back";
}

TEST_P(TransportContract, a_pty_interrupts_what_runs_on_it) {
  m_runner.run([&]() -> Async<void> {
    auto channel =
        co_await exec_on_pty("trap 'echo caught; exit 4' INT; echo ready; while :; do sleep 1; done");
    co_await read_until(*channel, "ready\r\n");
    co_await channel->write("\003");
    co_await read_until(*channel, "caught\r\n");
    const auto status = co_await channel->wait();
    EXPECT_EQ(status.code, 4);
  });
}

TEST_P(TransportContract, a_pty_that_is_not_read_leaves_the_others_alone) {
  m_runner.run([&]() -> Async<void> {
    auto channel = co_await exec_on_pty("echo ready; exec cat /dev/zero");
    co_await read_until(*channel, "ready\r\n");
    for (int i = 0; i < 5; ++i) {
      const auto [output, status] = co_await run_command("head -c 1000000 /dev/zero");
      EXPECT_EQ(output.output.size(), 1'000'000U);
      EXPECT_EQ(status.code, 0);
    }
    co_await channel->close();
  });
}

TEST_P(TransportContract, resizing_without_a_pty_does_nothing) {
  m_runner.run([&]() -> Async<void> {
    auto channel = co_await exec("cat");
    const sys::WindowSize size{120, 50};
    co_await channel->resize(size);
    co_await channel->close_input();
    const auto status = co_await channel->wait();
    EXPECT_EQ(status.code, 0);
  });
}

TEST_P(TransportContract, several_channels_live_side_by_side) {
  m_runner.run([&]() -> Async<void> {
    std::vector<std::unique_ptr<Channel>> channels;
    for (int i = 0; i < 8; ++i) {
      const std::string command = "read line; echo \"$line\"; exit " + std::to_string(i);
      auto channel = co_await exec(command);
      channels.push_back(std::move(channel));
    }
    for (int i = 7; i >= 0; --i) {
      const std::string line = "channel " + std::to_string(i) + "\n";
      co_await channels[static_cast<std::size_t>(i)]->write(line);
    }
    for (int i = 0; i < 8; ++i) {
      Channel& channel = *channels[static_cast<std::size_t>(i)];
      const auto output = co_await read_all(channel);
      EXPECT_EQ(output.output, "channel " + std::to_string(i) + "\n");
      const auto status = co_await channel.wait();
      EXPECT_EQ(status.code, i);
    }
  });
}

TEST_P(TransportContract, a_process_that_was_started_ahead_says_whose_preamble_it_has) {
  m_runner.run([&]() -> Async<void> {
    bool was_ahead = false;
    for (int i = 0; i < 12; ++i) {
      const std::string word = i % 4 == 3 ? "other" : "same";
      ExecRequest request;
      request.command = "exec /bin/sh -s";
      request.preamble = "word=" + word + "\n";
      auto channel = co_await m_connection->exec(std::move(request));
      const std::string script = "echo \"${word-none}\"\n";
      co_await channel->write(script);
      co_await channel->close_input();
      const auto output = co_await read_all(*channel);
      EXPECT_EQ(channel->has_preamble(), output.output == word + "\n") << i << ": " << output.output;
      was_ahead = was_ahead || channel->has_preamble();
      co_await channel->close();
    }
    EXPECT_EQ(was_ahead, has_master());
  });
}

TEST_P(TransportContract, what_is_not_read_is_not_buffered_without_bound) {
  const auto done = m_directory.path() / "done";
  m_runner.run([&]() -> Async<void> {
    const std::size_t before = resident_bytes();
    const std::string command = "head -c 300000000 /dev/zero && : >" + shell_quote(done.string());
    auto producer = co_await exec(command);
    // As much traffic beside it as would have let it pass.
    for (int i = 0; i < 30; ++i) {
      const auto [output, status] = co_await run_command("head -c 1000000 /dev/zero");
      EXPECT_EQ(output.output.size(), 1'000'000U);
    }
    EXPECT_FALSE(std::filesystem::exists(done));
    if (k_memory_is_ours) {
      EXPECT_LT(resident_bytes(), before + 64'000'000U);
    }
    const auto status = co_await producer->wait();
    EXPECT_EQ(status.code, 0);
    EXPECT_TRUE(std::filesystem::exists(done));
  });
}

TEST_P(TransportContract, closing_before_the_end_is_allowed_and_closing_twice_too) {
  m_runner.run([&]() -> Async<void> {
    auto channel = co_await exec("echo x; exec cat");
    co_await read_until(*channel, "x\n");
    co_await channel->close();
    co_await channel->close();
    const auto result = co_await run_command("echo next");
    EXPECT_EQ(result.first.output, "next\n");
  });
}

TEST_P(TransportContract, closing_a_channel_that_has_unread_output_leaves_the_others_alone) {
  m_runner.run([&]() -> Async<void> {
    auto channel = co_await exec("cat /dev/zero");
    const Chunk first = co_await channel->read();
    EXPECT_EQ(first.stream, Chunk::Stream::output);
    co_await channel->close();
    const auto result = co_await run_command("echo next");
    EXPECT_EQ(result.first.output, "next\n");
  });
}

TEST_P(TransportContract, a_cancelled_read_leaves_a_channel_that_can_be_closed) {
  asio::cancellation_signal stop;
  bool was_thrown = false;
  m_runner.run([&]() -> Async<void> {
    auto channel = co_await exec("echo ready; cat");
    co_await read_until(*channel, "ready\n");
    asio::steady_timer ended(m_runner.io(), asio::steady_timer::time_point::max());
    asio::co_spawn(
        m_runner.io(), [&]() -> Async<void> { co_await channel->read(); },
        asio::bind_cancellation_slot(stop.slot(), [&](const std::exception_ptr& thrown) {
          was_thrown = thrown != nullptr;
          ended.cancel();
        }));
    asio::post(m_runner.io(), [&] { stop.emit(asio::cancellation_type::all); });
    boost::system::error_code ignored;
    co_await ended.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    co_await channel->close();
    const auto result = co_await run_command("echo next");
    EXPECT_EQ(result.first.output, "next\n");
  });
  EXPECT_TRUE(was_thrown);
}

TEST_P(TransportContract, a_closed_connection_starts_nothing) {
  m_runner.run([&]() { return m_connection->close(); });
  m_runner.run([&]() { return m_connection->close(); });
  EXPECT_EQ(failure_of([&]() { return run_command("true"); }), ErrorKind::unreachable);
}

TEST_P(TransportContract, a_stream_is_forwarded_both_ways) {
  tcp::acceptor acceptor(m_runner.io(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const unsigned short port = acceptor.local_endpoint().port();
  const std::string sent = random_bytes(1'000'000);
  m_runner.run([&]() -> Async<void> {
    asio::co_spawn(
        m_runner.io(),
        [&]() -> Async<void> {  // an echo that ends when its peer does
          tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
          std::string buffer(65536, '\0');
          for (;;) {
            boost::system::error_code error;
            const auto got = co_await socket.async_read_some(
                asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
            if (error) break;
            co_await asio::async_write(socket, asio::buffer(buffer.data(), got), asio::use_awaitable);
          }
        },
        asio::detached);
    const std::string host = "127.0.0.1";
    auto channel = co_await m_connection->open_forward(host, port);
    asio::co_spawn(
        m_runner.io(),
        [&]() -> Async<void> {
          co_await channel->write(sent);
          co_await channel->close_input();
        },
        asio::detached);
    const auto received = co_await read_all(*channel);
    EXPECT_TRUE(received.output == sent) << received.output.size() << " bytes came back";
    const auto status = co_await channel->wait();
    EXPECT_EQ(status.code, 0);
  });
}

TEST_P(TransportContract, a_forward_whose_far_end_has_said_all_takes_more) {
  if (kind() == Kind::openssh) GTEST_SKIP() << "ssh -W ends both directions then";
  tcp::acceptor acceptor(m_runner.io(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const unsigned short port = acceptor.local_endpoint().port();
  const std::string sent = random_bytes(1'000'000);
  std::string received;
  m_runner.run([&]() -> Async<void> {
    const std::string host = "127.0.0.1";
    auto channel = co_await m_connection->open_forward(host, port);
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    co_await asio::async_write(socket, asio::buffer("bye", 3), asio::use_awaitable);
    socket.shutdown(tcp::socket::shutdown_send);
    const auto said = co_await read_all(*channel);
    EXPECT_EQ(said.output, "bye");
    asio::co_spawn(
        m_runner.io(),
        [&]() -> Async<void> {
          co_await channel->write(sent);
          co_await channel->close_input();
        },
        asio::detached);
    boost::system::error_code end;
    const auto space = asio::dynamic_buffer(received);
    co_await asio::async_read(socket, space, asio::redirect_error(asio::use_awaitable, end));
    EXPECT_EQ(end, asio::error::eof);
  });
  EXPECT_TRUE(received == sent) << received.size() << " bytes arrived";
}

TEST_P(TransportContract, a_forward_to_a_closed_port_is_refused_and_the_connection_lives) {
  unsigned short port = 0;
  {
    tcp::acceptor acceptor(m_runner.io(), tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    port = acceptor.local_endpoint().port();
  }
  EXPECT_EQ(failure_of([&]() { return m_connection->open_forward("127.0.0.1", port); }), ErrorKind::remote);
  const auto result = m_runner.run([&]() { return run_command("echo next"); });
  EXPECT_EQ(result.first.output, "next\n");
}

TEST_P(TransportContract, a_connection_lost_in_mid_read_is_unreachable_in_every_call) {
  if (kind() == Kind::local)
    GTEST_SKIP() << "a child process of this machine has no connection that could be lost";
  auto channel = m_runner.run([&]() { return exec("echo ready; cat"); });
  m_runner.run([&]() { return read_until(*channel, "ready\n"); });
  m_sshd->kill_connections();
  EXPECT_EQ(failure_of([&]() { return read_all(*channel); }), ErrorKind::unreachable);
  EXPECT_EQ(failure_of([&]() { return channel->wait(); }), ErrorKind::unreachable);
  const auto next = failure_of([&]() { return run_command("true"); });
  EXPECT_EQ(next, has_master() ? std::nullopt : std::optional(ErrorKind::unreachable));  // it connects anew
  m_runner.run([&]() { return channel->close(); });
}

INSTANTIATE_TEST_SUITE_P(Transport, TransportContract,
                         ::testing::Values(Way::local, Way::ssh2, Way::openssh, Way::over_master_ssh2,
                                           Way::over_master_openssh),
                         [](const auto& parameter) { return std::string(to_string(parameter.param)); });

}  // namespace
}  // namespace re::transport
