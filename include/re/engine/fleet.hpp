// Places to run and the connections to them: one connection a place, many places at once, one thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "re/base/error.hpp"
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
};

class Fleet {
 public:
  /// What `context` refers to outlives this.
  explicit Fleet(const transport::ConnectContext& context) : m_context(context) {}

  /// The connected host, from this fleet's earlier connection where it still lives. Throws as
  /// transport::connect does, within "cannot reach <label>".
  Async<std::shared_ptr<remote::Host>> host(const Place& place);
  /// Drops a connection that was found broken: the next host() makes a new one.
  void forget(const Place& place);
  /// Closes every connection. Never throws.
  Async<void> close();

 private:
  transport::ConnectContext m_context;
  std::map<std::string, std::shared_ptr<remote::Host>> m_hosts;
  std::set<std::string> m_broken;  ///< keys of places whose last connection was forgotten
};

/// Whether what failed may go well over a new connection, and nobody has asked the calling coroutine to stop.
Async<bool> may_be_repeated(const Error& failure);

/// Does `work` on every place at the same time, each within `deadline` (connecting included). The i-th entry
/// of the result is the error of places[i], or nothing: one host's failure is a value beside the others'
/// results.
Async<std::vector<std::optional<Error>>> on_each(Fleet& fleet, const std::vector<Place>& places,
                                                 std::chrono::milliseconds deadline,
                                                 std::function<Async<void>(std::size_t, remote::Host&)> work);

}  // namespace re::engine
