// A large file in blocks over several channels of one connection: a channel carries at most the peer's window
// in a round trip (sshd's is 2 MB), however wide the line is.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "re/base/progress.hpp"
#include "re/remote/host.hpp"
#include "re/remote/rsync.hpp"
#include "remote/large_files.hpp"

namespace re::remote {

struct BlockPlace {
  std::string directory;  ///< as transfer.sh takes it; made when it is missing
  std::string path;       ///< below it, through no link
};

struct BlockReport {
  std::uint64_t files = 0;
  std::uint64_t sent = 0;  ///< bytes of the file that travelled
  std::uint64_t kept = 0;  ///< bytes that were there from an earlier attempt
};

struct BlockOptions {
  std::uint64_t block = 0;  ///< what is hashed, kept or sent as a whole; bytes, a multiple of 64 KiB
  std::chrono::seconds io_timeout{};
  std::uint64_t done_before = 0;  ///< for the progress: bytes of other files
  std::uint64_t total = 0;        ///< and bytes of all files
};

/// The file appears there whole, with its permissions and times, or not at all: it is put together in
/// .re-partial/ beside its place, every block there is compared with what was read here by its hash, and then
/// it is renamed. What has arrived stays there when this fails, and is kept if it is right.
///
/// Nothing where the host lacks a tool (flock, b2sum or a SHA-256), has no channel to spare, or the place is
/// one that rsync must judge: then nothing has changed. Throws Error: io; conflict (the file changed
/// meanwhile, or somebody else sends it too); remote (no space, no permission); unreachable.
Async<std::optional<BlockReport>> upload_in_blocks(Host& host, LargeFile file, BlockPlace place,
                                                   BlockOptions options, Progress& progress);

}  // namespace re::remote
