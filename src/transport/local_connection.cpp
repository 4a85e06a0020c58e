#include "transport/local_connection.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "transport/channel_streams.hpp"
#include "transport/process_channel.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// What breaks a stream ends it, too, as it does with sshd: no connection to a host broke.
std::optional<std::string> read_or_end(int fd) {
  try {
    return read_available(fd);
  } catch (const Error&) {
    return std::string();
  }
}

class SocketChannel final : public Channel {
 public:
  explicit SocketChannel(tcp::socket socket) : m_socket(std::move(socket)) {
    m_socket.native_non_blocking(true);
  }

  Async<Chunk> read() override {
    while (!m_has_ended) {  // Asio would wait for news of a stream that has none
      boost::system::error_code error;
      co_await m_socket.async_wait(tcp::socket::wait_read, asio::redirect_error(asio::use_awaitable, error));
      if (error) throw Error(ErrorKind::interrupted, "the channel was closed while in use");
      auto data = read_or_end(m_socket.native_handle());
      m_has_ended = data && data->empty();
      if (data && !m_has_ended) co_return Chunk{Chunk::Stream::output, std::move(*data)};
    }
    co_return Chunk{};
  }

  Async<void> write(std::string_view data) override {
    boost::system::error_code error;
    co_await asio::async_write(m_socket, asio::buffer(data),
                               asio::redirect_error(asio::use_awaitable, error));
  }

  Async<void> close_input() override {
    boost::system::error_code ignored;
    m_socket.shutdown(tcp::socket::shutdown_send, ignored);
    co_return;
  }

  Async<void> resize(sys::WindowSize) override { co_return; }

  Async<sys::ExitStatus> wait() override {
    for (;;) {
      const Chunk chunk = co_await read();
      if (chunk.stream == Chunk::Stream::end) co_return sys::ExitStatus{0, std::nullopt};
    }
  }

  Async<void> close() override {
    boost::system::error_code ignored;
    m_socket.close(ignored);
    co_return;
  }

 private:
  tcp::socket m_socket;
  bool m_has_ended = false;
};

class LocalConnection final : public Connection {
 public:
  LocalConnection(const asio::any_io_executor& executor, std::string home)
      : m_executor(executor), m_home(std::move(home)), m_info{"local", "local", {}} {}

  Async<std::unique_ptr<Channel>> exec(ExecRequest request) override {
    require_open();
    ProcessRequest process;
    process.arguments = {"/bin/sh", "-c", std::move(request.command)};
    process.environment = {{"HOME", m_home}};
    process.directory = m_home;
    process.pty = request.pty;
    co_return start_process(m_executor, process);
  }

  Async<std::unique_ptr<Channel>> open_forward(std::string host, unsigned short port) override {
    require_open();
    const std::string service = std::to_string(port);
    tcp::resolver resolver(m_executor);
    tcp::socket socket(m_executor);
    boost::system::error_code error;
    const auto endpoints =
        co_await resolver.async_resolve(host, service, asio::redirect_error(asio::use_awaitable, error));
    if (!error)
      co_await asio::async_connect(socket, endpoints, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      throw Error(ErrorKind::remote, "cannot forward to " + host + ":" + service + ": " + error.message());
    }
    co_return std::make_unique<SocketChannel>(std::move(socket));
  }

  [[nodiscard]] const ConnectionInfo& info() const override { return m_info; }

  Async<void> close() override {
    m_is_open = false;
    co_return;
  }

 private:
  void require_open() const {
    if (!m_is_open) throw Error(ErrorKind::unreachable, "the connection to local is closed");
  }

  asio::any_io_executor m_executor;
  std::string m_home;
  ConnectionInfo m_info;
  bool m_is_open = true;
};

}  // namespace

std::unique_ptr<Connection> connect_local(const asio::any_io_executor& executor, std::string home) {
  return std::make_unique<LocalConnection>(executor, std::move(home));
}

}  // namespace re::transport
