// One command submitted to many places.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "re/engine/submit.hpp"

namespace re::engine {

/// Submits at so many places at the same time as this machine can bear: a submission holds a list of the
/// project's files and may run an rsync of its own.
class FanOut {
 public:
  /// Connecting to a place may take `connect_limit`. What is referred to outlives this.
  FanOut(Fleet& fleet, Submitter& submitter, ProjectFiles& files, std::chrono::milliseconds connect_limit);
  ~FanOut();
  FanOut(const FanOut&) = delete;
  FanOut& operator=(const FanOut&) = delete;

  /// As Submitter::submit(), when its turn has come; `make_request` is called then. The project is read for
  /// the first, and all get what it was then.
  Async<Submitted> submit(Place place, std::function<SubmitRequest()> make_request);

 private:
  struct Parts;
  std::unique_ptr<Parts> m_parts;
};

}  // namespace re::engine
