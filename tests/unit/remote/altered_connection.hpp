// A connection to this machine whose login shell does something first (noise, another PATH), and that can
// break.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "re/transport/connection.hpp"
#include "transport/local_connection.hpp"

namespace re::remote {

/// Breaks for good, both ways at once, when so many bytes have passed.
class BreakingChannel final : public transport::Channel {
 public:
  BreakingChannel(std::unique_ptr<transport::Channel> inner, std::size_t bytes)
      : m_inner(std::move(inner)), m_left(bytes) {}

  Async<transport::Chunk> read() override {
    transport::Chunk chunk;
    try {
      chunk = co_await m_inner->read();
    } catch (const Error&) {
      if (!m_is_broken) throw;  // closed under the reader by a write that broke the channel
    }
    co_await pass(chunk.data.size());
    co_return chunk;
  }
  Async<void> write(std::string_view data) override {
    co_await pass(data.size());
    co_await m_inner->write(data);
  }
  Async<void> close_input() override { return m_inner->close_input(); }
  Async<void> resize(sys::WindowSize size) override { return m_inner->resize(size); }
  Async<sys::ExitStatus> wait() override { return m_inner->wait(); }
  Async<void> close() override { return m_inner->close(); }

 private:
  Async<void> pass(std::size_t size) {
    if (!m_is_broken && size <= m_left) {
      m_left -= size;
      co_return;
    }
    m_is_broken = true;
    co_await m_inner->close();
    throw Error(ErrorKind::unreachable, "the connection broke, as the test asked");
  }

  std::unique_ptr<transport::Channel> m_inner;
  std::size_t m_left;
  bool m_is_broken = false;
};

class AlteredConnection final : public transport::Connection {
 public:
  static constexpr std::size_t k_unbroken = std::numeric_limits<std::size_t>::max();

  /// \param prologue shell text that runs before each command
  /// \param break_after how many bytes a channel carries before it breaks
  AlteredConnection(const boost::asio::any_io_executor& executor, const std::string& home,
                    std::string prologue, std::size_t break_after = k_unbroken)
      : m_inner(transport::connect_local(executor, home)),
        m_prologue(std::move(prologue)),
        m_break_after(break_after) {}

  Async<std::unique_ptr<transport::Channel>> exec(transport::ExecRequest request) override {
    request.command = m_prologue + "\n" + request.command;
    auto channel = co_await m_inner->exec(std::move(request));
    co_return std::make_unique<BreakingChannel>(std::move(channel), m_break_after);
  }
  Async<std::unique_ptr<transport::Channel>> open_forward(std::string host, unsigned short port) override {
    return m_inner->open_forward(std::move(host), port);
  }
  [[nodiscard]] const transport::ConnectionInfo& info() const override { return m_inner->info(); }
  Async<void> close() override { return m_inner->close(); }

 private:
  std::unique_ptr<transport::Connection> m_inner;
  std::string m_prologue;
  std::size_t m_break_after;
};

}  // namespace re::remote
