// A limit on how long a coroutine may take.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "re/sys/async.hpp"

namespace re::sys {

/// Runs `task`; when it has not ended after `limit` it is cancelled (Asio's total cancellation) and Error
/// (timeout)
/// "<what> took longer than <limit>" is thrown. The task's own error passes through.
Async<void> with_deadline(std::chrono::milliseconds limit, std::string what,
                          std::function<Async<void>()> task);

}  // namespace re::sys
