// Time comes in through constructors, so that a test can set it.
#pragma once

#include <chrono>

namespace re {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall time, for what is written down.
  [[nodiscard]] virtual std::chrono::system_clock::time_point now() const = 0;
};

}  // namespace re
