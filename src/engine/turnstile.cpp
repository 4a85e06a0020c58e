#include "engine/turnstile.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <set>
#include <utility>

namespace re::engine {

namespace asio = boost::asio;

struct Turnstile::Inside {
  struct Waiter {
    Waiter(const asio::any_io_executor& executor, std::string waits_for)
        : admitted(executor, asio::steady_timer::time_point::max()), kind(std::move(waits_for)) {}
    asio::steady_timer admitted;
    std::string kind;
    bool is_admitted = false;
  };

  explicit Inside(std::size_t limit) : width(limit) {}

  [[nodiscard]] bool may_enter(const std::string& kind) const {
    return count < width && (kind.empty() || !kinds.contains(kind));
  }
  void enter(const std::string& kind) {
    ++count;
    if (!kind.empty()) kinds.insert(kind);
  }
  void leave(const std::string& kind) {
    --count;
    kinds.erase(kind);
    const auto next = std::find_if(waiting.begin(), waiting.end(),
                                   [this](const auto& waiter) { return may_enter(waiter->kind); });
    if (next == waiting.end()) return;
    const auto waiter = std::move(*next);
    waiting.erase(next);
    enter(waiter->kind);
    waiter->is_admitted = true;
    waiter->admitted.cancel();
  }

  std::size_t width;
  std::size_t count = 0;
  std::set<std::string> kinds;
  std::list<std::shared_ptr<Waiter>> waiting;
};

Turnstile::Turn::Turn() = default;

Turnstile::Turn::Turn(std::shared_ptr<Inside> inside, std::string kind)
    : m_inside(std::move(inside)), m_kind(std::move(kind)) {}

Turnstile::Turn::Turn(Turn&& other) noexcept
    : m_inside(std::move(other.m_inside)), m_kind(std::move(other.m_kind)) {}

Turnstile::Turn& Turnstile::Turn::operator=(Turn&& other) noexcept {
  if (this == &other) return *this;
  leave();
  m_inside = std::move(other.m_inside);
  m_kind = std::move(other.m_kind);
  return *this;
}

Turnstile::Turn::~Turn() {
  leave();
}

void Turnstile::Turn::leave() noexcept {
  if (const auto inside = std::exchange(m_inside, nullptr)) inside->leave(m_kind);
}

Turnstile::Turnstile(std::size_t width) : m_inside(std::make_shared<Inside>(width)) {}

Async<Turnstile::Turn> Turnstile::enter(std::string kind) {
  const auto inside = m_inside;
  if (inside->may_enter(kind)) {
    inside->enter(kind);
    co_return Turn(inside, std::move(kind));
  }
  const auto executor = co_await asio::this_coro::executor;
  const auto waiter = std::make_shared<Inside::Waiter>(executor, kind);
  inside->waiting.push_back(waiter);
  boost::system::error_code ignored;
  co_await waiter->admitted.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  if (!waiter->is_admitted) {  // it was our caller that was cancelled
    inside->waiting.remove(waiter);
    throw boost::system::system_error(asio::error::operation_aborted);
  }
  co_return Turn(inside, std::move(kind));
}

}  // namespace re::engine
