// Files to and from a host: the rsync of both sides, over our own connection.
//
// rsync's remote shell is `re` itself (remote_shell.hpp): one authentication serves, login noise cannot
// disturb it, and no path is ever part of a command line: the far rsync is started in the directory that is
// meant, and names travel in rsync's own protocol. So every byte but NUL is exact in every path.
//
// What is kept of a file: content, permissions, modification time, symbolic links as links. Not: owner,
// group, devices. Interrupted files are kept in .re-partial/ beside their place and resumed by the next
// transfer.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "re/base/progress.hpp"
#include "re/remote/host.hpp"

namespace re::remote {

/// What to do with a named local file that does not exist.
enum class Absent {
  fail,    ///< Error (not_found) after the others were sent
  remove,  ///< it is removed on the remote too: so are deletions sent, and never anything that was not named
};

/// How a file that is there already is found to differ.
enum class Compare {
  times,   ///< by size and modification time, to the nanosecond
  content  ///< by reading it on both sides
};

enum class Preview {
  no,
  yes,  ///< nothing is changed on either side; TransferReport::changes says what would be
};

/// zlib or zstd, as both rsyncs can. Off unless asked for: most bytes are compressed already (models,
/// images), and over 1 Gbit/s it only costs time.
enum class Compression { off, on };

struct TransferOptions {
  Preview preview = Preview::no;
  Compression compression = Compression::off;
  std::chrono::seconds io_timeout{120};  ///< no byte for so long: Error (unreachable)
  /// push: files of at least so many bytes that do not exist there, or have another size there, are sent in
  /// blocks of so many bytes (a multiple of 64 KiB) over several channels at once. See README.md,
  /// tests/bench.
  std::uint64_t large_file = std::uint64_t{32} << 20U;
  std::uint64_t block = std::uint64_t{8} << 20U;
  /// What serves as `re __rsh`: a program and its first arguments. Empty: this program and `__rsh`.
  std::vector<std::string> remote_shell;
};

struct SyncRequest {
  std::filesystem::path root;  ///< the local directory
  /// Files, links and (empty) directories, relative to it, without "..". Their parents are made.
  std::vector<std::string> paths;
  /// Made when it is missing. Relative to the home directory; "~/x" too.
  std::string remote_directory;
  Absent absent = Absent::fail;
  Compare compare = Compare::times;
};

/// All counts in bytes or files.
struct TransferReport {
  std::uint64_t files_transferred = 0;
  std::uint64_t total_size = 0;      ///< of all files that were looked at
  std::uint64_t literal_bytes = 0;   ///< content that had to travel
  std::uint64_t matched_bytes = 0;   ///< content that was found on the receiving side
  std::uint64_t bytes_sent = 0;      ///< by this machine, with the protocol
  std::uint64_t bytes_received = 0;  ///< by this machine, with the protocol
  /// Preview only: rsync's itemized changes ("<f+++++++++ a.py", "*deleting   b.py"; rsync(1),
  /// --itemize-changes). Unprintable bytes of names are \#ooo.
  std::vector<std::string> changes;
  /// Pull only: symbolic links that were left out because they point outside of what was pulled.
  std::vector<std::string> skipped_links;
};

// All three report through `progress` and throw Error:
//   not_found    the source does not exist; rsync is missing here or there (the hint says what to install)
//   unsupported  a side's rsync is too old
//   unreachable  the connection was lost, or nothing came for io_timeout
//   protocol     the far side speaks no rsync, or sent names that were not asked for
//   remote, io   the far or the local side failed: no space, no permission
// When they are cancelled the rsync here is ended, the one there sees its connection closed, and what had
// arrived is kept for resuming.

/// Sends exactly the named files. Additive, but for Absent::remove.
Async<TransferReport> sync_files(Host& host, SyncRequest request, TransferOptions options,
                                 Progress& progress);

/// Sends files and directories, by rsync's rules: "dir" arrives as a directory of that name, "dir/" as its
/// contents. The destination (relative to the home directory) is a directory, made when it is missing, except
/// for one file onto a name that ends in no '/' and is no directory: then it is the new name.
/// Large files go first, in blocks over several channels, where they are new there (TransferOptions): the
/// outcome is that of rsync alone, which runs behind them when there is more to do.
/// \param sources relative to the working directory
Async<TransferReport> push(Host& host, std::vector<std::string> sources, std::string destination,
                           TransferOptions options, Progress& progress);

struct PullReport {
  std::size_t found = 0;  ///< which of the candidates it was
  TransferReport transfer;
};

/// Brings the first of the candidates that exists (a dangling link too): a file or directory, by the same
/// rules; nothing when none does. They differ in their directories only. The far side is not trusted: names
/// that were not asked for end the transfer, links that point outside of it are skipped (and listed), set-id
/// bits are dropped, nothing outside the destination is written. Therefore the local rsync must be 3.2.5 or
/// newer (CVE-2022-29154).
/// \param candidates at least one
Async<std::optional<PullReport>> pull(Host& host, std::vector<std::string> candidates,
                                      std::string destination, TransferOptions options, Progress& progress);

/// The entries, a directory's with a '/' at its end, that begin with `leaf` in each of these directories
/// (relative to the home directory, ending in '/' where not empty); of a thousand at most. A name with a line
/// end is left out.
Async<std::vector<std::string>> list_names(Host& host, std::string leaf, std::vector<std::string> directories,
                                           std::chrono::milliseconds deadline);

}  // namespace re::remote
