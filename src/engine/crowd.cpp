#include "re/engine/crowd.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <exception>

namespace re::engine {

namespace asio = boost::asio;

namespace {

Error to_error(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error;
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) return {ErrorKind::interrupted, "interrupted"};
    return {ErrorKind::io, error.what()};
  } catch (const std::exception& error) {
    return {ErrorKind::io, error.what()};
  }
}

}  // namespace

struct Crowd::State {
  explicit State(std::size_t size)
      : open(size), stops(size), has_ended(size), is_cancelled(size), failures(size) {}

  void cancel(std::size_t i) {
    if (has_ended[i]) return;
    is_cancelled[i] = true;
    stops[i].emit(asio::cancellation_type::all);
  }

  void end(std::size_t i, const std::exception_ptr& failure) {
    if (failure) failures[i] = to_error(failure);
    // What broke because we stopped it need not say so.
    const bool is_ours = failure && is_cancelled[i] && failures[i]->kind() != ErrorKind::interrupted;
    if (is_ours) failures[i] = Error(ErrorKind::interrupted, "interrupted");
    has_ended[i] = true;
  }

  std::optional<asio::steady_timer> changed;  // cancelled when the last has ended
  std::size_t open;
  std::deque<asio::cancellation_signal> stops;  // neither copied nor moved
  std::vector<bool> has_ended;
  std::vector<bool> is_cancelled;
  Failures failures;
};

Crowd::Crowd(std::size_t size) : m_state(std::make_shared<State>(size)) {}

void Crowd::cancel(std::size_t i) {
  if (m_state->changed) m_state->cancel(i);
}

Async<Failures> Crowd::run(Work work, Settled settled) {
  const auto executor = co_await asio::this_coro::executor;
  const auto state = m_state;
  state->changed.emplace(executor, asio::steady_timer::time_point::max());
  for (std::size_t i = 0; i < state->failures.size(); ++i) {
    const auto end = [state, i, &settled](const std::exception_ptr& failure) {
      state->end(i, failure);
      if (settled) settled(i, state->failures[i]);
      if (--state->open == 0) state->changed->cancel();
    };
    asio::co_spawn(executor, work(i), asio::bind_cancellation_slot(state->stops[i].slot(), end));
  }
  // Our own cancellation is passed on; what was begun refers to `work` and must have ended before we do.
  co_await asio::this_coro::throw_if_cancelled(false);
  bool has_passed_on = false;
  while (state->open > 0) {
    boost::system::error_code ignored;
    co_await state->changed->async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() == asio::cancellation_type::none || has_passed_on) continue;
    has_passed_on = true;
    for (std::size_t i = 0; i < state->failures.size(); ++i) state->cancel(i);
  }
  co_await asio::this_coro::throw_if_cancelled(true);
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none)
    throw Error(ErrorKind::interrupted, "interrupted");
  co_return std::move(state->failures);
}

}  // namespace re::engine
