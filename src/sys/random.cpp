#include "re/sys/random.hpp"

#include <sys/random.h>
#include <time.h>

#include <array>
#include <cerrno>
#include <vector>

#include "re/base/encoding.hpp"
#include "re/base/error.hpp"

namespace re::sys {

void fill_random(std::span<unsigned char> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
    if (got > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(got));
    } else if (errno != EINTR) {
      throw errno_error("read random bytes", errno);
    }
  }
}

std::string random_hex(std::size_t bytes) {
  std::vector<unsigned char> random(bytes);
  fill_random(random);
  return to_hex(std::string(random.begin(), random.end()));
}

JobId make_job_id(std::chrono::system_clock::time_point moment) {
  std::array<unsigned char, JobId::k_random_bytes> random{};
  fill_random(random);
  return JobId::make(moment, random);
}

JobId make_job_id(const Clock& clock) {
  return make_job_id(clock.now());
}

std::chrono::system_clock::time_point SystemClock::now() const {
  return std::chrono::system_clock::now();
}

std::chrono::seconds uptime() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec);
}

}  // namespace re::sys
