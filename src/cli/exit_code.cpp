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

int with_exit_codes_of_ssh(const std::function<int()>& command) {
  try {
    return command();
  } catch (const Error& error) {
    const bool is_ours = error.kind() != ErrorKind::usage && error.kind() != ErrorKind::interrupted;
    if (!is_ours || exit_code_for(error.kind()) == ExitCode::transport) throw;
    throw Error(ErrorKind::unreachable, error.what());
  }
}

}  // namespace re::cli
