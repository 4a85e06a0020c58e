#include "cli/exit_code.hpp"

namespace re::cli {

ExitCode exit_code_for(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return ExitCode::usage;
    case ErrorKind::config:
      return ExitCode::config;
    case ErrorKind::not_found:
      return ExitCode::not_found;
    case ErrorKind::conflict:
      return ExitCode::conflict;
    case ErrorKind::interrupted:
      return ExitCode::interrupted;
    case ErrorKind::auth:
    case ErrorKind::host_key:
    case ErrorKind::unreachable:
    case ErrorKind::timeout:
      return ExitCode::transport;
    case ErrorKind::unsupported:
    case ErrorKind::remote:
    case ErrorKind::protocol:
    case ErrorKind::io:
      return ExitCode::failure;
  }
  return ExitCode::failure;
}

}  // namespace re::cli
