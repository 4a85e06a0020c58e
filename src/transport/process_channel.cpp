#include "transport/process_channel.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cerrno>

#include "re/sys/fd.hpp"
#include "re/sys/file.hpp"
#include "transport/channel_streams.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

class ProcessChannel final : public Channel {
 public:
  ProcessChannel(const asio::any_io_executor& executor, sys::Child child, ChannelStreams::Ends ends,
                 bool has_pty)
      : m_child(std::move(child)), m_streams(executor, std::move(ends)), m_has_pty(has_pty) {}

  Async<Chunk> read() override {
    for (;;) {
      if (auto chunk = m_streams.read_ready()) co_return std::move(*chunk);
      if (m_streams.have_ended()) co_return Chunk{};
      co_await m_streams.wait_readable();
    }
  }

  Async<void> write(std::string_view data) override { co_await m_streams.write(data); }

  Async<void> close_input() override {
    if (m_has_pty && m_streams.is_input_open()) {
      const std::string end_of_file(1, '\004');
      co_await write(end_of_file);
    } else {
      m_streams.close_input();
    }
  }

  Async<void> resize(sys::WindowSize size) override {
    if (m_has_pty && m_streams.is_input_open()) {
      const winsize cells{size.rows, size.columns, 0, 0};
      ::ioctl(m_streams.input(), TIOCSWINSZ, &cells);
    }
    co_return;
  }

  Async<sys::ExitStatus> wait() override {
    for (;;) {
      const Chunk chunk = co_await read();
      if (chunk.stream == Chunk::Stream::end) break;
    }
    co_return co_await m_child.wait_async();
  }

  Async<void> close() override {
    m_streams.close();
    m_child.poll();
    co_return;
  }

 private:
  sys::Child m_child;
  ChannelStreams m_streams;
  bool m_has_pty;
};

struct Terminal {
  sys::Fd master;
  sys::Fd slave;
};

Terminal open_pty(sys::WindowSize size) {
  Terminal terminal;
  terminal.master.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  std::array<char, 64> name{};
  const int fd = terminal.master.get();
  if (fd < 0 || ::grantpt(fd) != 0 || ::unlockpt(fd) != 0 || ::ptsname_r(fd, name.data(), name.size()) != 0) {
    throw errno_error("open a pseudo-terminal", errno);
  }
  terminal.slave = sys::open_file(name.data(), O_RDWR | O_NOCTTY);
  const winsize cells{size.rows, size.columns, 0, 0};
  ::ioctl(fd, TIOCSWINSZ, &cells);
  return terminal;
}

sys::SpawnOptions spawn_options(const ProcessRequest& request) {
  sys::SpawnOptions options;
  options.arguments = request.arguments;
  options.environment = request.environment;
  options.directory = request.directory;
  options.inherited = request.inherited;
  options.session = sys::Session::own;  // our terminal's Ctrl-C is ours to pass on
  return options;
}

std::unique_ptr<Channel> start_on_pty(const asio::any_io_executor& executor, const ProcessRequest& request) {
  Terminal terminal = open_pty(request.pty->size);
  sys::SpawnOptions options = spawn_options(request);
  options.environment.emplace_back("TERM", request.pty->term);
  options.input = options.output = options.error = terminal.slave.get();
  options.controlling_terminal = terminal.slave.get();
  sys::Child child = sys::Child::spawn(options);
  ChannelStreams::Ends ends{sys::duplicate(terminal.master.get()), std::move(terminal.master), {}};
  return std::make_unique<ProcessChannel>(executor, std::move(child), std::move(ends), true);
}

}  // namespace

std::unique_ptr<Channel> start_process(const asio::any_io_executor& executor, const ProcessRequest& request) {
  if (request.pty) return start_on_pty(executor, request);
  sys::Pipe input = sys::make_pipe();
  sys::Pipe output = sys::make_pipe();
  sys::Pipe error = sys::make_pipe();
  sys::SpawnOptions options = spawn_options(request);
  options.input = input.read_end.get();
  options.output = output.write_end.get();
  options.error = error.write_end.get();
  sys::Child child = sys::Child::spawn(options);
  ChannelStreams::Ends ends{std::move(input.write_end), std::move(output.read_end),
                            std::move(error.read_end)};
  return std::make_unique<ProcessChannel>(executor, std::move(child), std::move(ends), false);
}

}  // namespace re::transport
