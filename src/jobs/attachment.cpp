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

// The first line of the output is the answer to the launch.
Async<void> Attachment::read_answer(std::string token) {
  m_mark = std::move(token) + "\n";
  std::string text;
  while (text.find('\n') == std::string::npos) {
    const Chunk chunk = co_await m_run->read();
    if (chunk.stream == Chunk::Stream::error) take_error(chunk.data);
    if (chunk.stream == Chunk::Stream::output) text += chunk.data;
    if (chunk.stream != Chunk::Stream::end) continue;
    const remote::Outcome outcome = m_run->outcome();  // says first if the connection was lost
    throw Error(ErrorKind::protocol, m_host->name() + " gave no answer to a launch: " + outcome.trailer);
  }
  const auto end = text.find('\n');
  m_held_output = text.substr(end + 1);
  m_launched = read_launch_answer(text.substr(0, end), m_complaint, m_host->name());
}

// Before the mark are complaints of the launch's tools.
void Attachment::take_error(std::string_view data) {
  if (m_mark.empty()) {
    m_held_error += data;
    return;
  }
  m_complaint += data;
  const auto at = m_complaint.find(m_mark);
  if (at == std::string::npos) return;
  m_held_error = m_complaint.substr(at + m_mark.size());
  m_complaint.resize(at);
  m_mark.clear();
}

std::optional<Chunk> Attachment::take_held() {
  Chunk chunk;
  if (!m_held_output.empty())
    chunk = {Chunk::Stream::output, std::exchange(m_held_output, {})};
  else if (!m_held_error.empty())
    chunk = {Chunk::Stream::error, std::exchange(m_held_error, {})};
  else
    return std::nullopt;
  count(chunk);
  return chunk;
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

void Attachment::hold(Chunk chunk) {
  if (chunk.stream == Chunk::Stream::output) {
    m_held_output = std::move(chunk.data);
  } else if (chunk.stream == Chunk::Stream::error) {
    take_error(chunk.data);
  }
}

Async<Chunk> Attachment::read() {
  for (;;) {
    if (auto held = take_held()) co_return std::move(*held);
    if (m_end) co_return co_await read_rest();
    Chunk chunk = co_await m_run->read();
    const bool has_ended = chunk.stream == Chunk::Stream::end;
    hold(std::move(chunk));
    if (!has_ended) continue;
    const remote::Outcome outcome = m_run->outcome();
    take_end(outcome);
    // The supervisor died and the job lives on: what is left to wait for is the job's own lock.
    if (m_end->state == model::JobState::unsupervised && !std::exchange(m_knows_unsupervised, true)) {
      m_end.reset();
      co_await start();
    }
  }
}

Async<void> Attachment::start() {
  const OwnedCall owned = stream_call(
      "re_attach", {m_id.text(), std::to_string(m_offsets.output), std::to_string(m_offsets.error)});
  remote::ScriptCall call = owned.call();
  m_run = co_await m_host->start(std::move(call), k_rest_deadline);
}

}  // namespace re::jobs
