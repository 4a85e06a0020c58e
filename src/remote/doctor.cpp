#include "re/remote/doctor.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <cmath>

#include "re/base/strings.hpp"
#include "remote/scripts.hpp"

namespace re::remote {

namespace {

using Seconds = std::chrono::duration<double>;

constexpr int k_measurements = 3;

// "1700000000.123456789", "1700000000." or "1700000000.%N" (who does not know %N).
void take_clock(Health& health, std::string_view text, Seconds middle) {
  text = trim(text);
  const auto dot = std::min(text.find('.'), text.size());
  const bool has_fraction = text.size() > dot + 1 && text[dot + 1] >= '0' && text[dot + 1] <= '9';
  const auto clock = parse_number<double>(has_fraction ? text : text.substr(0, dot));
  if (!clock) return;
  constexpr double k_half_a_second = 0.5;
  health.skew = *clock + (has_fraction ? 0 : k_half_a_second) - middle.count();
  health.skew_error = Seconds(health.round_trip).count() / 2 + (has_fraction ? 0 : k_half_a_second);
}

Async<void> measure(Host& host, std::chrono::milliseconds deadline, Health& health) {
  for (int i = 0; i < k_measurements; ++i) {
    ScriptCall call{scripts::clock, "re_clock", {}};
    const Seconds wall = std::chrono::system_clock::now().time_since_epoch();
    const auto before = std::chrono::steady_clock::now();
    const Answer answer = co_await host.run(std::move(call), deadline);
    const auto took =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - before);
    health.login_noise = std::max(health.login_noise, answer.noise);
    if (i > 0 && took >= health.round_trip) continue;
    health.round_trip = took;
    take_clock(health, answer.output, wall + Seconds(took) / 2);
  }
}

}  // namespace

Async<Health> examine(Host& host, std::chrono::milliseconds deadline) {
  static const std::string library = std::string(scripts::probe) + std::string(scripts::doctor);
  Health health;
  health.transport = host.connection().info().transport;
  co_await measure(host, deadline, health);
  const auto limit = std::chrono::duration_cast<std::chrono::seconds>(deadline / 3);
  ScriptCall call{library, "re_doctor", {}};
  call.arguments = {std::to_string(std::max<std::int64_t>(1, limit.count()))};
  const Answer answer = co_await host.run(std::move(call), deadline);
  for (const auto line : split_lines(answer.output)) {
    const auto blank = std::min(line.find(' '), line.size());
    auto& value = health.facts[std::string(line.substr(0, blank))];
    if (!value.empty()) value += '\n';
    value += line.substr(std::min(blank + 1, line.size()));
  }
  co_return health;
}

}  // namespace re::remote
