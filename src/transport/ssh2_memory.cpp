#include "transport/ssh2_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "re/sys/secret.hpp"
#include "transport/ssh2_wire.hpp"

namespace re::transport {

namespace {

// Message numbers: RFC 4250 section 4.1.2.
constexpr std::uint8_t k_userauth_failure = 51;
constexpr std::uint8_t k_userauth_banner = 53;
constexpr std::uint8_t k_channel_open_confirmation = 91;
constexpr std::uint8_t k_channel_open_failure = 92;
constexpr std::uint8_t k_channel_request = 98;

// The session itself, and nothing else, is larger: 55 kB, of which most is room for the largest packets.
constexpr std::size_t k_least_mapped = std::size_t{48} << 10U;

std::size_t page_size() {
  static const auto k_size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return k_size;
}

bool is_zero(const char* page) {
  return page[0] == 0 && std::memcmp(page, page + 1, page_size() - 1) == 0;
}

}  // namespace

// In front of each block that libssh2 gets; keeps malloc's alignment.
struct alignas(std::max_align_t) Ssh2Memory::Block {
  Block* previous;
  Block* next;
  std::size_t size;
  std::size_t mapped;  // bytes from the block's begin on; 0 where it is malloc's
  bool is_banner_taken;

  char* data() { return reinterpret_cast<char*>(this + 1); }
  static Block* of(void* data) { return static_cast<Block*>(data) - 1; }
};

Ssh2Memory::~Ssh2Memory() {
  while (m_first != nullptr) release(m_first->data());
}

void* Ssh2Memory::allocate(std::size_t size) {
  const std::size_t whole = sizeof(Block) + size;
  const std::size_t mapped =
      size < k_least_mapped ? 0 : (whole + page_size() - 1) / page_size() * page_size();
  void* raw = mapped == 0 ? std::malloc(whole)
                          : ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (raw == nullptr || raw == MAP_FAILED) return nullptr;
  auto* block = new (raw) Block{nullptr, m_first, size, mapped, false};
  if (m_first != nullptr) m_first->previous = block;
  m_first = block;
  return block->data();
}

void* Ssh2Memory::reallocate(void* data, std::size_t size) {
  void* grown = allocate(size);
  if (data == nullptr || grown == nullptr) return grown;
  std::memcpy(grown, data, std::min(size, Block::of(data)->size));
  release(data);
  return grown;
}

void Ssh2Memory::release(void* data) noexcept {
  if (data == nullptr) return;
  Block* block = Block::of(data);
  if (block->mapped == 0) inspect(std::string_view(block->data(), block->size));
  (block->previous != nullptr ? block->previous->next : m_first) = block->next;
  if (block->next != nullptr) block->next->previous = block->previous;
  if (block->mapped != 0) {
    ::munmap(block, block->mapped);  // nobody is given these pages before the kernel has wiped them
    return;
  }
  sys::wipe(block->data(), block->size);
  std::free(block);
}

void Ssh2Memory::give_back_zeros() noexcept {
  for (Block* block = m_first; block != nullptr; block = block->next) {
    char* const begin = reinterpret_cast<char*>(block);
    for (std::size_t at = 0; at < block->mapped; at += page_size()) {
      std::size_t end = at;
      while (end < block->mapped && is_zero(begin + end)) end += page_size();
      if (end == at) continue;
      ::madvise(begin + at, end - at, MADV_DONTNEED);  // they read as zeros as before
      at = end;                                        // and this one is not zero
    }
  }
}

void Ssh2Memory::inspect(std::string_view payload) {
  WireReader reader(payload);
  const auto type = reader.byte();
  if (type == k_userauth_failure) {
    const auto methods = reader.text();
    const auto partial = reader.byte();
    if (methods && partial && *partial <= 1)
      m_auth_failure = AuthFailure{std::string(*methods), *partial == 1};
  } else if (type == k_channel_open_confirmation) {
    const auto channel = reader.number();
    if (channel && reader.number()) m_exit_status[m_opened_channel = *channel] = false;
  } else if (type == k_channel_open_failure) {
    reader.number();
    reader.number();
    if (const auto text = reader.text()) m_open_failure = *text;
  } else if (type == k_channel_request) {
    const auto channel = reader.number();
    const auto known = m_exit_status.find(channel.value_or(0));
    if (known != m_exit_status.end() && reader.text() == "exit-status") known->second = true;
  }
}

std::optional<AuthFailure> Ssh2Memory::take_auth_failure() {
  return std::exchange(m_auth_failure, std::nullopt);
}

bool Ssh2Memory::has_exit_status(std::uint32_t channel) const {
  const auto known = m_exit_status.find(channel);
  return known != m_exit_status.end() && known->second;
}

std::string Ssh2Memory::take_open_failure() {
  return std::exchange(m_open_failure, {});
}

std::string Ssh2Memory::take_banners() {
  std::string banners;
  Block* oldest = m_first;
  while (oldest != nullptr && oldest->next != nullptr) oldest = oldest->next;
  for (Block* block = oldest; block != nullptr; block = block->previous) {
    if (block->is_banner_taken || block->size < 1 || block->data()[0] != k_userauth_banner) continue;
    WireReader reader(std::string_view(block->data() + 1, block->size - 1));
    const auto text = reader.text();
    if (!text || !reader.text()) continue;
    block->is_banner_taken = true;
    banners += *text;
  }
  return banners;
}

}  // namespace re::transport
