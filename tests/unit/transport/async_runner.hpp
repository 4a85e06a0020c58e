// Runs coroutines to their end on one thread, as the program does.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>

#include "re/sys/async.hpp"

namespace re::test {

class AsyncRunner {
 public:
  IoContext& io() { return m_io; }

  /// The result of the coroutine function, or what it throws; std::runtime_error after two minutes. The
  /// function may capture by reference: it lives until the coroutine has ended.
  template <class Function>
  auto run(Function function) {
    using Awaitable = std::invoke_result_t<Function&>;
    return finish<typename Awaitable::value_type>(function);
  }

 private:
  template <class Value, class Function>
  Value finish(Function& function) {
    using Stored = std::conditional_t<std::is_void_v<Value>, bool, Value>;
    std::optional<Stored> value;
    std::exception_ptr failure;
    bool has_ended = false;
    const auto body = [&]() -> Async<void> {
      if constexpr (std::is_void_v<Value>) {
        co_await function();
        value = true;
      } else {
        value.emplace(co_await function());
      }
    };
    boost::asio::co_spawn(m_io, body, [&](std::exception_ptr thrown) {
      failure = std::move(thrown);
      has_ended = true;
    });
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
    while (!has_ended && std::chrono::steady_clock::now() < deadline) {
      m_io.restart();
      m_io.run_one_for(std::chrono::seconds(1));
    }
    if (!has_ended) {
      // What is left refers to this frame: it must never run again.
      std::terminate();
    }
    if (failure) std::rethrow_exception(failure);
    if constexpr (!std::is_void_v<Value>) return std::move(*value);
  }

  IoContext m_io;
};

}  // namespace re::test
