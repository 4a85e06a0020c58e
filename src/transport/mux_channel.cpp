#include "transport/mux_channel.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "re/base/error.hpp"
#include "re/sys/file.hpp"
#include "transport/channel_streams.hpp"
#include "transport/mux_socket.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;

enum class Purpose { process, terminal_process, forward };

class MuxChannel final : public Channel {
 public:
  MuxChannel(std::shared_ptr<OpensshMaster> master, MuxSocket control, ChannelStreams streams,
             Purpose purpose)
      : m_master(std::move(master)),
        m_control(std::move(control)),
        m_streams(std::move(streams)),
        m_purpose(purpose) {
    if (m_purpose != Purpose::terminal_process) return;
    m_streams.also_watch(m_control.native_handle());
    m_watches_control = true;
  }

  Async<Chunk> read() override {
    require_open();
    for (;;) {
      take_control_messages();
      if (auto chunk = m_streams.read_ready()) co_return std::move(*chunk);
      if (m_streams.have_ended()) break;
      co_await m_streams.wait_readable();
    }
    co_await confirm_end();
    co_return Chunk{};
  }

  Async<void> write(std::string_view data) override {
    require_open();
    if (!m_streams.is_input_open()) co_return;
    const auto sent = co_await m_streams.write(data);
    if (sent == ChannelStreams::Sent::all) co_return;
    // Nobody reads: the process closed its input, or the master is gone.
    co_await require_alive();
  }

  Async<void> close_input() override {
    if (m_purpose != Purpose::terminal_process) {
      m_streams.close_input();
    } else if (m_streams.is_input_open()) {
      const std::string end_of_file(1, '\004');  // a terminal has no other
      co_await m_streams.write(end_of_file);
    }
  }

  Async<void> resize(sys::WindowSize size) override {
    if (m_purpose != Purpose::terminal_process || !m_streams.is_input_open()) co_return;
    const winsize cells{size.rows, size.columns, 0, 0};
    ::ioctl(m_streams.input(), TIOCSWINSZ, &cells);
    const auto master = m_master;  // the channel may be closed and gone meanwhile
    co_await master->announce_resize();
  }

  Async<sys::ExitStatus> wait() override {
    for (;;) {
      const Chunk chunk = co_await read();
      if (chunk.stream == Chunk::Stream::end) break;
    }
    if (m_purpose == Purpose::forward) co_return sys::ExitStatus{0, std::nullopt};
    while (!m_code && !m_control_ended) {
      const auto reply = co_await m_control.receive();
      if (reply) {
        take(*reply);
      } else {
        m_control_ended = true;
      }
    }
    if (m_code) co_return sys::ExitStatus{m_code, std::nullopt};
    co_await require_alive();
    // OpenSSH's multiplexing carries no signals: the process was ended by one.
    throw Error(ErrorKind::unreachable,
                "the process on " + m_master->destination() + " ended without an exit status (by a signal)");
  }

  Async<void> close() override {
    m_is_closed = true;
    m_streams.close();
    m_control.close();
    co_return;
  }

 private:
  void require_open() const {
    if (m_is_closed)
      throw Error(ErrorKind::unreachable, "the channel to " + m_master->destination() + " is closed");
  }

  Async<void> require_alive() {
    const bool is_alive = co_await m_master->is_alive();
    if (!is_alive) throw m_master->lost();
  }

  // The streams end as well when the master does. An exit status is proof enough that it was the process.
  Async<void> confirm_end() {
    take_control_messages();
    if (!m_code) co_await require_alive();
  }

  void take(const mux::Reply& reply) {
    if (reply.type == mux::Type::exit_message) m_code = static_cast<int>(reply.value & 0xffU);
    if (reply.type == mux::Type::tty_alloc_failed) {
      throw Error(ErrorKind::remote, m_master->destination() + " refused a terminal");
    }
  }

  void take_control_messages() {
    while (!m_control_ended) {
      const auto ready = m_control.receive_ready();
      if (ready.reply) take(*ready.reply);
      m_control_ended = ready.ended;
      if (!ready.reply) break;
    }
    // Else it would be readable for ever.
    if (m_control_ended && std::exchange(m_watches_control, false))
      m_streams.stop_watching(m_control.native_handle());
  }

  std::shared_ptr<OpensshMaster> m_master;
  MuxSocket m_control;
  ChannelStreams m_streams;
  Purpose m_purpose;
  bool m_watches_control = false;
  bool m_control_ended = false;
  bool m_is_closed = false;
  std::optional<int> m_code;
};

/// Our ends of a channel's streams, and the master's.
struct Wiring {
  ChannelStreams::Ends ours;
  std::vector<sys::Fd> theirs;

  [[nodiscard]] std::vector<int> to_send() const {
    std::vector<int> descriptors;
    descriptors.reserve(theirs.size());
    for (const auto& fd : theirs) descriptors.push_back(fd.get());
    return descriptors;
  }
};

enum class ErrorStream { none, separate };

// Sockets and not pipes: a write to a stream that nobody reads must not depend on the process's SIGPIPE.
Wiring wire_sockets(ErrorStream error_stream) {
  Wiring wiring;
  for (sys::Fd* end : {&wiring.ours.input, &wiring.ours.output, &wiring.ours.error}) {
    if (end == &wiring.ours.error && error_stream == ErrorStream::none) continue;
    auto [ours, theirs] = sys::make_socket_pair();
    *end = std::move(ours);
    wiring.theirs.push_back(std::move(theirs));
  }
  return wiring;
}

// A pseudo-terminal for the input only. OpenSSH's master (mux.c, clientloop.c) takes the modes, at the
// request, and the size, at any time, from the descriptor it reads: those modes become the remote terminal's,
// so that it must be handed over with its sane default, and can be made raw only when the session is open.
// Output may come before that, and a cooked terminal would turn its "\r\n" into "\r\r\n"; besides, the master
// writes to terminals without O_NONBLOCK, and one that nobody reads would stop all its channels. A socket
// does neither.
Wiring wire_terminal(sys::WindowSize size) {
  Wiring wiring;
  sys::Fd& terminal = wiring.ours.input;
  terminal.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  std::array<char, 64> name{};
  const int fd = terminal.get();
  if (fd < 0 || ::grantpt(fd) != 0 || ::unlockpt(fd) != 0 || ::ptsname_r(fd, name.data(), name.size()) != 0) {
    throw errno_error("open a pseudo-terminal", errno);
  }
  const winsize cells{size.rows, size.columns, 0, 0};
  ::ioctl(fd, TIOCSWINSZ, &cells);
  wiring.theirs.push_back(sys::open_file(name.data(), O_RDWR | O_NOCTTY));
  auto [ours, theirs] = sys::make_socket_pair();
  wiring.ours.output = std::move(ours);
  const int output = theirs.get();
  wiring.theirs.push_back(std::move(theirs));
  wiring.theirs.push_back(sys::duplicate(output));  // the errors' stream: a terminal has one for both
  return wiring;
}

// Input passes as it is from here on. Nothing has been written yet, so that nothing was echoed.
void make_raw(int terminal) {
  termios modes{};
  if (::tcgetattr(terminal, &modes) != 0) throw errno_error("read a terminal's modes", errno);
  ::cfmakeraw(&modes);
  if (::tcsetattr(terminal, TCSANOW, &modes) != 0) throw errno_error("set a terminal's modes", errno);
}

struct Opening {
  std::string message;
  Wiring wiring;
  Purpose purpose;
  std::string what;  // for messages: "a channel"
};

Async<std::unique_ptr<Channel>> open_channel(std::shared_ptr<OpensshMaster> master, Opening opening) {
  const auto path = master->control_path();
  std::optional<MuxSocket> control;
  try {
    control.emplace(co_await MuxSocket::connect(path));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unreachable) throw;
  }
  if (!control) throw master->lost();
  const auto descriptors = opening.wiring.to_send();
  co_await control->send(opening.message, descriptors);
  const auto reply = co_await control->receive();
  if (!reply) throw master->lost();
  if (reply->type != mux::Type::session_opened) {
    throw Error(ErrorKind::remote, master->destination() + " refused " + opening.what + ": " + reply->reason);
  }
  opening.wiring.theirs.clear();
  if (opening.purpose == Purpose::terminal_process) make_raw(opening.wiring.ours.input.get());
  ChannelStreams streams(co_await asio::this_coro::executor, std::move(opening.wiring.ours));
  co_return std::make_unique<MuxChannel>(std::move(master), std::move(*control), std::move(streams),
                                         opening.purpose);
}

}  // namespace

Async<std::unique_ptr<Channel>> open_mux_session(std::shared_ptr<OpensshMaster> master, ExecRequest request) {
  mux::SessionRequest session;
  session.command = std::move(request.command);
  session.wants_tty = request.pty.has_value();
  if (request.pty) session.term = request.pty->term;
  Opening opening;
  opening.message = mux::new_session(session);
  opening.wiring = request.pty ? wire_terminal(request.pty->size) : wire_sockets(ErrorStream::separate);
  opening.purpose = request.pty ? Purpose::terminal_process : Purpose::process;
  opening.what = "a channel";
  co_return co_await open_channel(std::move(master), std::move(opening));
}

Async<std::unique_ptr<Channel>> open_mux_forward(std::shared_ptr<OpensshMaster> master, std::string host,
                                                 unsigned short port) {
  Opening opening;
  opening.message = mux::stdio_forward(host, port);
  opening.wiring = wire_sockets(ErrorStream::none);
  opening.purpose = Purpose::forward;
  opening.what = "a connection to " + host + ":" + std::to_string(port);
  co_return co_await open_channel(std::move(master), std::move(opening));
}

}  // namespace re::transport
