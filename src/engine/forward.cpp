#include "re/engine/forward.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <set>

#include "engine/line.hpp"
#include "engine/tunnel.hpp"
#include "re/sys/fd.hpp"

namespace re::engine {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

// A joined connection has up to five here, through the connection master.
constexpr std::size_t k_descriptors = 16'384;
// Without a descriptor left, accept() fails at once, again and again.
constexpr auto k_breath = 100ms;
constexpr int k_attempts = 2;

std::vector<asio::ip::address> addresses_of(IoContext& io, const std::string& bind) {
  const asio::ip::address any4 = asio::ip::address_v4::any();
  const asio::ip::address any6 = asio::ip::address_v6::any();
  const asio::ip::address loopback4 = asio::ip::address_v4::loopback();
  const asio::ip::address loopback6 = asio::ip::address_v6::loopback();
  if (bind.empty() || bind == "localhost") return {loopback4, loopback6};
  if (bind == "*") return {any4, any6};
  tcp::resolver resolver(io);
  boost::system::error_code error;
  const auto found = resolver.resolve(bind, "0", tcp::resolver::passive, error);
  if (error || found.empty())
    throw Error(ErrorKind::usage, "cannot listen on " + bind + ": " + error.message());
  return {found.begin()->endpoint().address()};
}

boost::system::error_code open_listener(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  return error;
}

}  // namespace

class Forwarder::Parts : public std::enable_shared_from_this<Forwarder::Parts> {
 public:
  Parts(Fleet& fleet, Place place, Progress& progress)
      : m_fleet(fleet), m_place(std::move(place)), m_progress(progress) {}

  unsigned short listen(IoContext& io, const ForwardSpec& spec);
  Async<void> serve(std::function<void()> connected);
  void stop();

 private:
  struct Port {
    tcp::acceptor acceptor;
    ForwardSpec spec;
  };
  using Self = std::shared_ptr<Parts>;

  static Async<void> accept(Self self, Port& port);
  static Async<void> carry(Self self, tcp::socket socket, const ForwardSpec& spec);
  Async<std::unique_ptr<transport::Channel>> reach(const ForwardSpec& spec, Line::HostPtr& host);
  void refuse(const ForwardSpec& spec, const Error& error);

  Fleet& m_fleet;
  Place m_place;
  Progress& m_progress;
  std::shared_ptr<Line> m_line;
  std::deque<Port> m_ports;
  std::set<Tunnel*> m_tunnels;
  std::set<std::string> m_refused;  ///< what was said, and has not gone well since
};

// Both loopback addresses get the same port. One of two addresses may be missing on this machine; where it is
// taken by another program, that one would get what is meant for us.
unsigned short Forwarder::Parts::listen(IoContext& io, const ForwardSpec& spec) {
  sys::make_room_for_descriptors(k_descriptors);
  unsigned short port = spec.local_port;
  const auto addresses = addresses_of(io, spec.bind);
  for (const auto& address : addresses) {
    tcp::acceptor acceptor(io);
    const auto error = open_listener(acceptor, tcp::endpoint(address, port));
    const bool is_second = address != addresses.front();
    const bool is_missing = error == asio::error::address_family_not_supported ||
                            error == boost::system::errc::address_not_available;
    if (is_second && is_missing) continue;
    if (error) throw errno_error("listen on " + address_text(address.to_string(), port), error.value());
    port = acceptor.local_endpoint().port();
    m_ports.push_back({std::move(acceptor), spec});
  }
  return port;
}

Async<void> Forwarder::Parts::serve(std::function<void()> connected) {
  const auto executor = co_await asio::this_coro::executor;
  m_line = std::make_shared<Line>(executor, m_fleet, m_place, m_progress);
  co_await m_line->connect();
  connected();
  for (auto& port : m_ports) asio::co_spawn(executor, accept(shared_from_this(), port), asio::detached);
  co_await m_line->watch();
}

Async<void> Forwarder::Parts::accept(Self self, Port& port) {
  const auto executor = co_await asio::this_coro::executor;
  while (port.acceptor.is_open()) {
    boost::system::error_code error;
    tcp::socket socket =
        co_await port.acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (!port.acceptor.is_open()) break;
    if (error) {
      asio::steady_timer breath(executor, k_breath);
      co_await breath.async_wait(asio::use_awaitable);
      continue;
    }
    asio::co_spawn(executor, carry(self, std::move(socket), port.spec), asio::detached);
  }
}

// A stream to where the port leads. A connection that breaks is waited for; but what breaks one after the
// other is at fault itself (a port that never answers).
Async<std::unique_ptr<transport::Channel>> Forwarder::Parts::reach(const ForwardSpec& spec,
                                                                   Line::HostPtr& host) {
  for (int attempt = 1;; ++attempt) {
    host = co_await m_line->host();
    std::optional<Error> failure;
    try {
      std::string there = spec.host;
      co_return co_await host->connection().open_forward(std::move(there), spec.remote_port);
    } catch (const Error& error) {
      failure = error;
    }
    const bool is_lost = failure->kind() == ErrorKind::unreachable || failure->kind() == ErrorKind::timeout;
    if (is_lost) m_line->lost(host, *failure);
    if (!is_lost || attempt == k_attempts) throw *failure;
  }
}

void Forwarder::Parts::refuse(const ForwardSpec& spec, const Error& error) {
  if (m_line->is_stopped()) return;
  const std::string there = address_text(spec.host, spec.remote_port);
  if (m_refused.insert(there).second)
    m_progress.note("no connection to " + there + " on " + m_place.label + ": " + error.message());
}

Async<void> Forwarder::Parts::carry(Self self, tcp::socket socket, const ForwardSpec& spec) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  std::unique_ptr<transport::Channel> channel;
  Line::HostPtr host;
  std::optional<Error> failure;
  try {
    channel = co_await self->reach(spec, host);
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) co_return self->refuse(spec, *failure);
  self->m_refused.erase(address_text(spec.host, spec.remote_port));
  const auto tunnel = std::make_shared<Tunnel>(std::move(socket), std::move(channel));
  if (self->m_line->is_stopped()) co_return;
  self->m_tunnels.insert(tunnel.get());
  const auto broken = co_await tunnel->run();
  self->m_tunnels.erase(tunnel.get());
  if (broken && broken->kind() == ErrorKind::unreachable) self->m_line->lost(host, *broken);
}

void Forwarder::Parts::stop() {
  boost::system::error_code ignored;
  for (auto& port : m_ports) port.acceptor.close(ignored);
  if (m_line) m_line->stop();
  for (Tunnel* const tunnel : std::exchange(m_tunnels, {})) tunnel->abort();
}

Forwarder::Forwarder(Fleet& fleet, Place place, Progress& progress)
    : m_parts(std::make_shared<Parts>(fleet, std::move(place), progress)) {}

Forwarder::~Forwarder() {
  m_parts->stop();
}

unsigned short Forwarder::listen(IoContext& io, const ForwardSpec& spec) {
  return m_parts->listen(io, spec);
}

Async<void> Forwarder::serve(std::function<void()> connected) {
  const auto parts = m_parts;
  const std::shared_ptr<void> end(nullptr, [parts](void*) { parts->stop(); });
  co_await parts->serve(std::move(connected));
}

}  // namespace re::engine
