#include <boost/asio/awaitable.hpp>
#include <utility>

#include "jobs/calls.hpp"
#include "re/base/strings.hpp"
#include "re/jobs/job_host.hpp"

namespace re::jobs {

namespace {

using transport::Chunk;
using namespace std::chrono_literals;

constexpr auto k_rest_deadline = 60s;
constexpr std::size_t k_answer_limit = 4096;

// "out=<n> err=<n>"
Offsets read_sizes(std::string_view text) {
  const auto words = split(text, ' ');
  Offsets sizes;
  const auto take = [](std::string_view word, std::string_view key, std::uint64_t& size) {
    const auto number =
        word.starts_with(key) ? parse_number<std::uint64_t>(word.substr(key.size())) : std::nullopt;
    size = number.value_or(0);
    return number.has_value();
  };
  if (words.size() != 2 || !take(words[0], "out=", sizes.output) || !take(words[1], "err=", sizes.error)) {
    throw Error(ErrorKind::protocol, "the host's answer about the end of a job cannot be understood");
  }
  return sizes;
}

}  // namespace

Attachment::Attachment(remote::Host& host, JobId id, Offsets offsets)
    : m_host(&host), m_id(std::move(id)), m_offsets(offsets) {}

Attachment::~Attachment() = default;

// The first line of the output; what came behind it is kept. Of stderr only the tools' complaints can come
// yet.
Async<std::string> Attachment::read_answer() {
  std::string text;
  std::string complaint;
  for (;;) {
    const Chunk chunk = co_await m_run->read();
    if (chunk.stream == Chunk::Stream::end) break;
    (chunk.stream == Chunk::Stream::output ? text : complaint) += chunk.data;
    if (text.find('\n') != std::string::npos) break;
    if (text.size() > k_answer_limit) throw Error(ErrorKind::protocol, "the host gave no answer to a launch");
  }
  const auto end = text.find('\n');
  if (end == std::string::npos) {
    const remote::Outcome outcome = m_run->outcome();
    throw Error(ErrorKind::protocol, "the host gave no answer to a launch: " + outcome.trailer);
  }
  m_held = text.substr(end + 1);
  co_return text.substr(0, end);
}

Async<void> Attachment::write(std::string_view data) {
  return m_run->write(data);
}

Async<void> Attachment::close_input() {
  return m_run->close_input();
}

Async<void> Attachment::close() {
  return m_run->close();
}

void Attachment::count(const Chunk& chunk) {
  (chunk.stream == Chunk::Stream::output ? m_offsets.output : m_offsets.error) += chunk.data.size();
}

void Attachment::take_end(const remote::Outcome& outcome) {
  LogState state;
  End end;
  if (m_launched.answer != Launch::conflict && m_launched.answer != Launch::need_snapshot) {
    end.sizes = read_sizes(read_state(outcome.trailer, state, m_id));
    end.state = state.state;
    end.exit_code = state.exit_code;
  }
  m_end = end;
}

// The stream has ended, but the job may have written more than it brought.
Async<Chunk> Attachment::read_rest() {
  Chunk chunk;
  const bool lacks_output = m_offsets.output < m_end->sizes.output;
  if (!lacks_output && m_offsets.error >= m_end->sizes.error) co_return chunk;
  JobHost::LogRange range;
  range.stream = lacks_output ? LogStream::output : LogStream::error;
  range.offset = lacks_output ? m_offsets.output : m_offsets.error;
  JobHost host(*m_host);
  LogPiece piece = co_await host.read_log(m_id, range, k_rest_deadline);
  if (piece.data.empty()) co_return chunk;  // truncated meanwhile
  chunk.stream = lacks_output ? Chunk::Stream::output : Chunk::Stream::error;
  chunk.data = std::move(piece.data);
  count(chunk);
  co_return chunk;
}

Async<Chunk> Attachment::read() {
  if (!m_held.empty()) {
    Chunk held{Chunk::Stream::output, std::exchange(m_held, {})};
    count(held);
    co_return held;
  }
  while (!m_end) {
    Chunk chunk = co_await m_run->read();
    if (chunk.stream != Chunk::Stream::end) {
      count(chunk);
      co_return chunk;
    }
    const remote::Outcome outcome = m_run->outcome();
    take_end(outcome);
    // The supervisor died and the job lives on: what is left to wait for is the job's own lock.
    if (m_end->state == model::JobState::unsupervised && !std::exchange(m_knows_unsupervised, true)) {
      m_end.reset();
      const OwnedCall owned = stream_call(
          "re_attach", {m_id.text(), std::to_string(m_offsets.output), std::to_string(m_offsets.error)});
      remote::ScriptCall call = owned.call();
      m_run = co_await m_host->start(std::move(call), k_rest_deadline);
    }
  }
  co_return co_await read_rest();
}

}  // namespace re::jobs
