#include "cli/terminal_session.hpp"

#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "cli/escape.hpp"
#include "cli/input_pump.hpp"
#include "re/sys/child.hpp"
#include "re/sys/paths.hpp"
#include "re/sys/terminal.hpp"

namespace re::cli {

namespace {

namespace asio = boost::asio;
using transport::Channel;
using transport::Chunk;

constexpr std::string_view k_escape_help =
    "\r\nSupported escape sequences:\r\n"
    " ~.   - leave, and end the session\r\n"
    " ~?   - this message\r\n"
    " ~~   - send the escape character by typing it twice\r\n"
    "(Note that escapes are only recognized immediately after newline.)\r\n";

// Shared with what may end after the session: the input's pump and window changes on their way.
struct Joined {
  Joined(IoContext& io, std::unique_ptr<Channel> its_channel, sys::WindowSize its_size)
      : channel(std::move(its_channel)), window(io, SIGWINCH), size(its_size) {}
  std::unique_ptr<Channel> channel;
  asio::signal_set window;
  sys::WindowSize size;  // what the other end knows
  EscapeFilter escapes;
  bool has_left = false;
};
using JoinedPtr = std::shared_ptr<Joined>;

Async<void> type(JoinedPtr joined, std::string_view keys, ui::Console& console) {
  const auto typed = joined->escapes.take(keys);
  if (!typed.text.empty()) co_await joined->channel->write(typed.text);
  if (typed.wish == EscapeFilter::Wish::help) console.out(k_escape_help);
  if (typed.wish != EscapeFilter::Wish::leave) co_return;
  joined->has_left = true;
  co_await joined->channel->close();  // which ends the reading
}

Async<void> end_input(JoinedPtr joined) {
  co_await joined->channel->close_input();
}

Async<void> tell_size(JoinedPtr joined) {
  const auto size = sys::window_size(STDIN_FILENO);
  if (!size || *size == joined->size) co_return;
  joined->size = *size;
  co_await joined->channel->resize(*size);
}

void follow_window(const JoinedPtr& joined, IoContext& io) {
  asio::co_spawn(io, tell_size(joined), asio::detached);
  joined->window.async_wait([joined, &io](const boost::system::error_code& error, int) {
    if (!error) follow_window(joined, io);
  });
}

// As it is: what runs there draws on this terminal, as with ssh.
Async<void> print_all(Channel& channel, ui::Console& console) {
  for (;;) {
    const Chunk chunk = co_await channel.read();
    if (chunk.stream == Chunk::Stream::end) co_return;
    chunk.stream == Chunk::Stream::output ? console.out(chunk.data) : console.err(chunk.data);
  }
}

}  // namespace

bool has_terminal() {
  return sys::is_terminal(STDIN_FILENO) && sys::is_terminal(STDOUT_FILENO);
}

transport::PtyRequest terminal_request() {
  return {sys::process_environment()("TERM").value_or("xterm"),
          sys::window_size(STDIN_FILENO).value_or(sys::WindowSize{})};
}

Async<sys::ExitStatus> join_terminal(Context& context, std::unique_ptr<Channel> channel, sys::WindowSize size,
                                     std::string label) {
  const auto joined = std::make_shared<Joined>(context.io(), std::move(channel), size);
  std::exception_ptr failure;
  std::optional<sys::ExitStatus> status;
  try {
    const sys::RawMode raw(STDIN_FILENO);
    follow_window(joined, context.io());
    ui::Console& console = context.console();
    const InputPump input(
        context.io(), [joined, &console](std::string_view keys) { return type(joined, keys, console); },
        [joined] { return end_input(joined); });
    co_await print_all(*joined->channel, console);
    status = co_await joined->channel->wait();
  } catch (...) {
    failure = std::current_exception();
  }
  joined->window.cancel();
  if (joined->has_left) throw Error(ErrorKind::unreachable, "you left the connection to " + label);
  if (failure) std::rethrow_exception(failure);
  co_return *status;
}

}  // namespace re::cli
