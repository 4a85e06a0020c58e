// What of a host can be relied on, and what is to be done about the rest.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "re/remote/host.hpp"

namespace re::remote {

/// One thing that was looked at.
struct Finding {
  enum class State {
    ok,
    warning,  ///< works, but not always, not well or not safely
    failed,   ///< jobs, or `re` itself, cannot do without it
    absent,   ///< optional, and not there
  };
  std::string check;  ///< what was looked at, in a word or two
  State state = State::ok;
  std::string detail;  ///< may hold text from the host
  std::string mend;    ///< what to do, in a line; empty: nothing
};
/// "ok", "warning", "failed", "not there".
std::string_view to_string(Finding::State state);

/// What a host said and what was measured on the way.
struct Health {
  /// By the keys of scripts/doctor.sh; the values of a key that came several times are lines. What the host
  /// could not say is not there.
  std::map<std::string, std::string, std::less<>> facts;
  std::string transport;  ///< "ssh2", "openssh", "local"
  /// From sending an empty command to its end: a round trip and the start of a shell. The best of three.
  std::chrono::microseconds round_trip{0};
  /// The host's clock less ours, in seconds, where it could be read: as if it had been read in the middle of
  /// that round trip. So it is right to half of that, and to half a second more where the host counts whole
  /// ones.
  std::optional<double> skew;
  double skew_error = 0;
  std::size_t login_noise = 0;  ///< bytes that login files print on stdout before a command's own
};

/// Four calls. What hangs there costs a third of the deadline and leaves the other facts. Throws Error as
/// Host::run does.
Async<Health> examine(Host& host, std::chrono::milliseconds deadline);

/// Pure. The connection first, then what jobs need, then what may be there.
std::vector<Finding> judge(const Health& health);

/// The rsync of this machine: whether it is there, new enough, and has known holes that a host which we pull
/// from could use. A hole that the package's changelog names as mended (Debian's and Red Hat's packages keep
/// the old version number) is none. Blocks as long as those programs run (some 10 ms).
Finding examine_local_rsync();

}  // namespace re::remote
