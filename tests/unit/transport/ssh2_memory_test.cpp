// What the pages of a session cost, and what is in them.
#include "transport/ssh2_memory.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace re::transport {
namespace {

constexpr std::size_t k_session = 55'000;  // about what libssh2 1.10 asks for

std::size_t resident_pages(const char* data, std::size_t size) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  const auto offset = reinterpret_cast<std::uintptr_t>(data) % page;
  std::vector<unsigned char> pages((offset + size + page - 1) / page);
  EXPECT_EQ(::mincore(const_cast<char*>(data) - offset, offset + size, pages.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(pages.begin(), pages.end(), [](unsigned char flags) { return (flags & 1U) != 0; }));
}

TEST(Ssh2MemoryTest, pages_of_zeros_take_no_memory_and_the_others_stay_what_they_are) {
  Ssh2Memory memory;
  auto* const data = static_cast<char*>(memory.allocate(k_session));
  ASSERT_NE(data, nullptr);
  std::memset(data, 0, k_session);
  data[k_session / 2] = 'x';
  data[k_session - 1] = 'y';
  const std::size_t before = resident_pages(data, k_session);
  memory.give_back_zeros();
  const std::size_t after = resident_pages(data, k_session);
  EXPECT_LE(after, 3U);  // of the two letters, and of the block's own head
  EXPECT_GT(before, after);
  EXPECT_EQ(data[k_session / 2], 'x');
  EXPECT_EQ(data[k_session - 1], 'y');
  EXPECT_EQ(std::count(data, data + k_session, '\0'), static_cast<std::ptrdiff_t>(k_session - 2));
  std::memset(data, 'z', k_session);
  EXPECT_EQ(std::count(data, data + k_session, 'z'), static_cast<std::ptrdiff_t>(k_session));
  memory.release(data);
}

TEST(Ssh2MemoryTest, a_small_block_may_grow_to_a_large_one) {
  Ssh2Memory memory;
  void* const small = memory.allocate(5);
  std::memcpy(small, "hello", 5);
  auto* const grown = static_cast<char*>(memory.reallocate(small, k_session));
  EXPECT_EQ(std::string_view(grown, 5), "hello");
  grown[k_session - 1] = 'x';  // what is not released goes with the memory
}

}  // namespace
}  // namespace re::transport
