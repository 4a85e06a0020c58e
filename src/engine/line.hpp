// The connection to a place that has to be there for long: made anew whenever it is found broken.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <optional>

#include "re/base/progress.hpp"
#include "re/engine/fleet.hpp"

namespace re::engine {

class Line : public std::enable_shared_from_this<Line> {
 public:
  /// \param fleet and progress are used until stop()
  Line(const boost::asio::any_io_executor& executor, Fleet& fleet, Place place, Progress& progress);

  using HostPtr = std::shared_ptr<remote::Host>;
  /// The first connect. Throws as Fleet::host does.
  Async<void> connect();
  /// The connected host; waits while there is none. Throws Error (interrupted) after stop().
  Async<HostPtr> host();
  /// It was found broken. Says so, and begins to connect again, unless that is under way or done.
  void lost(const HostPtr& host, const Error& failure);
  /// Until connecting again has become pointless (another host key, a refused login), which it throws.
  Async<void> watch();
  void stop();
  [[nodiscard]] bool is_stopped() const { return m_is_stopped; }
  [[nodiscard]] const Place& place() const { return m_place; }

 private:
  static Async<void> restore(std::shared_ptr<Line> self);
  Async<std::optional<Error>> try_again();

  Fleet& m_fleet;
  Place m_place;
  Progress& m_progress;
  HostPtr m_host;
  std::optional<Error> m_failure;
  bool m_is_stopped = false;
  boost::asio::cancellation_signal m_stop;
  boost::asio::steady_timer m_changed;  ///< cancelled when something has
};

}  // namespace re::engine
