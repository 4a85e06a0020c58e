#include "remote/rsync_output.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "re/base/strings.hpp"

namespace re::remote {

namespace {

// rsync(1), "EXIT VALUES".
constexpr int k_code_usage = 1;
constexpr int k_code_protocol = 2;
constexpr int k_code_unsupported = 4;
constexpr int k_code_socket = 10;
constexpr int k_code_stream = 12;
constexpr int k_code_signal = 20;
constexpr int k_code_timeout = 30;
constexpr int k_code_remote_shell = 255;

struct Statistic {
  std::string_view name;
  std::uint64_t TransferReport::* field;
};

constexpr std::array k_statistics = {
    Statistic{"Number of regular files transferred: ", &TransferReport::files_transferred},
    Statistic{"Total file size: ", &TransferReport::total_size},
    Statistic{"Literal data: ", &TransferReport::literal_bytes},
    Statistic{"Matched data: ", &TransferReport::matched_bytes},
    Statistic{"Total bytes sent: ", &TransferReport::bytes_sent},
    Statistic{"Total bytes received: ", &TransferReport::bytes_received},
};

// What rsync puts before a message, in this order.
constexpr std::array<std::string_view, 9> k_frames = {
    "rsync: ",     "rsync error: ", "ERROR: ",      "[sender] ", "[Sender] ",
    "[receiver] ", "[Receiver] ",   "[generator] ", "[client] "};

std::optional<std::uint64_t> leading_number(std::string_view text) {
  const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
  return parse_number<std::uint64_t>(text.substr(0, end));
}

// `ignoring unsafe symlink "x" -> "/y"`: the first name.
std::optional<std::string> unsafe_link(std::string_view line) {
  constexpr std::string_view k_begin = "ignoring unsafe symlink \"";
  if (!line.starts_with(k_begin)) return std::nullopt;
  const auto rest = line.substr(k_begin.size());
  return std::string(rest.substr(0, std::min(rest.find("\" -> \""), rest.size())));
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

}  // namespace

bool is_full(std::string_view text) {
  return contains_any(text, {"No space left on device", "Disk quota exceeded"});
}

Error no_space(const std::string& where, ErrorKind kind) {
  return {kind, "no space left on " + where, "free some there; the transfer then goes on where it stopped"};
}

std::string to_string(const RsyncVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.patch);
}

std::optional<RsyncVersion> parse_rsync_version(std::string_view text) {
  const auto words = split_words(text.substr(0, text.find('\n')));
  if (words.size() < 3 || words[0] != "rsync" || words[1] != "version") return std::nullopt;
  std::string_view number = words[2];
  if (number.starts_with('v')) number.remove_prefix(1);
  const auto parts = split(number, '.');
  if (parts.size() < 3) return std::nullopt;
  const auto major = parse_number<int>(parts[0]);
  const auto minor = parse_number<int>(parts[1]);
  const auto patch = leading_number(parts[2]);  // "4pre1"
  if (!major || !minor || !patch) return std::nullopt;
  return RsyncVersion{*major, *minor, static_cast<int>(*patch)};
}

void RsyncOutput::feed(std::string_view data) {
  m_held += data;
  std::size_t begin = 0;
  for (;;) {
    const auto end = m_held.find_first_of("\r\n", begin);
    if (end == std::string::npos) break;
    take_line(std::string_view(m_held).substr(begin, end - begin));
    begin = end + 1;
  }
  m_held.erase(0, begin);
  if (m_held.size() > k_line_limit) m_held.clear();
}

void RsyncOutput::take_line(std::string_view line) {
  if (line.starts_with(k_change_mark)) {
    m_report.changes.emplace_back(line.substr(k_change_mark.size()));
  } else if (line.starts_with("*deleting ")) {  // printed without the mark by some versions
    m_report.changes.emplace_back(line);
  } else if (auto link = unsafe_link(line)) {
    m_report.skipped_links.push_back(std::move(*link));
  } else if (!take_progress(line)) {
    take_statistic(line);
  }
}

// "     1234567  45%   12.34MB/s    0:00:05 (xfr#3, to-chk=4/10)". rsync does not print the total: it is
// reckoned from the percentage.
bool RsyncOutput::take_progress(std::string_view line) {
  const auto words = split_words(line);
  if (words.size() < 3 || !words[1].ends_with('%')) return false;
  const auto done = parse_number<std::uint64_t>(words[0]);
  const auto percent = parse_number<unsigned>(words[1].substr(0, words[1].size() - 1));
  if (!done || *done > std::numeric_limits<std::uint64_t>::max() / 100) return false;
  if (!percent || *percent > 100) return false;
  m_progress.advance(*done, *percent > 0 ? *done * 100 / *percent : 0);
  return true;
}

void RsyncOutput::take_statistic(std::string_view line) {
  for (const auto& statistic : k_statistics) {
    if (!line.starts_with(statistic.name)) continue;
    if (const auto value = leading_number(line.substr(statistic.name.size()))) {
      m_report.*statistic.field = *value;
    }
  }
}

std::string first_cause(std::string_view text) {
  std::string last_resort;
  for (std::string_view line : split_lines(text)) {
    const bool is_summary = line.starts_with("rsync error: ");
    const bool is_echo = line.find("Broken pipe") != std::string_view::npos;
    for (const auto& frame : k_frames) {
      if (line.starts_with(frame)) line.remove_prefix(frame.size());
    }
    line = trim(line);
    while (line.ends_with('.')) line.remove_suffix(1);
    if (!line.empty() && !is_summary && !is_echo) return std::string(line);
    if (last_resort.empty()) last_resort = line;
  }
  return last_resort;
}

Error describe_failure(const RsyncFailure& failure) {
  const std::string host(failure.host);
  const std::string cause = first_cause(failure.text);
  const std::string because = cause.empty() ? std::string() : ": " + cause;
  const auto text = failure.text;
  if (failure.code == k_code_signal) return {ErrorKind::interrupted, "the transfer was interrupted"};
  // The receiving side is the one that runs out of space.
  if (is_full(text)) {
    return failure.is_pull ? no_space("this machine", ErrorKind::io) : no_space(host, ErrorKind::remote);
  }
  if (contains_any(text, {"rejecting unrequested", "unsafe pathname", "rejecting file-list"})) {
    return {ErrorKind::protocol, host + " sent names that were not asked for" + because,
            "do not trust what comes from there"};
  }
  // Debian's 3.2.7-1+deb12u6 takes the mark of a file that is to go for a broken list.
  if (contains_any(text, {"invalid file mode 00 for "})) {
    return {ErrorKind::unsupported, "the rsync on " + host + " has a fault: it cannot delete files",
            "upgrade it there (3.5.0 can), or leave out --delete"};
  }
  if (failure.code == k_code_protocol || contains_any(text, {"protocol version mismatch"})) {
    return {ErrorKind::protocol, "the rsync on " + host + " does not speak rsync's protocol" + because,
            "see what `rsync --version` says there"};
  }
  if (failure.code == k_code_usage || failure.code == k_code_unsupported) {
    return {ErrorKind::unsupported, "the rsync on " + host + " or on this machine is too old" + because,
            "install rsync 3.2.5 or newer"};
  }
  if (failure.code == k_code_timeout) {
    return {ErrorKind::unreachable, "nothing came from " + host + " for too long",
            "try again; it goes on where it stopped"};
  }
  if (contains_any(text, {"No such file or directory (2)"}))
    return {ErrorKind::not_found, (failure.is_pull ? host : "here") + because};
  const bool was_cut =
      failure.code == k_code_socket || failure.code == k_code_stream || failure.code == k_code_remote_shell;
  if (was_cut && !failure.is_connected) {
    return {ErrorKind::unreachable, "the connection to " + host + " was lost in a transfer",
            "try again; it goes on where it stopped"};
  }
  return {ErrorKind::remote,
          "rsync with " + host + " failed (code " + std::to_string(failure.code) + ")" + because};
}

}  // namespace re::remote
