#include "transport/master_ready.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace re::transport {

namespace {

namespace asio = boost::asio;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

// Commands typed one after the other find one ready; a host that is left alone, or asked once, keeps no
// process of ours.
constexpr auto k_longest_wait = 60s;
// Calls that follow each other so closely are a script's: while one takes a process, the next is being
// started.
constexpr auto k_haste = 2s;
// The call that has just taken one comes first: to start a shell is work for the host's processors, and what
// the shell makes ahead is for the call after this one.
constexpr auto k_look = 10ms;
constexpr auto k_longest_rest = 1s;

}  // namespace

Async<std::shared_ptr<Exchange>> ReadyProcesses::take(ExecRequest request) {
  while (is_kind_of(request) && !m_has_ended) {
    while (!m_ready.empty()) {
      const Ready ready = std::move(m_ready.front());
      m_ready.pop_front();  // the oldest: what nobody takes would stand in for a new one
      if (ready.exchange->has_ended()) continue;
      if (ready.preamble == request.preamble) ready.exchange->set_preamble_given();
      co_return ready.exchange;
    }
    if (m_starting == 0) break;
    ++m_takers;
    const std::shared_ptr<void> leave(nullptr, [this](void*) { --m_takers; });
    boost::system::error_code ignored;
    co_await m_changed.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  co_return nullptr;
}

bool ReadyProcesses::is_kind_of(const ExecRequest& request) const {
  return !request.preamble.empty() && request.command == m_request.command && request.pty == m_request.pty;
}

std::size_t ReadyProcesses::wanted() {
  const auto pause = steady_clock::now() - std::exchange(m_asked_at, steady_clock::now());
  if (pause < k_haste) return 2;
  return pause < k_longest_wait ? 1 : 0;
}

Async<void> ReadyProcesses::prepare(ExecRequest request, std::shared_ptr<const Exchange> served,
                                    Doubt doubt) {
  if (request.preamble.empty() || m_has_ended) co_return;
  const auto self = shared_from_this();
  const std::size_t count = wanted();
  if (!is_kind_of(request) || doubt == Doubt::yes) {
    while (!m_ready.empty()) co_await give_up_one();
  }
  m_request = {request.command, request.pty};
  if (doubt == Doubt::yes)
    co_await start_one(request, nullptr);  // what is being started since long is no answer
  while (m_ready.size() + m_starting < count) co_await start_one(request, served);
}

// Ends where somebody waits for a process.
Async<void> ReadyProcesses::rest(std::shared_ptr<const Exchange> served) {
  const auto begun_at = steady_clock::now();
  asio::steady_timer timer(m_executor);
  do {
    timer.expires_after(k_look);
    co_await timer.async_wait(asio::use_awaitable);
    const bool is_settled = served == nullptr || served->has_ended();
    if (is_settled || m_takers > 0 || m_has_ended) co_return;
  } while (steady_clock::now() - begun_at < k_longest_rest);
}

Async<void> ReadyProcesses::start_one(ExecRequest request, std::shared_ptr<const Exchange> served) {
  const auto self = shared_from_this();
  ++m_starting;
  const std::shared_ptr<void> leave(nullptr, [self](void*) {
    --self->m_starting;
    self->m_changed.cancel();
  });
  co_await rest(std::move(served));
  if (m_has_ended) co_return;
  auto channel = co_await m_link->connection().exec(request);
  co_await channel->write(request.preamble);
  m_link->heard_at = steady_clock::now();
  auto exchange = Exchange::begin(m_executor, m_link, std::move(channel), Exchange::Streams::with_error);
  if (m_has_ended || !is_kind_of(request)) {
    co_await exchange->close();
  } else {
    m_ready.push_back({std::move(exchange), std::move(request.preamble), steady_clock::now()});
  }
}

Async<bool> ReadyProcesses::give_up_one() {
  if (m_ready.empty()) co_return false;
  const auto exchange = std::move(m_ready.front().exchange);
  m_ready.pop_front();
  co_await exchange->close();
  co_return true;
}

Async<void> ReadyProcesses::end(Which which) {
  const auto self = shared_from_this();
  if (which == Which::all) m_has_ended = true;
  const auto latest = steady_clock::now() - (which == Which::all ? 0s : k_longest_wait);
  while (!m_ready.empty() && m_ready.front().since <= latest) co_await give_up_one();
  m_changed.cancel();
}

}  // namespace re::transport
