#include "transport/channel_streams.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <utility>

#include "re/base/error.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;

constexpr std::size_t k_chunk = std::size_t{64} << 10U;

Error interrupted() {
  return Error(ErrorKind::interrupted, "the channel was closed while in use");
}

}  // namespace

std::optional<std::string> read_available(int fd) {
  // Not a string of this size: most pieces are small, and to fill it costs more than to copy.
  std::array<char, k_chunk> buffer;
  ssize_t got = ::read(fd, buffer.data(), buffer.size());
  // Linux looks whether the other side of a pseudo-terminal is closed after it found no bytes: what was
  // written in between is still there.
  if (got < 0 && errno == EIO) got = ::read(fd, buffer.data(), buffer.size());
  if (got >= 0) return std::string(buffer.data(), static_cast<std::size_t>(got));
  if (errno == EIO || errno == ECONNRESET) return std::string();  // a socket whose peer left data unread
  if (errno != EAGAIN && errno != EINTR) throw errno_error("read from a channel", errno);
  return std::nullopt;
}

ChannelStreams::ChannelStreams(const asio::any_io_executor& executor, Ends ends)
    : m_input(executor),
      m_output(std::move(ends.output)),
      m_error(std::move(ends.error)),
      m_readable(executor, ::epoll_create1(EPOLL_CLOEXEC)) {
  sys::ignore_broken_pipes();
  if (ends.input.is_open()) m_input.assign(ends.input.release());
  for (const auto* stream : {&m_output, &m_error}) {
    if (!stream->is_open()) continue;
    sys::set_nonblocking(stream->get());
    also_watch(stream->get());
  }
}

void ChannelStreams::also_watch(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(m_readable.native_handle(), EPOLL_CTL_ADD, fd, &event) != 0) {
    throw errno_error("watch a channel", errno);
  }
}

void ChannelStreams::stop_watching(int fd) {
  ::epoll_ctl(m_readable.native_handle(), EPOLL_CTL_DEL, fd, nullptr);
}

std::optional<Chunk> ChannelStreams::read_ready() {
  m_serve_error_first = !m_serve_error_first;
  for (const bool from_error : {m_serve_error_first, !m_serve_error_first}) {
    sys::Fd& fd = from_error ? m_error : m_output;
    if (!fd.is_open()) continue;
    auto data = read_available(fd.get());
    if (!data) continue;
    if (!data->empty())
      return Chunk{from_error ? Chunk::Stream::error : Chunk::Stream::output, std::move(*data)};
    fd.reset();
  }
  return std::nullopt;
}

Async<void> ChannelStreams::wait_readable() {
  boost::system::error_code error;
  co_await m_readable.async_wait(Descriptor::wait_read, asio::redirect_error(asio::use_awaitable, error));
  if (error) throw interrupted();
}

Async<ChannelStreams::Sent> ChannelStreams::write(std::string_view data) {
  if (!m_input.is_open()) co_return Sent::broken;
  boost::system::error_code error;
  co_await asio::async_write(m_input, asio::buffer(data), asio::redirect_error(asio::use_awaitable, error));
  if (!error) co_return Sent::all;
  if (error == asio::error::operation_aborted) throw interrupted();
  close_input();
  co_return Sent::broken;
}

void ChannelStreams::close_input() {
  boost::system::error_code ignored;
  m_input.close(ignored);
}

void ChannelStreams::close() {
  boost::system::error_code ignored;
  m_readable.close(ignored);
  close_input();
  m_output.reset();
  m_error.reset();
}

}  // namespace re::transport
