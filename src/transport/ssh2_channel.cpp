#include "transport/ssh2_channel.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstring>

namespace re::transport {

namespace {

constexpr std::size_t k_chunk = std::size_t{64} << 10U;  // the contract's largest
// libssh2 keeps room for the largest packet in every session; what no packet has used yet takes no memory. So
// a script goes out in pieces of the first size, and packets grow with what a channel has sent.
constexpr std::size_t k_first_piece = std::size_t{4} << 10U;
constexpr std::size_t k_pieces_before_growth = 4;

}  // namespace

Ssh2Channel::Ssh2Channel(std::shared_ptr<Ssh2SessionOwner> owner, Ssh2Session::OpenedChannel opened,
                         Purpose purpose)
    : m_owner(std::move(owner)), m_opened(opened), m_purpose(purpose) {}

Ssh2Channel::~Ssh2Channel() {
  abandon();
}

void Ssh2Channel::check_open() const {
  if (session().failure()) throw Error(*session().failure());
  if (m_is_released) throw Error(ErrorKind::unreachable, "the channel to " + session().name() + " is closed");
}

Async<void> Ssh2Channel::start(ExecRequest request) {
  LIBSSH2_CHANNEL* channel = m_opened.channel;
  if (request.pty) {
    const PtyRequest& pty = *request.pty;
    const CallResult result = co_await session().run([channel, &pty] {
      return libssh2_channel_request_pty_ex(channel, pty.term.data(), static_cast<unsigned>(pty.term.size()),
                                            nullptr, 0, pty.size.columns, pty.size.rows, 0, 0);
    });
    if (result.code != 0)
      throw Error(ErrorKind::remote, session().name() + " refuses a terminal", "its PermitTTY may be off");
  }
  const std::string& command = request.command;
  const Ssh2Session::Call startup = [channel, &command] {
    return libssh2_channel_process_startup(channel, "exec", 4, command.data(),
                                           static_cast<unsigned>(command.size()));
  };
  CallResult result = session().attempt(startup);
  while (result.code == LIBSSH2_ERROR_EAGAIN) {
    // libssh2 would wait for an answer also after the close.
    const bool is_last_try = is_closed_by_peer();
    if (!is_last_try) co_await session().wait_for_change();
    result = session().attempt(startup);
    if (is_last_try && result.code == LIBSSH2_ERROR_EAGAIN)
      throw Error(ErrorKind::remote, session().name() + " closed the channel before the command began");
  }
  if (result.code != 0) throw Error(ErrorKind::remote, session().name() + " refuses to run a command");
}

std::optional<Chunk> Ssh2Channel::try_read(Chunk::Stream stream) {
  const int id = stream == Chunk::Stream::output ? 0 : SSH_EXTENDED_DATA_STDERR;
  std::array<char, k_chunk> buffer;  // on the stack, where all channels share it
  const CallResult result = session().attempt([this, id, &buffer] {
    return libssh2_channel_read_ex(m_opened.channel, id, buffer.data(), buffer.size());
  });
  if (result.code > 0)
    return Chunk{stream, std::string(buffer.data(), static_cast<std::size_t>(result.code))};
  if (result.code == 0 || result.code == LIBSSH2_ERROR_EAGAIN) return std::nullopt;
  throw Error(ErrorKind::unreachable, "cannot read from " + session().name() + ": " + result.message);
}

Async<Chunk> Ssh2Channel::read() {
  for (;;) {
    check_open();
    const Chunk::Stream first = m_next;
    const Chunk::Stream second =
        first == Chunk::Stream::output ? Chunk::Stream::error : Chunk::Stream::output;
    for (const auto stream : {first, second}) {
      if (auto chunk = try_read(stream)) {
        m_next = stream == Chunk::Stream::output ? Chunk::Stream::error : Chunk::Stream::output;
        co_return std::move(*chunk);
      }
    }
    if (libssh2_channel_eof(m_opened.channel) == 1) co_return Chunk{};
    co_await session().wait_for_change();
  }
}

// There is no getter; this call gives 0 just then, and otherwise EAGAIN or "not at end of file".
bool Ssh2Channel::is_closed_by_peer() {
  const CallResult result =
      session().attempt([this] { return libssh2_channel_wait_closed(m_opened.channel); });
  return result.code == 0;
}

Async<void> Ssh2Channel::write(std::string_view data) {
  check_open();
  if (m_is_input_closed) throw Error(ErrorKind::io, "the input of the remote process is closed already");
  while (!data.empty()) {
    co_await session().wait_for_room();
    check_open();
    if (is_closed_by_peer()) co_return;
    const auto piece = data.substr(0, std::max(k_first_piece, m_sent / k_pieces_before_growth));
    const CallResult result = session().attempt(
        [this, piece] { return libssh2_channel_write_ex(m_opened.channel, 0, piece.data(), piece.size()); });
    if (result.code > 0) {
      m_sent += static_cast<std::size_t>(result.code);
      data.remove_prefix(static_cast<std::size_t>(result.code));
    } else if (result.code == 0 || result.code == LIBSSH2_ERROR_EAGAIN) {
      if (is_closed_by_peer()) co_return;  // this very call may have taken the close in
      co_await session().wait_for_change();
      check_open();
    } else {
      throw Error(ErrorKind::unreachable, "cannot write to " + session().name() + ": " + result.message);
    }
  }
}

Async<void> Ssh2Channel::close_input() {
  if (m_is_input_closed || m_is_released) co_return;
  if (m_purpose == Purpose::terminal_process) {
    const std::string end_of_file(1, '\004');  // a terminal has no other
    co_await write(end_of_file);
    m_is_input_closed = true;
    co_return;
  }
  m_is_input_closed = true;
  if (is_closed_by_peer()) co_return;
  LIBSSH2_CHANNEL* channel = m_opened.channel;
  co_await session().run([this, channel] { return m_is_released ? 0 : libssh2_channel_send_eof(channel); });
}

Async<void> Ssh2Channel::resize(sys::WindowSize size) {
  if (m_purpose != Purpose::terminal_process) co_return;
  check_open();
  if (is_closed_by_peer()) co_return;
  LIBSSH2_CHANNEL* channel = m_opened.channel;
  co_await session().run([this, channel, size] {
    return m_is_released ? 0 : libssh2_channel_request_pty_size_ex(channel, size.columns, size.rows, 0, 0);
  });
}

sys::ExitStatus Ssh2Channel::exit_status() {
  if (m_purpose == Purpose::forward) return {0, std::nullopt};
  char* signal = nullptr;
  std::size_t size = 0;
  libssh2_channel_get_exit_signal(m_opened.channel, &signal, &size, nullptr, nullptr, nullptr, nullptr);
  if (signal != nullptr) {
    const std::string name(signal, size);
    libssh2_free(session().raw(), signal);
    const sys::ExitStatus status{std::nullopt, sys::signal_number(name)};
    if (status.signal) return status;
    throw Error(ErrorKind::remote, "the process on " + session().name() + " ended by an unknown signal");
  }
  if (!session().memory().has_exit_status(m_opened.number)) {
    throw Error(ErrorKind::unreachable, session().name() + " did not say how the process ended");
  }
  return {libssh2_channel_get_exit_status(m_opened.channel) & 0xff, std::nullopt};
}

Async<sys::ExitStatus> Ssh2Channel::wait() {
  for (;;) {
    const Chunk chunk = co_await read();
    if (chunk.stream == Chunk::Stream::end) break;
  }
  // The status may come between the end of the output and the close; a forwarded stream has none to wait for.
  while (m_purpose != Purpose::forward && !is_closed_by_peer()) {
    co_await session().wait_for_change();
    check_open();
  }
  co_return exit_status();
}

Async<void> Ssh2Channel::close() {
  abandon();
  co_return;
}

void Ssh2Channel::abandon() noexcept {
  if (m_is_released) return;
  m_is_released = true;
  session().release_channel(m_opened);
  session().wake_all();
}

namespace {

class ChannelStream final : public ByteStream {
 public:
  ChannelStream(std::unique_ptr<Ssh2Channel> channel, std::shared_ptr<Connection> below, int descriptor)
      : m_below(std::move(below)), m_channel(std::move(channel)), m_descriptor(descriptor) {}

  Async<std::size_t> read_some(char* data, std::size_t size) override {
    while (m_left.empty()) {
      Chunk chunk = co_await m_channel->read();
      if (chunk.stream == Chunk::Stream::end) co_return 0;
      if (chunk.stream == Chunk::Stream::output) m_left = std::move(chunk.data);
    }
    const std::size_t count = std::min(size, m_left.size());
    std::memcpy(data, m_left.data(), count);
    m_left.erase(0, count);
    co_return count;
  }
  Async<void> write(std::string_view data) override { co_await m_channel->write(data); }
  void close() noexcept override { m_channel->abandon(); }
  [[nodiscard]] int descriptor() const override { return m_descriptor; }

 private:
  std::shared_ptr<Connection> m_below;
  std::unique_ptr<Ssh2Channel> m_channel;
  int m_descriptor;
  std::string m_left;
};

}  // namespace

std::unique_ptr<ByteStream> make_channel_stream(std::unique_ptr<Ssh2Channel> channel,
                                                std::shared_ptr<Connection> below, int descriptor) {
  return std::make_unique<ChannelStream>(std::move(channel), std::move(below), descriptor);
}

}  // namespace re::transport
