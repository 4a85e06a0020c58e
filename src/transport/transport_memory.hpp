// Which hosts the libssh2 transport cannot serve, remembered between runs: a text file, one "<key> openssh
// <epoch seconds>" a line. It is a cache: when it cannot be read or written, connecting costs one attempt
// more.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "re/base/clock.hpp"
#include "re/transport/target.hpp"

namespace re::transport {

class TransportMemory {
 public:
  /// How long an entry counts: the server or libssh2 may have been renewed since.
  static constexpr std::chrono::days k_lifetime{30};

  TransportMemory(std::filesystem::path file, const Clock& clock) : m_file(std::move(file)), m_clock(clock) {}

  /// Never throws; blocking, short.
  [[nodiscard]] bool needs_openssh(const Target& target) const noexcept;
  /// Never throws. Safe against other processes.
  void remember_openssh(const Target& target) const noexcept;

 private:
  std::filesystem::path m_file;
  const Clock& m_clock;
};

}  // namespace re::transport
