// The connection master: a background process of this user that keeps connections open, so that the next
// command over one of them needs no new handshake. ARCHITECTURE.md, "The connection master".
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "re/sys/async.hpp"

namespace re::transport {

/// The hidden command by which this program becomes the master: <directory> <state directory> <persist, ms>.
inline constexpr std::string_view k_master_command = "__master";

/// Serves until nobody has asked for anything for `persist`, until it is told to stop, or until its socket is
/// no longer where it was made. Blocks. Returns an exit code; 0 also when another master serves already.
/// \param words what stands behind k_master_command
int master_main(const std::vector<std::string>& words);

struct MasterConnectionStatus {
  std::string destination;
  std::string transport;
  unsigned channels = 0;  ///< in use now
};

struct MasterStatus {
  int pid = 0;
  std::vector<MasterConnectionStatus> connections;
};

/// What the master in this directory says; nothing where none answers within a second.
Async<std::optional<MasterStatus>> ask_master(std::filesystem::path directory);
/// Lets it end: its connections are closed at once. False where none answers.
Async<bool> stop_master(std::filesystem::path directory);

}  // namespace re::transport
