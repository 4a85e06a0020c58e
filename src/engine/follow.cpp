#include "re/engine/follow.hpp"

#include <boost/asio/awaitable.hpp>
#include <fstream>

#include "engine/backoff.hpp"
#include "re/sys/file.hpp"

namespace re::engine {

namespace {

constexpr std::chrono::seconds k_request_deadline{60};

}  // namespace

Async<Followed> follow(Fleet& fleet, JobPlace job, jobs::Offsets offsets, LogSink sink, Progress& progress) {
  bool was_connected = false;
  for (int attempt = 0;; ++attempt) {
    std::optional<Error> failure;
    try {
      const auto host = co_await fleet.host(job.place);
      was_connected = true;
      jobs::JobHost jobs_there(*host);
      const auto streams = co_await jobs_there.attach(job.id, offsets, k_request_deadline);
      for (;;) {
        const auto chunk = co_await streams->read();
        if (chunk.stream == transport::Chunk::Stream::end) break;
        const bool is_output = chunk.stream == transport::Chunk::Stream::output;
        sink(is_output ? jobs::LogStream::output : jobs::LogStream::error, chunk.data);
        offsets = streams->offsets();
        attempt = 0;
      }
      co_return Followed{streams->end().state, streams->end().exit_code};
    } catch (const Error& error) {
      failure = error;
    }
    const bool is_worth_it = co_await may_be_repeated(*failure);
    if (!is_worth_it || !was_connected) throw *failure;
    if (attempt == 0) progress.note(std::string(failure->what()) + "; connecting again");
    progress.step("connecting to " + job.place.label);
    fleet.forget(job.place);
    co_await wait_before_retry(attempt + 1);
  }
}

LogCache::LogCache(const std::filesystem::path& directory, const JobId& id) : m_stem(directory / id.text()) {
  sys::ensure_private_directory(directory);
}

std::filesystem::path LogCache::file(jobs::LogStream stream) const {
  return m_stem.string() + (stream == jobs::LogStream::output ? ".log" : ".err");
}

jobs::Offsets LogCache::replay(const LogSink& sink) const {
  jobs::Offsets offsets;
  for (const auto stream : {jobs::LogStream::output, jobs::LogStream::error}) {
    std::ifstream kept(file(stream), std::ios::binary);
    std::string piece(std::size_t{1} << 16U, '\0');
    auto& offset = stream == jobs::LogStream::output ? offsets.output : offsets.error;
    while (kept.read(piece.data(), static_cast<std::streamsize>(piece.size())), kept.gcount() > 0) {
      const auto size = static_cast<std::size_t>(kept.gcount());
      sink(stream, std::string_view(piece).substr(0, size));
      offset += size;
    }
  }
  return offsets;
}

void LogCache::append(jobs::LogStream stream, std::string_view data) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file(stream), error);
  const std::uint64_t kept_size = error ? 0 : size;
  if (kept_size >= k_limit) return;
  std::ofstream kept(file(stream), std::ios::binary | std::ios::app);
  const auto room = static_cast<std::size_t>(k_limit - kept_size);
  kept << data.substr(0, room);
}

void LogCache::clear(jobs::LogStream stream) {
  std::error_code ignored;
  std::filesystem::remove(file(stream), ignored);
}

Async<jobs::LogState> read_news(remote::Host& host, JobId id, jobs::Offsets& offsets, LogSink sink,
                                std::function<void(jobs::LogStream)> truncated) {
  jobs::JobHost jobs_there(host);
  jobs::LogState state;
  for (const auto stream : {jobs::LogStream::output, jobs::LogStream::error}) {
    auto& offset = stream == jobs::LogStream::output ? offsets.output : offsets.error;
    if (stream == jobs::LogStream::error && state.error_size.value_or(0) == offset) break;
    for (;;) {
      const jobs::JobHost::LogRange range{stream, offset, std::uint64_t{1} << 20U};
      const auto piece = co_await jobs_there.read_log(id, range, k_request_deadline);
      state = piece.log;
      if (piece.log.size < offset) {
        truncated(stream);
        offset = 0;
        continue;
      }
      if (piece.data.empty()) break;
      sink(stream, piece.data);
      offset += piece.data.size();
      if (offset >= piece.log.size) break;
    }
  }
  co_return state;
}

}  // namespace re::engine
