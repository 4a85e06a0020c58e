// Our standard input on its way to a remote process.
#pragma once

#include <functional>
#include <string_view>

#include "re/sys/async.hpp"

namespace re::cli {

/// Reads descriptor 0 to its end and passes everything to `write`, then calls `close`. The descriptor keeps
/// its mode: it is shared with the shell that started us, and must not become non-blocking. Runs until the
/// end of input or cancellation.
Async<void> pump_input(std::function<Async<void>(std::string_view)> write,
                       std::function<Async<void>()> close);

}  // namespace re::cli
