#include "re/sys/failpoint.hpp"

#ifdef RE_FAILPOINTS
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <map>
#include <string>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"

namespace re::sys {

void failpoint(const char* step) {
  const char* fault = std::getenv("RE_FAULT");
  if (fault == nullptr) return;
  const auto parts = split(fault, ':');
  if (parts.size() != 3 || parts[0] != step) return;
  static int passages = 0;
  if (++passages != parse_number<int>(parts[1]).value_or(1)) return;
  if (parts[2] == "kill") ::raise(SIGKILL);
  if (parts[2] == "hang") {
    for (;;) ::pause();
  }
  if (parts[2] == "interrupt") {
    ::raise(SIGINT);
    return;
  }
  throw errno_error("pass failpoint " + std::string(step), parts[2] == "enospc" ? ENOSPC : EIO);
}

}  // namespace re::sys
#endif
