#include "re/sys/deadline.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>

#include "re/base/error.hpp"

namespace re::sys {

namespace {

namespace asio = boost::asio;

struct Race {
  explicit Race(const asio::any_io_executor& executor) : timer(executor), done(executor) {
    done.expires_at(asio::steady_timer::time_point::max());
  }
  asio::steady_timer timer;
  asio::steady_timer done;  // cancelled when the task has ended: wakes the waiter
  asio::cancellation_signal stop;
  std::exception_ptr failure;
  bool has_ended = false;
  bool has_expired = false;
};

std::string describe(std::chrono::milliseconds limit) {
  const auto milliseconds = limit.count();
  if (milliseconds % 1000 == 0) return std::to_string(milliseconds / 1000) + " s";
  return std::to_string(milliseconds) + " ms";
}

}  // namespace

Async<void> with_deadline(std::chrono::milliseconds limit, std::string what,
                          std::function<Async<void>()> task) {
  const auto executor = co_await asio::this_coro::executor;
  const auto race = std::make_shared<Race>(executor);
  race->timer.expires_after(limit);
  race->timer.async_wait([race](const boost::system::error_code& error) {
    if (error || race->has_ended) return;
    race->has_expired = true;
    race->stop.emit(asio::cancellation_type::all);
  });
  asio::co_spawn(executor, std::move(task),
                 asio::bind_cancellation_slot(race->stop.slot(), [race](std::exception_ptr failure) {
                   race->failure = std::move(failure);
                   race->has_ended = true;
                   race->timer.cancel();
                   race->done.cancel();
                 }));
  // Our own cancellation is passed on to the task; the wait goes on until the task has seen it.
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!race->has_ended) {
    boost::system::error_code ignored;
    co_await race->done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none && !race->has_ended) {
      race->stop.emit(asio::cancellation_type::all);
    }
  }
  co_await asio::this_coro::throw_if_cancelled(true);
  if (race->has_expired) throw Error(ErrorKind::timeout, what + " took longer than " + describe(limit));
  if (race->failure) std::rethrow_exception(race->failure);
}

}  // namespace re::sys
