#include "re/engine/fleet.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <limits>
#include <map>
#include <set>

#include "engine/turnstile.hpp"
#include "re/sys/deadline.hpp"
#include "re/sys/fd.hpp"

namespace re::engine {

namespace {

constexpr std::size_t k_visits_at_once = 64;
// So long a visit counts among them: hosts that do not answer, or take long, are not waited for by the
// others.
constexpr std::chrono::seconds k_patience{3};
// Of more places than these the connections are not kept. A connection costs some 40 kB and, through the
// master, five descriptors while it is in use.
constexpr std::size_t k_kept_connections = 128;
constexpr std::size_t k_descriptors_per_place = 8;
constexpr std::size_t k_usual_descriptors = 1024;

// What MaxStartups counts by; nothing for this machine.
std::string address_of(const transport::Target& target) {
  if (target.kind == transport::Kind::local) return {};
  return target.host + ":" + std::to_string(target.port.value_or(0));
}

}  // namespace

struct Fleet::Parts {
  explicit Parts(const transport::ConnectContext& connect_context) : context(connect_context) {}
  transport::ConnectContext context;
  Turnstile addresses{std::numeric_limits<std::size_t>::max()};  // one login at a time to each
  Turnstile visits{k_visits_at_once};
  std::map<std::string, std::shared_ptr<remote::Host>> hosts;
  std::set<std::string> broken;  // keys of places whose last connection was forgotten

  struct Login {
    Turnstile::Turn address;
    Turnstile::Turn visit;
  };
  Async<Login> enter(const Place& place) {
    std::string name = address_of(place.target);
    Login login;
    login.address = co_await addresses.enter(std::move(name));
    std::string any;
    login.visit = co_await visits.enter(std::move(any));
    co_return login;
  }
};

namespace {

// A place among the visits, given up in good time.
class Visit {
 public:
  Visit(const boost::asio::any_io_executor& executor, Turnstile::Turn turn)
      : m_turn(std::make_shared<Turnstile::Turn>(std::move(turn))), m_timer(executor, k_patience) {
    m_timer.async_wait([held = m_turn](const boost::system::error_code& error) {
      if (!error) held->leave();
    });
  }
  ~Visit() { m_turn->leave(); }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

 private:
  std::shared_ptr<Turnstile::Turn> m_turn;
  boost::asio::steady_timer m_timer;
};

}  // namespace

Fleet::Fleet(const transport::ConnectContext& context) : m_parts(std::make_unique<Parts>(context)) {}
Fleet::~Fleet() = default;

Async<std::shared_ptr<remote::Host>> Fleet::connect(const Place& place) {
  const auto known = m_parts->hosts.find(place.key);
  if (known != m_parts->hosts.end()) co_return known->second;
  std::unique_ptr<transport::Connection> connection;
  std::optional<Error> failure;
  try {
    const auto reuse =
        m_parts->broken.contains(place.key) ? transport::Reuse::none : transport::Reuse::allowed;
    connection = co_await transport::connect(place.target, m_parts->context, reuse);
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) throw failure->within("cannot reach " + place.label);
  auto host = std::make_shared<remote::Host>(std::move(connection), place.label);
  m_parts->hosts[place.key] = host;
  m_parts->broken.erase(place.key);
  co_return host;
}

Async<std::shared_ptr<remote::Host>> Fleet::host(const Place& place) {
  const auto known = m_parts->hosts.find(place.key);
  if (known != m_parts->hosts.end()) co_return known->second;
  const auto login = co_await m_parts->enter(place);
  co_return co_await connect(place);
}

Async<std::shared_ptr<remote::Host>> Fleet::host_within(const Place& place, std::chrono::milliseconds limit) {
  auto login = co_await m_parts->enter(place);
  const auto executor = co_await boost::asio::this_coro::executor;
  const Visit visit(executor, std::move(login.visit));
  std::shared_ptr<remote::Host> host;
  std::function<Async<void>()> attempt = [&]() -> Async<void> { host = co_await connect(place); };
  co_await sys::with_deadline(limit, place.label, std::move(attempt));
  co_return host;
}

void Fleet::make_room(std::size_t places) {
  sys::make_room_for_descriptors(k_usual_descriptors + k_descriptors_per_place * places);
}

void Fleet::forget(const Place& place) {
  m_parts->hosts.erase(place.key);
  m_parts->broken.insert(place.key);
}

Async<void> Fleet::leave(const Place& place) {
  const auto known = m_parts->hosts.find(place.key);
  if (known == m_parts->hosts.end()) co_return;
  const auto host = known->second;
  m_parts->hosts.erase(known);
  co_await host->connection().close();
}

Async<void> Fleet::close() {
  while (!m_parts->hosts.empty()) {
    const auto host = m_parts->hosts.begin()->second;
    m_parts->hosts.erase(m_parts->hosts.begin());
    co_await host->connection().close();
  }
}

Async<bool> may_be_repeated(const Error& failure) {
  const bool is_lost = failure.kind() == ErrorKind::unreachable || failure.kind() == ErrorKind::timeout;
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  const bool is_wanted = state.cancelled() == boost::asio::cancellation_type::none;
  const bool is_worth_it = is_lost && is_wanted;
  co_return is_worth_it;
}

Async<Failures> on_each(Fleet& fleet, const std::vector<Place>& places, OnEach request) {
  fleet.make_room(places.size());
  const bool keeps = places.size() <= k_kept_connections;
  Crowd::Work work = [&](std::size_t i) -> Async<void> {
    const auto& place = places[i];
    auto login = co_await fleet.m_parts->enter(place);
    const auto executor = co_await boost::asio::this_coro::executor;
    const Visit visit(executor, std::move(login.visit));
    std::function<Async<void>()> task = [&]() -> Async<void> {
      const auto host = co_await fleet.connect(place);
      login.address.leave();
      co_await request.work(i, *host);
    };
    std::exception_ptr failure;
    try {
      co_await sys::with_deadline(request.deadline, place.label, std::move(task));
    } catch (...) {
      failure = std::current_exception();
    }
    login.address.leave();
    if (!keeps) co_await fleet.leave(place);
    if (failure) std::rethrow_exception(failure);
  };
  Crowd crowd(places.size());
  co_return co_await crowd.run(std::move(work), std::move(request.settled));
}

}  // namespace re::engine
