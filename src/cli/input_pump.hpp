// Our standard input on its way to a remote process.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <functional>
#include <memory>
#include <string_view>

#include "re/sys/async.hpp"

namespace re::cli {

/// Reads descriptor 0 from construction on, passes everything to `write`, and calls `close` at its end. The
/// descriptor keeps its mode: it is shared with the shell that started us, and must not become non-blocking.
class InputPump {
 public:
  using Write = std::function<Async<void>(std::string_view)>;
  using Close = std::function<Async<void>()>;

  /// Failures of `write` and `close` end the pump in silence: who reads the other direction sees them.
  InputPump(IoContext& io, Write write, Close close);
  /// Cancels what waits; the functions live until that has ended.
  ~InputPump();
  InputPump(const InputPump&) = delete;
  InputPump& operator=(const InputPump&) = delete;

 private:
  std::shared_ptr<boost::asio::cancellation_signal> m_stop;
};

}  // namespace re::cli
