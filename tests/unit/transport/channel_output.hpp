// All that a channel gives until its end.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <string>

#include "re/transport/connection.hpp"

namespace re::transport {

struct Output {
  std::string output;
  std::string error;
};

inline Async<Output> read_all(Channel& channel) {
  Output all;
  for (;;) {
    const Chunk chunk = co_await channel.read();
    if (chunk.stream == Chunk::Stream::end) co_return all;
    EXPECT_FALSE(chunk.data.empty());
    EXPECT_LE(chunk.data.size(), std::size_t{64} << 10U);
    (chunk.stream == Chunk::Stream::output ? all.output : all.error) += chunk.data;
  }
}

}  // namespace re::transport
