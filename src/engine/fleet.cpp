#include "re/engine/fleet.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>

#include "re/sys/deadline.hpp"

namespace re::engine {

namespace asio = boost::asio;

Async<std::shared_ptr<remote::Host>> Fleet::host(const Place& place) {
  const auto known = m_hosts.find(place.key);
  if (known != m_hosts.end()) co_return known->second;
  std::unique_ptr<transport::Connection> connection;
  std::optional<Error> failure;
  try {
    const auto reuse = m_broken.contains(place.key) ? transport::Reuse::none : transport::Reuse::allowed;
    connection = co_await transport::connect(place.target, m_context, reuse);
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) throw failure->within("cannot reach " + place.label);
  auto host = std::make_shared<remote::Host>(std::move(connection), place.label);
  m_hosts[place.key] = host;
  m_broken.erase(place.key);
  co_return host;
}

void Fleet::forget(const Place& place) {
  m_hosts.erase(place.key);
  m_broken.insert(place.key);
}

Async<void> Fleet::close() {
  while (!m_hosts.empty()) {
    const auto host = m_hosts.begin()->second;
    m_hosts.erase(m_hosts.begin());
    co_await host->connection().close();
  }
}

namespace {

Error to_error(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error;
  } catch (const std::exception& error) {
    return {ErrorKind::io, error.what()};
  }
}

// Counts the places that are still at work, and wakes the one who waits for them.
struct Barrier {
  Barrier(const asio::any_io_executor& executor, std::size_t count) : changed(executor), open(count) {
    changed.expires_at(asio::steady_timer::time_point::max());
  }
  asio::steady_timer changed;
  std::size_t open;
  std::vector<std::optional<Error>> errors;
};

}  // namespace

Async<bool> may_be_repeated(const Error& failure) {
  const bool is_lost = failure.kind() == ErrorKind::unreachable || failure.kind() == ErrorKind::timeout;
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  const bool is_wanted = state.cancelled() == boost::asio::cancellation_type::none;
  const bool is_worth_it = is_lost && is_wanted;
  co_return is_worth_it;
}

Async<std::vector<std::optional<Error>>> on_each(
    Fleet& fleet, const std::vector<Place>& places, std::chrono::milliseconds deadline,
    std::function<Async<void>(std::size_t, remote::Host&)> work) {
  const auto executor = co_await asio::this_coro::executor;
  const auto barrier = std::make_shared<Barrier>(executor, places.size());
  barrier->errors.resize(places.size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::function<Async<void>()> task = [&fleet, &work, &place = places[i], i]() -> Async<void> {
      const auto host = co_await fleet.host(place);
      co_await work(i, *host);
    };
    asio::co_spawn(executor, sys::with_deadline(deadline, places[i].label, std::move(task)),
                   [barrier, i](const std::exception_ptr& failure) {
                     if (failure) barrier->errors[i] = to_error(failure);
                     if (--barrier->open == 0) barrier->changed.cancel();
                   });
  }
  while (barrier->open > 0) {
    boost::system::error_code ignored;
    co_await barrier->changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return std::move(barrier->errors);
}

}  // namespace re::engine
