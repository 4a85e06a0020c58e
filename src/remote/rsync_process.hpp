// One run of the local rsync against a host.
#pragma once

#include <string>
#include <vector>

#include "re/remote/rsync.hpp"
#include "remote/shell_server.hpp"

namespace re::remote {

struct RsyncCommand {
  std::vector<std::string> arguments;  ///< after the common ones: options, sources, destination
  std::filesystem::path directory;     ///< its working directory; empty: ours
  std::string names;                   ///< its standard input: NUL-separated, for --files-from=-
  RsyncPlace place;
  TransferOptions options;
};

/// A path that is no option to rsync and no "host:path".
std::string local_argument(const std::string& path);

/// Runs it to its end. Throws Error as rsync.hpp says.
Async<TransferReport> run_rsync(Host& host, RsyncCommand command, Progress& progress);

}  // namespace re::remote
