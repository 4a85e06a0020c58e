#include "engine/backoff.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include "re/sys/random.hpp"

namespace re::engine {

Async<void> wait_before_retry(int n) {
  using std::chrono::milliseconds;
  constexpr milliseconds k_first{500};
  constexpr milliseconds k_longest{15'000};
  const milliseconds step = std::min(k_longest, k_first * (1 << std::clamp(n - 1, 0, 10)));
  std::array<unsigned char, 1> random{};
  sys::fill_random(random);
  const milliseconds wait = step * 3 / 4 + step * random[0] / 512;
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, wait);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace re::engine
