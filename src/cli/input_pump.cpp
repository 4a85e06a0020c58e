#include "cli/input_pump.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "re/base/error.hpp"

namespace re::cli {

namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

// Readiness of descriptor 0 through an epoll descriptor: Asio would set O_NONBLOCK on what it waits for
// itself. A regular file cannot be waited for; it is always ready.
class InputReadiness {
 public:
  explicit InputReadiness(const boost::asio::any_io_executor& executor)
      : m_epoll(executor, ::epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event event{};
    event.events = EPOLLIN;
    m_can_wait = ::epoll_ctl(m_epoll.native_handle(), EPOLL_CTL_ADD, STDIN_FILENO, &event) == 0;
  }
  // Asio may wake us for nothing, and the read that follows blocks.
  Async<void> wait() {
    if (!m_can_wait) co_return;
    do {
      co_await m_epoll.async_wait(Descriptor::wait_read, boost::asio::use_awaitable);
    } while (!is_ready());
  }

 private:
  [[nodiscard]] static bool is_ready() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ::poll(&input, 1, 0) == 1;
  }

  Descriptor m_epoll;
  bool m_can_wait = false;
};

Async<void> pump(InputPump::Write write, InputPump::Close close) {
  InputReadiness input(co_await boost::asio::this_coro::executor);
  std::array<char, std::size_t{32} << 10U> buffer{};
  for (;;) {
    co_await input.wait();
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;  // an input that cannot be read (closed, or a terminal in the background) has ended
    const std::string_view data(buffer.data(), static_cast<std::size_t>(got));
    co_await write(data);
  }
  co_await close();
}

}  // namespace

// The pump may end after us: its end keeps what cancels it.
InputPump::InputPump(IoContext& io, Write write, Close close)
    : m_stop(std::make_shared<boost::asio::cancellation_signal>()) {
  boost::asio::co_spawn(
      io, pump(std::move(write), std::move(close)),
      boost::asio::bind_cancellation_slot(m_stop->slot(), [stop = m_stop](const std::exception_ptr&) {}));
}

InputPump::~InputPump() {
  m_stop->emit(boost::asio::cancellation_type::all);
}

}  // namespace re::cli
