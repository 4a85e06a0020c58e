#include "remote/block_upload.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <utility>
#include <vector>

#include "re/base/shell.hpp"
#include "re/base/strings.hpp"
#include "re/sys/deadline.hpp"
#include "re/sys/fd.hpp"
#include "re/sys/file.hpp"
#include "re/sys/random.hpp"
#include "remote/background.hpp"
#include "remote/block_hash.hpp"
#include "remote/block_scripts.hpp"
#include "remote/rsync_output.hpp"

namespace re::remote {

namespace {

namespace asio = boost::asio;
using transport::Chunk;

// With the one that holds the file and one that is started ahead they stay below sshd's ten (MaxSessions).
constexpr std::size_t k_channels = 6;
// A channel costs a round trip to open; a long run of blocks hides it.
constexpr std::uint64_t k_longest_run = std::uint64_t{64} << 20U;
constexpr std::size_t k_piece = std::size_t{256} << 10U;
constexpr std::uint64_t k_unit = std::uint64_t{64} << 10U;  // dd's block size in blocks.sh
constexpr std::size_t k_token_bytes = 8;
constexpr int k_most_damaged = 3;
constexpr std::chrono::seconds k_start_deadline{60};
constexpr std::chrono::hours k_hash_deadline{2};  // of what is there already
// When all is written a window's worth of it is still under way, on a slow line for minutes; whether the line
// lives is the transport's to find out.
constexpr std::chrono::minutes k_drain_deadline{30};
constexpr std::int64_t k_second_ns = 1'000'000'000;

// Blocks [first, end), sent over one channel.
struct Run {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
};

struct Lane {
  Run run;
  std::unique_ptr<ScriptRun> script;
  std::string output;
  std::string error;
  std::exception_ptr failure;
  bool has_ended = false;
  std::optional<Background> task;
};

struct Order {
  LargeFile file;
  BlockPlace place;
  BlockOptions options;
};

// The part of a program's message behind what it says of itself.
std::string cause_of(const std::string& text) {
  const auto line = text.substr(0, text.find('\n'));
  const auto colon = line.rfind(": ");
  return colon == std::string::npos ? line : line.substr(colon + 2);
}

class BlockUpload {
 public:
  BlockUpload(Host& host, Order order, Progress& progress, const asio::any_io_executor& executor)
      : m_host(host),
        m_file(std::move(order.file)),
        m_place(std::move(order.place)),
        m_options(order.options),
        m_progress(progress),
        m_executor(executor),
        m_change(executor),
        m_token(sys::random_hex(k_token_bytes)),
        m_fd(sys::open_file(m_file.local, O_RDONLY)),
        m_before(status()) {
    m_change.expires_at(asio::steady_timer::time_point::max());
  }

  Async<std::optional<BlockReport>> upload() {
    const bool is_held = co_await hold();
    if (!is_held) co_return std::nullopt;
    std::exception_ptr failure;
    bool is_sent = false;
    try {
      co_await find_missing();
      is_sent = co_await send_all();
      if (is_sent) co_await publish();
    } catch (...) {
      failure = std::current_exception();
    }
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await end_lanes();
    co_await m_holder->close();
    if (failure) std::rethrow_exception(failure);
    if (!is_sent) co_return std::nullopt;
    m_report.files = 1;
    co_return m_report;
  }

 private:
  [[nodiscard]] struct stat status() const {
    struct stat status{};
    if (::fstat(m_fd.get(), &status) != 0) throw errno_error("examine " + m_file.local.string(), errno);
    return status;
  }
  [[nodiscard]] std::uint64_t size() const { return static_cast<std::uint64_t>(m_before.st_size); }
  [[nodiscard]] std::uint64_t block_count() const { return (size() + m_options.block - 1) / m_options.block; }
  [[nodiscard]] std::uint64_t size_of(std::uint64_t block) const {
    return std::min(m_options.block, size() - block * m_options.block);
  }
  [[nodiscard]] Error conflict(const std::string& what) const {
    return {ErrorKind::conflict, what, "try again; it goes on where it stopped"};
  }

  Async<bool> hold();
  Async<void> next_answer();
  Async<void> find_missing();
  Async<bool> send_all();
  Async<bool> start_lane();
  Async<void> reap_lane();
  Async<void> run_lane(Lane& lane);
  Async<void> send(Lane& lane, std::vector<std::string>& hashes);
  Async<void> collect(Lane& lane);
  Async<void> write(ScriptRun& script, std::string_view piece);
  void check(const Lane& lane, const std::vector<std::string>& hashes);
  Async<void> end_lanes();
  Async<void> publish();
  std::string_view read_piece(std::uint64_t offset, std::uint64_t limit, std::string& buffer) const;
  void add_runs(const std::vector<bool>& is_missing);
  [[nodiscard]] Error write_error(const std::string& said) const;

  Host& m_host;
  LargeFile m_file;
  BlockPlace m_place;
  BlockOptions m_options;
  Progress& m_progress;
  asio::any_io_executor m_executor;
  asio::steady_timer m_change;  // cancelled when a lane ends
  std::string m_token;
  sys::Fd m_fd;
  struct stat m_before;
  std::unique_ptr<ScriptRun> m_holder;
  std::string m_answer;  // of the holder
  std::string m_said;    // its stderr
  Digest m_digest = Digest::sha256;
  std::deque<Run> m_runs;
  std::list<Lane> m_lanes;
  std::size_t m_channels = k_channels;
  int m_damaged = 0;
  BlockReport m_report;
};

Async<void> BlockUpload::next_answer() {
  const Chunk chunk = co_await m_holder->read();
  if (chunk.stream == Chunk::Stream::output) m_answer += chunk.data;
  if (chunk.stream == Chunk::Stream::error) m_said += chunk.data;
  if (chunk.stream == Chunk::Stream::end)
    throw Error(ErrorKind::unsupported, m_host.name() + " cannot put a file together");
  if (m_answer.size() > Host::k_answer_limit)
    throw Error(ErrorKind::protocol, m_host.name() + " answered with too much");
}

// False when the host leaves it to rsync.
Async<bool> BlockUpload::hold() {
  ScriptCall call{block_scripts(), "re_assemble", {}};
  call.arguments = {m_place.directory, m_place.path, std::to_string(size()), m_token,
                    std::to_string(m_options.block / k_unit)};
  bool is_held = true;
  try {
    m_holder = co_await m_host.start(std::move(call), k_start_deadline);
    const std::string what = "looking at what " + m_host.name() + " has of " + m_file.path;
    const std::function<Async<void>()> wait = [this]() -> Async<void> {
      while (!m_answer.ends_with("\nready\n")) co_await next_answer();
    };
    co_await sys::with_deadline(k_hash_deadline, what, wait);
  } catch (const Error& error) {
    const bool is_refused = !m_holder && error.kind() == ErrorKind::remote;
    if (!is_refused && error.kind() != ErrorKind::unsupported) throw;
    is_held = false;
  }
  if (!is_held && m_holder) co_await m_holder->close();
  co_return is_held;
}

// Reads at most a piece of the file.
std::string_view BlockUpload::read_piece(std::uint64_t offset, std::uint64_t limit,
                                         std::string& buffer) const {
  buffer.resize(k_piece);
  for (;;) {
    const ssize_t got = ::pread(m_fd.get(), buffer.data(), std::min<std::uint64_t>(limit, k_piece),
                                static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw errno_error("read " + m_file.local.string(), errno);
    if (got == 0) throw conflict(m_file.local.string() + " became shorter while it was sent");
    return {buffer.data(), static_cast<std::size_t>(got)};
  }
}

// Compares what is there with what is here.
Async<void> BlockUpload::find_missing() {
  const auto lines = split_lines(m_answer);
  const auto digest = parse_digest(lines.front());
  if (!digest) throw Error(ErrorKind::protocol, m_host.name() + " named a hash that we do not know");
  m_digest = *digest;
  std::vector<bool> is_missing(block_count(), true);
  BlockHash hash(m_digest);
  std::string buffer;
  const std::size_t there = std::min<std::size_t>(lines.size() - 2, is_missing.size());
  for (std::size_t block = 0; block < there; ++block) {
    for (std::uint64_t done = 0; done < size_of(block);) {
      const auto piece = read_piece(block * m_options.block + done, size_of(block) - done, buffer);
      hash.add(piece);
      done += piece.size();
    }
    is_missing[block] = hash.take() != lines[block + 1];
    if (!is_missing[block]) m_report.kept += size_of(block);
    m_progress.advance(m_options.done_before + m_report.kept, m_options.total);
    co_await asio::post(m_executor, asio::use_awaitable);  // others may run
  }
  add_runs(is_missing);
}

void BlockUpload::add_runs(const std::vector<bool>& is_missing) {
  const auto missing = static_cast<std::uint64_t>(std::count(is_missing.begin(), is_missing.end(), true));
  const std::uint64_t fair = (missing + k_channels - 1) / k_channels;
  const std::uint64_t longest =
      std::clamp<std::uint64_t>(fair, 1, std::max<std::uint64_t>(1, k_longest_run / m_options.block));
  for (std::uint64_t block = 0; block < is_missing.size(); ++block) {
    if (!is_missing[block]) continue;
    const bool continues =
        !m_runs.empty() && m_runs.back().end == block && block - m_runs.back().first < longest;
    if (continues) {
      ++m_runs.back().end;
    } else {
      m_runs.push_back({block, block + 1});
    }
  }
}

// False when the host has no channel for us.
Async<bool> BlockUpload::send_all() {
  while (!m_runs.empty() || !m_lanes.empty()) {
    const bool may_start = !m_runs.empty() && m_lanes.size() < m_channels;
    if (!may_start) {
      co_await reap_lane();
      continue;
    }
    const bool has_started = co_await start_lane();
    if (!has_started && m_lanes.empty()) co_return false;
    if (!has_started) m_channels = m_lanes.size();
  }
  co_return true;
}

// One after the other: where the connection has no channel left it may be about to make another connection.
Async<bool> BlockUpload::start_lane() {
  const Run run = m_runs.front();
  ScriptCall call{block_scripts(), "re_write_blocks", {}};
  call.arguments = {
      m_place.directory,         m_place.path,           m_token, std::to_string(m_options.block / k_unit),
      std::to_string(run.first), std::to_string(run.end)};
  std::unique_ptr<ScriptRun> script;
  try {
    script = co_await m_host.start(std::move(call), k_start_deadline);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::remote) throw;
  }
  if (!script) co_return false;
  m_runs.pop_front();
  auto& lane = m_lanes.emplace_back();
  lane.run = run;
  lane.script = std::move(script);
  lane.task.emplace(m_executor, run_lane(lane));
  co_return true;
}

Async<void> BlockUpload::reap_lane() {
  const auto has_ended = [](const Lane& lane) { return lane.has_ended; };
  auto ended = m_lanes.end();
  while ((ended = std::find_if(m_lanes.begin(), m_lanes.end(), has_ended)) == m_lanes.end()) {
    try {
      co_await m_change.async_wait(asio::use_awaitable);
    } catch (const boost::system::system_error&) {
      if (std::none_of(m_lanes.begin(), m_lanes.end(), has_ended)) throw;  // the wait was cancelled
    }
  }
  co_await ended->task->join();
  const auto failure = ended->failure;
  m_lanes.erase(ended);
  if (failure) std::rethrow_exception(failure);
}

Async<void> BlockUpload::run_lane(Lane& lane) {
  try {
    std::vector<std::string> hashes;
    co_await send(lane, hashes);
    co_await lane.script->close_input();
    co_await collect(lane);
    check(lane, hashes);
  } catch (...) {
    lane.failure = std::current_exception();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await lane.script->close();
  lane.has_ended = true;
  m_change.cancel();
}

Async<void> BlockUpload::write(ScriptRun& script, std::string_view piece) {
  const std::string what = "sending to " + m_host.name();
  const std::function<Async<void>()> task = [&script, piece]() -> Async<void> {
    co_await script.write(piece);
  };
  co_await sys::with_deadline(m_options.io_timeout, what, task);
}

Async<void> BlockUpload::send(Lane& lane, std::vector<std::string>& hashes) {
  BlockHash hash(m_digest);
  std::string buffer;
  for (std::uint64_t block = lane.run.first; block < lane.run.end; ++block) {
    for (std::uint64_t done = 0; done < size_of(block);) {
      const auto piece = read_piece(block * m_options.block + done, size_of(block) - done, buffer);
      hash.add(piece);
      co_await write(*lane.script, piece);
      done += piece.size();
      m_report.sent += piece.size();
      const std::uint64_t so_far = std::min(size(), m_report.kept + m_report.sent);
      m_progress.advance(m_options.done_before + so_far, m_options.total);
    }
    hashes.push_back(hash.take());
  }
}

Async<void> BlockUpload::collect(Lane& lane) {
  const std::string what = "an answer of " + m_host.name();
  const std::function<Async<void>()> task = [&lane]() -> Async<void> {
    for (;;) {
      const Chunk chunk = co_await lane.script->read();
      if (chunk.stream == Chunk::Stream::end) co_return;
      (chunk.stream == Chunk::Stream::output ? lane.output : lane.error) += chunk.data;
      if (lane.output.size() + lane.error.size() > Host::k_answer_limit) co_return;
    }
  };
  co_await sys::with_deadline(k_drain_deadline, what, task);
}

Error BlockUpload::write_error(const std::string& said) const {
  if (is_full(said)) return no_space(m_host.name(), ErrorKind::remote);
  return {ErrorKind::remote, "cannot write " + m_place.path + " on " + m_host.name() + ": " + cause_of(said)};
}

// A block that differs there is sent again.
void BlockUpload::check(const Lane& lane, const std::vector<std::string>& hashes) {
  const auto outcome = lane.script->outcome();
  if (outcome.trailer == "gone")
    throw conflict("somebody else sends " + m_place.path + " to " + m_host.name() + " too");
  if (outcome.code != 0) throw write_error(lane.error);
  const auto lines = split_lines(lane.output);
  for (std::size_t index = 0; index < hashes.size(); ++index) {
    if (index < lines.size() && lines[index] == hashes[index]) continue;
    if (++m_damaged > k_most_damaged) {
      throw Error(ErrorKind::remote,
                  "what " + m_host.name() + " writes of " + m_place.path + " is not what it was sent",
                  "its disk may be failing");
    }
    const std::uint64_t block = lane.run.first + index;
    m_runs.push_back({block, block + 1});
    m_report.sent -= size_of(block);
  }
}

Async<void> BlockUpload::end_lanes() {
  for (auto& lane : m_lanes) lane.task->cancel();
  for (auto& lane : m_lanes) co_await lane.task->join();
  m_lanes.clear();
}

Async<void> BlockUpload::publish() {
  const struct stat now = status();
  const bool has_changed = now.st_size != m_before.st_size || now.st_mtim.tv_sec != m_before.st_mtim.tv_sec ||
                           now.st_mtim.tv_nsec != m_before.st_mtim.tv_nsec;
  if (has_changed) throw conflict(m_file.local.string() + " changed while it was sent");
  const std::int64_t time = m_before.st_mtim.tv_sec * k_second_ns + m_before.st_mtim.tv_nsec;
  const std::string line = "commit " + chmod_mode(m_before.st_mode) + " " + touch_time(time) + "\n";
  co_await write(*m_holder, line);
  co_await m_holder->close_input();
  const std::function<Async<void>()> rest = [this]() -> Async<void> {
    for (;;) {
      const Chunk chunk = co_await m_holder->read();
      if (chunk.stream == Chunk::Stream::end) co_return;
      if (chunk.stream == Chunk::Stream::error && m_said.size() < k_piece) m_said += chunk.data;
    }
  };
  const std::string what = "an answer of " + m_host.name();
  co_await sys::with_deadline(m_options.io_timeout, what, rest);
  const auto outcome = m_holder->outcome();
  if (outcome.trailer == "changed")
    throw conflict("somebody else sends " + m_place.path + " to " + m_host.name() + " too");
  if (outcome.trailer != "whole") throw write_error(m_said);
}

}  // namespace

Async<std::optional<BlockReport>> upload_in_blocks(Host& host, LargeFile file, BlockPlace place,
                                                   BlockOptions options, Progress& progress) {
  const auto executor = co_await asio::this_coro::executor;
  BlockUpload upload(host, {std::move(file), std::move(place), options}, progress, executor);
  std::optional<BlockReport> report;
  try {
    report = co_await upload.upload();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::timeout) throw;
    throw Error(ErrorKind::unreachable, "nothing came from " + host.name() + " for too long",
                "try again; it goes on where it stopped");
  }
  co_return report;
}

}  // namespace re::remote
