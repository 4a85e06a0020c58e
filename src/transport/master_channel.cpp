#include "transport/master_channel.hpp"

#include <boost/asio/awaitable.hpp>

namespace re::transport {

using master::Type;

void MasterChannel::require_open() const {
  if (m_is_closed) throw Error(ErrorKind::unreachable, "the channel to " + m_destination + " is closed");
}

Async<Chunk> MasterChannel::read() {
  require_open();
  for (;;) {
    if (auto chunk = m_streams.read_ready()) co_return std::move(*chunk);
    if (m_streams.have_ended()) break;
    co_await m_streams.wait_readable();
  }
  // The streams end as well when the connection does, or the master: how it was is said after.
  co_await await_status();
  co_return Chunk{};
}

// The last frame of a channel: how the process ended, or why that is not known.
void MasterChannel::take(const std::optional<master::Frame>& frame) {
  if (!frame) {
    m_failure = Error(ErrorKind::unreachable,
                      "the connection master ended, and the channel to " + m_destination + " with it");
  } else if (frame->type == Type::failed) {
    m_failure = master::parse_error(frame->body);
  } else if (frame->type == Type::ended) {
    m_status = master::parse_status(frame->body);
  }
  if (frame && !m_failure && !m_status)
    m_failure = Error(ErrorKind::protocol, "the connection master sent what makes no sense");
}

Async<void> MasterChannel::await_status() {
  if (!m_status && !m_failure) {
    const auto frame = co_await m_control.receive();
    take(frame);
  }
  if (m_failure) throw Error(*m_failure);
}

Async<void> MasterChannel::write(std::string_view data) {
  require_open();
  if (!m_streams.is_input_open()) co_return;
  const auto sent = co_await m_streams.write(data);
  if (sent == ChannelStreams::Sent::all) co_return;
  // Nobody takes it: the process closed its input, which is no error, or the connection is gone.
  const auto ready = m_control.receive_ready();
  if (ready.frame || ready.has_ended) take(ready.frame);
  if (m_failure) throw Error(*m_failure);
}

Async<void> MasterChannel::close_input() {
  m_streams.close_input();
  co_return;
}

Async<void> MasterChannel::resize(sys::WindowSize size) {
  require_open();
  std::string frame = master::frame(Type::resize, master::to_body(size));
  co_await m_control.send(std::move(frame));
}

Async<sys::ExitStatus> MasterChannel::wait() {
  for (;;) {
    const Chunk chunk = co_await read();
    if (chunk.stream == Chunk::Stream::end) break;
  }
  co_return *m_status;
}

Async<void> MasterChannel::close() {
  m_is_closed = true;
  m_streams.close();
  m_control.close();
  co_return;
}

}  // namespace re::transport
