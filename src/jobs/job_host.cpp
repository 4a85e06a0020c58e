#include "re/jobs/job_host.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <utility>

#include "jobs/calls.hpp"
#include "jobs/listing.hpp"
#include "re/base/strings.hpp"
#include "re/sys/deadline.hpp"

namespace re::jobs {

namespace {

std::optional<std::uint64_t> read_number(std::string_view word, std::string_view name) {
  return word.starts_with(name) ? parse_number<std::uint64_t>(word.substr(name.size()))
                                : std::optional<std::uint64_t>();
}

// Behind the state "size=<n> err=<n or ->".
LogState read_log_state(std::string_view trailer, const JobId& id) {
  LogState state;
  const auto words = split(read_state(trailer, state, id), ' ');
  const auto size = read_number(words.front(), "size=");
  if (words.size() == 2) state.error_size = read_number(words.back(), "err=");
  if (!size || words.size() != 2 || (!state.error_size && words.back() != "err=-")) {
    throw Error(ErrorKind::protocol, "the host's answer about a log cannot be understood");
  }
  state.size = *size;
  return state;
}

}  // namespace

JobHost::JobHost(remote::Host& host, std::string shell) : m_host(&host), m_shell(std::move(shell)) {}

Async<void> JobHost::expect_launch(const model::JobSpec& spec, std::chrono::milliseconds deadline) {
  return m_host->expect(launch_library(), place_preparation(spec, m_shell), deadline);
}

Async<LaunchReport> JobHost::launch(model::JobSpec spec, std::chrono::milliseconds deadline,
                                    LaunchOptions options) {
  const OwnedCall owned = launch_call(spec, m_shell, "re_launch", options);
  remote::ScriptCall call = owned.call();
  const remote::Answer answer = co_await m_host->run(std::move(call), deadline);
  co_return read_launch_answer(answer.outcome.trailer, answer.error, m_host->name());
}

Async<Launch> JobHost::launch_batch(std::vector<model::JobSpec> specs, std::chrono::milliseconds deadline) {
  const OwnedCall owned = batch_call(specs, m_shell);
  remote::ScriptCall call = owned.call();
  const remote::Answer answer = co_await m_host->run(std::move(call), deadline);
  co_return read_launch_answer(answer.outcome.trailer, answer.error, m_host->name()).answer;
}

Async<LaunchReport> JobHost::resume(JobId id, std::chrono::milliseconds deadline) {
  const OwnedCall owned = resume_call(id, m_shell);
  remote::ScriptCall call = owned.call();
  const remote::Answer answer = co_await m_host->run(std::move(call), deadline);
  co_return read_launch_answer(answer.outcome.trailer, answer.error, m_host->name());
}

Async<SignalAnswer> JobHost::send_signal(JobId id, int signal, std::chrono::milliseconds deadline) {
  const OwnedCall owned = signal_call(id, signal);
  remote::ScriptCall call = owned.call();
  const remote::Answer answer = co_await m_host->run(std::move(call), deadline);
  if (answer.outcome.trailer == "NOJOB") {
    throw Error(ErrorKind::not_found, "there is no job " + id.text() + " on " + m_host->name());
  }
  co_return answer.outcome.trailer == "SENT" ? SignalAnswer::sent : SignalAnswer::gone;
}

Async<Listing> JobHost::list(ListFilter filter, std::chrono::milliseconds deadline) {
  const OwnedCall owned = list_call(filter);
  remote::ScriptCall call = owned.call();
  const remote::Answer answer = co_await m_host->run(std::move(call), deadline);
  auto parsed = parse_listing(answer.output);
  Listing listing = std::move(parsed).value();
  if (filter.project_id) {
    std::erase_if(listing.jobs, [&](const auto& job) { return job.project_id != *filter.project_id; });
  }
  co_return listing;
}

Async<LogPiece> JobHost::read_log(JobId id, LogRange range, std::chrono::milliseconds deadline) {
  const OwnedCall owned =
      stream_call("re_read_log", {id.text(), std::string(file_of(range.stream)), std::to_string(range.offset),
                                  std::to_string(range.limit)});
  remote::ScriptCall call = owned.call();
  remote::Answer answer = co_await m_host->run(std::move(call), deadline);
  LogPiece piece;
  piece.data = std::move(answer.output);
  piece.log = read_log_state(answer.outcome.trailer, id);
  co_return piece;
}

Async<LogState> JobHost::tail_log(JobId id, std::uint64_t lines, std::function<void(std::string_view)> sink,
                                  std::chrono::milliseconds deadline) {
  const OwnedCall owned = stream_call("re_tail_log", {id.text(), "log", std::to_string(lines)});
  remote::ScriptCall call = owned.call();
  const auto run = co_await m_host->start(std::move(call), deadline);
  co_await run->close_input();
  for (;;) {
    const transport::Chunk chunk = co_await run->read();
    if (chunk.stream == transport::Chunk::Stream::end) break;
    if (chunk.stream == transport::Chunk::Stream::output) sink(chunk.data);
  }
  const remote::Outcome outcome = run->outcome();
  co_await run->close();
  co_return read_log_state(outcome.trailer, id);
}

Async<std::unique_ptr<Attachment>> JobHost::attach(JobId id, Offsets offsets,
                                                   std::chrono::milliseconds deadline) {
  std::unique_ptr<Attachment> attachment(new Attachment(*m_host, id, offsets));
  attachment->m_launched.answer = Launch::started;
  const OwnedCall owned =
      stream_call("re_attach", {id.text(), std::to_string(offsets.output), std::to_string(offsets.error)});
  remote::ScriptCall call = owned.call();
  attachment->m_run = co_await m_host->start(std::move(call), deadline);
  co_return attachment;
}

Async<std::unique_ptr<Attachment>> JobHost::launch_attached(model::JobSpec spec,
                                                            std::chrono::milliseconds deadline,
                                                            LaunchOptions options) {
  std::unique_ptr<Attachment> attachment(new Attachment(*m_host, spec.id, Offsets{}));
  const OwnedCall owned = launch_call(spec, m_shell, "re_launch_attached", options);
  const std::string what = "starting a job on " + m_host->name();
  co_await sys::with_deadline(deadline, what, [&]() -> Async<void> {
    remote::ScriptCall call = owned.call();
    attachment->m_run = co_await m_host->start(std::move(call), deadline);
    std::string token = owned.arguments.at(k_token_argument);
    co_await attachment->read_answer(std::move(token));
  });
  co_return attachment;
}

}  // namespace re::jobs
