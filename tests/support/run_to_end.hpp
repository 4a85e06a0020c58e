// A coroutine in a test, which waits for it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "re/sys/async.hpp"

namespace re {

/// Runs `io` until nothing is left to do; gives the task's result, or throws what it threw.
template <class T>
T run_to_end(boost::asio::io_context& io, Async<T> task) {
  auto result = boost::asio::co_spawn(io, std::move(task), boost::asio::use_future);
  io.restart();
  io.run();
  return result.get();
}

}  // namespace re
