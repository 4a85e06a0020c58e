#include "remote/background.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace re::remote {

namespace asio = boost::asio;

struct Background::State {
  explicit State(const asio::any_io_executor& executor) : ended(executor) {
    ended.expires_at(asio::steady_timer::time_point::max());
  }
  asio::steady_timer ended;  // expires when the task has ended: wakes the waiter
  asio::cancellation_signal stop;
  std::exception_ptr failure;
  bool has_ended = false;
};

Background::Background(const asio::any_io_executor& executor, Async<void> task)
    : m_state(std::make_shared<State>(executor)) {
  asio::co_spawn(
      executor, std::move(task),
      asio::bind_cancellation_slot(m_state->stop.slot(), [state = m_state](std::exception_ptr failure) {
        state->failure = std::move(failure);
        state->has_ended = true;
        state->ended.expires_at(asio::steady_timer::time_point::min());
      }));
}

Background::~Background() = default;

void Background::cancel() {
  if (!m_state->has_ended) m_state->stop.emit(asio::cancellation_type::all);
}

Async<void> Background::join() {
  const auto state = m_state;
  while (!state->has_ended) {
    try {
      co_await state->ended.async_wait(asio::use_awaitable);
    } catch (const boost::system::system_error&) {
      if (!state->has_ended) throw;  // it was the wait that was cancelled
    }
  }
}

std::exception_ptr Background::failure() const {
  return m_state->failure;
}

Async<void> wait_readable(asio::posix::stream_descriptor& descriptor) {
  // The first await of a coroutine is where clang's analyzer sees a null pointer in Asio's frame: it is spent
  // here.
  co_await asio::this_coro::throw_if_cancelled();
  co_await descriptor.async_wait(asio::posix::stream_descriptor::wait_read, asio::use_awaitable);
}

}  // namespace re::remote
