#include "engine/line.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "engine/backoff.hpp"

namespace re::engine {

namespace asio = boost::asio;

Line::Line(const asio::any_io_executor& executor, Fleet& fleet, Place place, Progress& progress)
    : m_fleet(fleet),
      m_place(std::move(place)),
      m_progress(progress),
      m_changed(executor, asio::steady_timer::time_point::max()) {}

Async<void> Line::connect() {
  m_host = co_await m_fleet.host(m_place);
}

Async<Line::HostPtr> Line::host() {
  const auto self = shared_from_this();
  while (!m_host && !m_is_stopped) {
    boost::system::error_code ignored;
    co_await m_changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  if (m_is_stopped) throw Error(ErrorKind::interrupted, "the forward has ended");
  co_return m_host;
}

void Line::lost(const HostPtr& host, const Error& failure) {
  if (m_is_stopped || host != m_host) return;
  m_host.reset();
  m_progress.note("lost " + m_place.label + ", connecting again: " + failure.message());
  m_fleet.forget(m_place);
  const auto self = shared_from_this();
  asio::co_spawn(m_changed.get_executor(), restore(self),
                 asio::bind_cancellation_slot(m_stop.slot(), [self](const std::exception_ptr&) {}));
}

// Nothing when it is connected.
Async<std::optional<Error>> Line::try_again() {
  try {
    m_host = co_await m_fleet.host(m_place);
    co_return std::nullopt;
  } catch (const Error& error) {
    co_return error;
  }
}

Async<void> Line::restore(std::shared_ptr<Line> self) {
  for (int attempt = 1; !self->m_is_stopped; ++attempt) {
    auto failure = co_await self->try_again();
    if (self->m_is_stopped) co_return;
    if (!failure) {
      self->m_progress.note(self->m_place.label + " is back");
      break;
    }
    if (failure->kind() != ErrorKind::unreachable && failure->kind() != ErrorKind::timeout) {
      self->m_failure = std::move(failure);
      break;
    }
    self->m_fleet.forget(self->m_place);
    co_await wait_before_retry(attempt);
  }
  self->m_changed.cancel();
}

Async<void> Line::watch() {
  const auto self = shared_from_this();
  while (!m_failure) {
    boost::system::error_code ignored;
    co_await m_changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    if (m_is_stopped) throw Error(ErrorKind::interrupted, "the forward has ended");
  }
  throw Error(*m_failure);
}

void Line::stop() {
  m_is_stopped = true;
  m_stop.emit(asio::cancellation_type::all);
  m_changed.cancel();
}

}  // namespace re::engine
