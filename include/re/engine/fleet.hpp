// Places to run and the connections to them: one connection a place, many places at once, one thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "re/base/error.hpp"
#include "re/engine/crowd.hpp"
#include "re/remote/host.hpp"
#include "re/transport/target.hpp"

namespace re::engine {

/// An instance, ready to connect to.
struct Place {
  std::string label;  ///< for messages and tables: the instance's name or destination
  std::string key;    ///< names the place in the registry: "user@host:port", or "local"
  transport::Target target;
  std::string
      remote_home;  ///< where projects lie: relative to the home directory there, or absolute; ends in '/'
  std::string python = {};  ///< as JobSpec::python
};

struct OnEach;

/// Connects at most so many hosts at the same time, and one at a time to the same address: what a server
/// would take for a flood (sshd's MaxStartups), and what our memory and descriptors allow.
class Fleet {
 public:
  /// What `context` refers to outlives this.
  explicit Fleet(const transport::ConnectContext& context);
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  /// The connected host, from this fleet's earlier connection where it still lives. Throws as
  /// transport::connect does, within "cannot reach <label>".
  Async<std::shared_ptr<remote::Host>> host(const Place& place);
  /// The same within `limit`, which begins when it is this place's turn to connect.
  Async<std::shared_ptr<remote::Host>> host_within(const Place& place, std::chrono::milliseconds limit);
  /// Sees to it that so many places may be connected at the same time, as far as descriptors go.
  void make_room(std::size_t places);
  /// Drops a connection that was found broken: the next host() makes a new one.
  void forget(const Place& place);
  /// Closes the connection to a place, if there is one. Never throws.
  Async<void> leave(const Place& place);
  /// Closes every connection. Never throws.
  Async<void> close();

 private:
  friend Async<Failures> on_each(Fleet& fleet, const std::vector<Place>& places, OnEach request);
  struct Parts;
  Async<std::shared_ptr<remote::Host>> connect(const Place& place);

  std::unique_ptr<Parts> m_parts;
};

/// Whether what failed may go well over a new connection, and nobody has asked the calling coroutine to stop.
Async<bool> may_be_repeated(const Error& failure);

struct OnEach {
  std::chrono::milliseconds deadline{0};  ///< for each place, from its turn to connect on
  std::function<Async<void>(std::size_t, remote::Host&)> work;
  Crowd::Settled settled = {};
};

/// Does the work on many places at the same time; what comes of places[i] is the i-th failure. One that takes
/// more than some seconds does not keep the others waiting. Of a large fleet each connection is closed when
/// its work is done, so that memory and descriptors suffice for any.
Async<Failures> on_each(Fleet& fleet, const std::vector<Place>& places, OnEach request);

}  // namespace re::engine
