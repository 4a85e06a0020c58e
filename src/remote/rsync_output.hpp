// What rsync prints, understood: pure functions of text. Written against rsync 3.2.7 and 3.5.0, as started by
// rsync_process.cpp (--no-human-readable: plain digits); rsync(1), "--info=progress2", "--stats", "EXIT
// VALUES".
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "re/remote/rsync.hpp"

namespace re::remote {

struct RsyncVersion {
  int major = 0;
  int minor = 0;
  int patch = 0;
  auto operator<=>(const RsyncVersion&) const = default;
};
/// Of this machine: the first with --info=progress2.
inline constexpr RsyncVersion k_oldest_rsync{3, 1, 3};
/// And the first that checks the names that it is sent (CVE-2022-29154).
inline constexpr RsyncVersion k_oldest_rsync_for_pull{3, 2, 5};
std::string to_string(const RsyncVersion& version);
/// From the first line of `rsync --version`; nothing for another program of that name (openrsync).
std::optional<RsyncVersion> parse_rsync_version(std::string_view text);

/// Every line that holds a file's name begins with this, so that no name passes for a message.
inline constexpr std::string_view k_change_mark = "RE-CHANGE ";

/// Takes rsync's stdout as it comes; lines end in '\n', progress lines in '\r'.
class RsyncOutput {
 public:
  explicit RsyncOutput(Progress& progress) : m_progress(progress) {}
  void feed(std::string_view data);
  /// After the end.
  [[nodiscard]] TransferReport take_report() { return std::move(m_report); }

 private:
  void take_line(std::string_view line);
  [[nodiscard]] bool take_progress(std::string_view line);
  void take_statistic(std::string_view line);

  static constexpr std::size_t k_line_limit = std::size_t{64} << 10U;

  Progress& m_progress;
  std::string m_held;
  TransferReport m_report;
};

/// How a transfer ended badly, as far as rsync knows.
struct RsyncFailure {
  int code = 0;           ///< rsync's exit code (128 + signal when it was killed)
  std::string_view text;  ///< its stderr
  std::string_view host;  ///< for messages
  bool is_pull = false;
  bool is_connected = false;  ///< the far rsync was seen to end: the connection stands
};
Error describe_failure(const RsyncFailure& failure);

/// Whether a program's message says that a disk or a quota is full; and what we say then.
bool is_full(std::string_view text);
Error no_space(const std::string& where, ErrorKind kind);

/// The first line of the text that says what went wrong, without rsync's frame around it and its closing
/// summary; one line, no full stop.
std::string first_cause(std::string_view text);

}  // namespace re::remote
