#pragma once

#include <functional>

#include "re/base/error.hpp"

namespace re::cli {

/// What `re` ends with. `sync` and `log --exit-code` pass the job's own code through (128 + N for signal N);
/// there, as with ssh, 255 is ours. The manual page's EXIT STATUS section says the same.
enum class ExitCode {
  success = 0,
  failure = 1,    ///< the remote side or a local file failed
  usage = 2,      ///< the command line is wrong
  config = 3,     ///< a configuration file is wrong or unsafe
  not_found = 4,  ///< no such job, instance or file
  conflict = 5,   ///< it exists already and differs
  interrupted = 130,
  transport = 255,  ///< unreachable, refused, host key, time-out: the connection, not the work
};

ExitCode exit_code_for(ErrorKind kind);

/// For a command that passes an exit code of a process on: a failure of ours becomes one of the connection
/// (255), as with ssh, so that it is told from every code that a process is likely to have. Usage and
/// interrupted stay what they are.
int with_exit_codes_of_ssh(const std::function<int()>& command);

}  // namespace re::cli
