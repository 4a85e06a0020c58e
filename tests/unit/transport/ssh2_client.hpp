// What the tests of the ssh2 transport share: a context to run coroutines on, and a client with all it refers
// to.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "channel_output.hpp"
#include "support/sshd_fixture.hpp"
#include "transport/ssh2_connection.hpp"

namespace re::transport {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// While this lives, what is allocated may leak: libssh2 1.10 forgets a BIGNUM of each ECDSA key that it
/// reads from a file in OpenSSH's format.
class LibraryLeak {
 public:
  LibraryLeak(const LibraryLeak&) = delete;
  LibraryLeak& operator=(const LibraryLeak&) = delete;
#ifdef __SANITIZE_ADDRESS__
  LibraryLeak() { __lsan_disable(); }
  ~LibraryLeak() { __lsan_enable(); }
#else
  LibraryLeak() = default;
  ~LibraryLeak() = default;
#endif
};

/// Runs a coroutine on a context of its own to its end, and the context until nothing is left to do.
class Runner {
 public:
  template <class T>
  T run(Async<T> work) {
    std::optional<T> result;
    run_until_done([](Async<T> inner, std::optional<T>& out) -> Async<void> {
      out = co_await std::move(inner);
    }(std::move(work), result));
    return std::move(*result);
  }
  void run(Async<void> work) { run_until_done(std::move(work)); }
  asio::io_context& context() { return m_context; }

 private:
  void run_until_done(Async<void> work) {
    bool is_done = false;
    std::exception_ptr failure;
    asio::co_spawn(m_context, std::move(work), [&](std::exception_ptr error) {
      failure = std::move(error);
      is_done = true;
    });
    const auto deadline = std::chrono::steady_clock::now() + 120s;
    m_context.restart();
    while (!is_done && std::chrono::steady_clock::now() < deadline) m_context.run_one_for(100ms);
    if (!is_done) throw std::runtime_error("the test hangs");
    if (failure) std::rethrow_exception(failure);
  }
  asio::io_context m_context;
};

inline std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::string bytes(size, '\0');
  for (auto& byte : bytes) byte = static_cast<char>(generator() & 0xffU);
  return bytes;
}

/// A connection and all it refers to.
class Client {
 public:
  explicit Client(Target target_) : target(std::move(target_)) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() {
    if (connection) runner.run(connection->close());
    connection.reset();
    runner.context().restart();
    runner.context().run_for(5s);  // what runs in the background ends by itself
    EXPECT_TRUE(runner.context().stopped()) << "something still waits after the connection was closed";
  }

  Connection& connect() {
    connection = runner.run(connect_ssh2(target, context));
    return *connection;
  }
  std::unique_ptr<Channel> exec(const std::string& command, std::optional<PtyRequest> pty = std::nullopt) {
    ExecRequest request{command, std::move(pty)};
    return runner.run(connection->exec(std::move(request)));
  }
  Error failure_of_connect() {
    try {
      connect();
    } catch (const Error& error) {
      return error;
    }
    return {ErrorKind::usage, "it connected"};
  }

  Target target;
  test::FakePrompter prompter;
  NoProgress progress;
  ConnectContext context{prompter, progress, "/nonexistent", "/nonexistent"};
  Runner runner;
  std::unique_ptr<Connection> connection;
};

}  // namespace re::transport
