#include "transport/process_channel.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

#include "re/sys/fd.hpp"
#include "re/sys/file.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

constexpr std::size_t k_chunk = std::size_t{64} << 10U;

// Readiness of both output pipes as one descriptor, so that read() waits for whichever comes first.
class Readable {
 public:
  explicit Readable(const asio::any_io_executor& executor)
      : m_epoll(executor, ::epoll_create1(EPOLL_CLOEXEC)) {}
  void add(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(m_epoll.native_handle(), EPOLL_CTL_ADD, fd, &event) != 0)
      throw errno_error("watch a pipe", errno);
  }
  Async<void> wait() { co_await m_epoll.async_wait(Descriptor::wait_read, asio::use_awaitable); }
  void cancel() { m_epoll.cancel(); }

 private:
  Descriptor m_epoll;
};

struct Streams {
  sys::Fd input;
  sys::Fd output;
  sys::Fd error;
};

class ProcessChannel final : public Channel {
 public:
  ProcessChannel(const asio::any_io_executor& executor, sys::Child child, Streams streams, bool has_pty)
      : m_child(std::move(child)),
        m_input(executor, streams.input.release()),
        m_output(std::move(streams.output)),
        m_error(std::move(streams.error)),
        m_readable(executor),
        m_has_pty(has_pty) {
    for (const auto* stream : {&m_output, &m_error}) {
      if (!stream->is_open()) continue;
      sys::set_nonblocking(stream->get());
      m_readable.add(stream->get());
    }
  }

  Async<Chunk> read() override {
    for (;;) {
      if (auto chunk = read_ready()) co_return std::move(*chunk);
      if (!m_output.is_open() && !m_error.is_open()) co_return Chunk{};
      co_await m_readable.wait();
    }
  }

  Async<void> write(std::string_view data) override {
    if (!m_input.is_open()) co_return;
    boost::system::error_code error;
    co_await asio::async_write(m_input, asio::buffer(data), asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted)
      throw Error(ErrorKind::interrupted, "the write was cancelled");
    if (error) close_descriptor();
  }

  Async<void> close_input() override {
    if (m_has_pty && m_input.is_open()) {
      const std::string end_of_file(1, '\004');
      co_await write(end_of_file);
    } else {
      close_descriptor();
    }
  }

  Async<void> resize(sys::WindowSize size) override {
    if (m_has_pty && m_output.is_open()) {
      const winsize cells{size.rows, size.columns, 0, 0};
      ::ioctl(m_output.get(), TIOCSWINSZ, &cells);
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
    m_readable.cancel();
    close_descriptor();
    m_output.reset();
    m_error.reset();
    m_child.poll();
    co_return;
  }

 private:
  // What can be had without waiting; the stream that was served last comes second, so that none starves.
  std::optional<Chunk> read_ready() {
    m_error_first = !m_error_first;
    for (const bool error : {m_error_first, !m_error_first}) {
      sys::Fd& fd = error ? m_error : m_output;
      if (!fd.is_open()) continue;
      Chunk chunk{error ? Chunk::Stream::error : Chunk::Stream::output, std::string(k_chunk, '\0')};
      const ssize_t got = ::read(fd.get(), chunk.data.data(), chunk.data.size());
      if (got > 0) {
        chunk.data.resize(static_cast<std::size_t>(got));
        return chunk;
      }
      const bool ended = got == 0 || errno == EIO;  // a pty master reads EIO when its other side is closed
      if (ended) fd.reset();
      if (!ended && errno != EAGAIN && errno != EINTR) throw errno_error("read from a process", errno);
    }
    return std::nullopt;
  }

  void close_descriptor() {
    boost::system::error_code ignored;
    m_input.close(ignored);
  }

  sys::Child m_child;
  Descriptor m_input;
  sys::Fd m_output;
  sys::Fd m_error;
  Readable m_readable;
  bool m_has_pty;
  bool m_error_first = true;
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
  Streams streams{sys::duplicate(terminal.master.get()), std::move(terminal.master), {}};
  return std::make_unique<ProcessChannel>(executor, std::move(child), std::move(streams), true);
}

}  // namespace

std::unique_ptr<Channel> start_process(const asio::any_io_executor& executor, const ProcessRequest& request) {
  sys::ignore_broken_pipes();
  if (request.pty) return start_on_pty(executor, request);
  sys::Pipe input = sys::make_pipe();
  sys::Pipe output = sys::make_pipe();
  sys::Pipe error = sys::make_pipe();
  sys::SpawnOptions options = spawn_options(request);
  options.input = input.read_end.get();
  options.output = output.write_end.get();
  options.error = error.write_end.get();
  sys::Child child = sys::Child::spawn(options);
  Streams streams{std::move(input.write_end), std::move(output.read_end), std::move(error.read_end)};
  return std::make_unique<ProcessChannel>(executor, std::move(child), std::move(streams), false);
}

}  // namespace re::transport
