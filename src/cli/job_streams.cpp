#include "cli/job_streams.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

namespace re::cli {

namespace {

constexpr std::chrono::seconds k_signal_deadline{20};
constexpr std::chrono::milliseconds k_short{50};

// Writes down that the job runs, unless it has ended by then: what ends at once is written down once.
class LastingJob {
 public:
  LastingJob(Context& context, JobId id) : m_timer(context.io(), k_short) {
    m_timer.async_wait([&context, id = std::move(id), is_over = m_is_over](const auto& error) {
      if (!error && !*is_over) context.registry().set_state(id, {model::JobState::running, {}, {}, {}});
    });
  }
  ~LastingJob() { *m_is_over = true; }
  LastingJob(const LastingJob&) = delete;
  LastingJob& operator=(const LastingJob&) = delete;

 private:
  boost::asio::steady_timer m_timer;
  std::shared_ptr<bool> m_is_over = std::make_shared<bool>(false);
};

}  // namespace

Async<void> print_streams(Context& context, const model::JobSpec& job, jobs::Attachment& streams,
                          const engine::LogSink& print) {
  const LastingJob lasting(context, job.id);
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
