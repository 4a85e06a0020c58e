// One run of the local rsync against a host.
#pragma once

#include <string>
#include <string_view>
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

/// $re_trailer where a pull finds nothing of what it may bring: rsync did not run.
inline constexpr std::string_view k_nothing_there = "none";

struct RsyncEnd {
  std::string trailer;  ///< what the far side's script left in $re_trailer
  TransferReport report;
};

/// Runs it to its end. Throws Error as rsync.hpp says.
Async<RsyncEnd> run_rsync(Host& host, RsyncCommand command, Progress& progress);

}  // namespace re::remote
