#pragma once

#include "re/sys/async.hpp"

namespace re::engine {

/// Waits before attempt `n` (from 1): half a second, doubled each time, at most 15 s, with a random quarter
/// more or less, so that many clients of one host do not come back at the same moment.
Async<void> wait_before_retry(int n);

}  // namespace re::engine
