// Coroutine helpers: one that runs beside its starter, one that waits for a descriptor.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <exception>
#include <memory>

#include "re/sys/async.hpp"

namespace re::remote {

/// The starter must join() before what the task refers to goes; a Background may be destroyed only after that
/// (or together with the io_context).
class Background {
 public:
  /// \param task starts when the io_context next runs
  Background(const boost::asio::any_io_executor& executor, Async<void> task);
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  /// Cancels the task (total); it may go on for a while.
  void cancel();
  /// Waits until the task has ended, however it ended. Cancellable: then the task goes on.
  Async<void> join();
  /// What the task threw, if it has ended by throwing.
  [[nodiscard]] std::exception_ptr failure() const;

 private:
  struct State;
  std::shared_ptr<State> m_state;
};

/// Waits until the descriptor can be read.
Async<void> wait_readable(boost::asio::posix::stream_descriptor& descriptor);

}  // namespace re::remote
