// A deadline for one Asio operation.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <utility>

namespace re::transport {

/// Cancels what waits on `target` when the time has come, unless it is destroyed before. Keeps the target
/// alive meanwhile.
template <class Target>
class Alarm {
 public:
  Alarm(const boost::asio::any_io_executor& executor, std::chrono::steady_clock::time_point when,
        std::shared_ptr<Target> target)
      : m_timer(executor, when), m_has_rung(std::make_shared<bool>(false)) {
    m_timer.async_wait(
        [target = std::move(target), rang = m_has_rung](const boost::system::error_code& error) {
          if (error) return;
          *rang = true;
          target->cancel();
        });
  }
  [[nodiscard]] bool has_rung() const { return *m_has_rung; }

 private:
  boost::asio::steady_timer m_timer;
  std::shared_ptr<bool> m_has_rung;
};

}  // namespace re::transport
