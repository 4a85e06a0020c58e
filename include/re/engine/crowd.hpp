// The same work for many, at the same time and in one thread: one's failure is a value beside the others'
// results.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "re/base/error.hpp"
#include "re/sys/async.hpp"

namespace re::engine {

/// The i-th entry is the error of the i-th, or nothing.
using Failures = std::vector<std::optional<Error>>;

class Crowd {
 public:
  using Work = std::function<Async<void>(std::size_t)>;
  /// Called as soon as one has ended, before the others have.
  using Settled = std::function<void(std::size_t, const std::optional<Error>&)>;

  explicit Crowd(std::size_t size);
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  /// Does `work` for 0 … size-1 and returns when the last has ended. Cancelling the caller cancels them all,
  /// waits for them, and throws. To be called once.
  Async<Failures> run(Work work, Settled settled = {});
  /// Cancels one of them: unless it ends otherwise it fails with Error (interrupted). Nothing if it has ended
  /// or run() was not called.
  void cancel(std::size_t i);

 private:
  struct State;
  std::shared_ptr<State> m_state;
};

}  // namespace re::engine
