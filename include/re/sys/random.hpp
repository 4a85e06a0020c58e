#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "re/base/clock.hpp"
#include "re/base/job_id.hpp"

namespace re::sys {

/// From getrandom(2).
void fill_random(std::span<unsigned char> bytes);
/// So many random bytes as hexadecimal digits: nonces, tokens, delimiters.
std::string random_hex(std::size_t bytes);
/// A new job id of a moment.
JobId make_job_id(std::chrono::system_clock::time_point moment);
JobId make_job_id(const Clock& clock);

class SystemClock final : public Clock {
 public:
  [[nodiscard]] std::chrono::system_clock::time_point now() const override;
};

/// How long this machine has been up, the time that it slept included (CLOCK_BOOTTIME).
std::chrono::seconds uptime();

}  // namespace re::sys
