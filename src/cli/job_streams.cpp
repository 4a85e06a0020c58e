#include "cli/job_streams.hpp"

#include <boost/asio/awaitable.hpp>

namespace re::cli {

namespace {

constexpr std::chrono::seconds k_signal_deadline{20};

}  // namespace

Async<void> print_streams(jobs::Attachment& streams, const engine::LogSink& print) {
  for (;;) {
    const auto chunk = co_await streams.read();
    if (chunk.stream == transport::Chunk::Stream::end) co_return;
    const bool is_output = chunk.stream == transport::Chunk::Stream::output;
    print(is_output ? jobs::LogStream::output : jobs::LogStream::error, chunk.data);
  }
}

int settle(Context& context, const model::JobSpec& job, const jobs::Attachment::End& end) {
  context.registry().set_state(job.id, {end.state, end.exit_code, {}, {}});
  if (end.exit_code) return *end.exit_code;
  throw Error(ErrorKind::unreachable, "job " + std::to_string(job.index) + " ended without an exit status: " +
                                          std::string(to_string(end.state)));
}

Error goes_on(Error failure, const model::JobSpec& job) {
  const std::string index = std::to_string(job.index);
  failure.within("job " + index + " goes on, pick it up with `re log --follow " + index + "`");
  return failure;
}

Async<void> send_signal(std::shared_ptr<remote::Host> host, JobId id, int signal) {
  jobs::JobHost jobs_there(*host);
  co_await jobs_there.send_signal(id, signal, k_signal_deadline);
}

}  // namespace re::cli
