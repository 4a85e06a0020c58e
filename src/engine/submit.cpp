#include "re/engine/submit.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include "engine/backoff.hpp"
#include "re/sys/failpoint.hpp"
#include "re/sys/random.hpp"

namespace re::engine {

namespace {

constexpr int k_connections = 4;  // the first, and three more when an answer was lost
// Of one message of a batch.
constexpr std::size_t k_batch_bytes = std::size_t{2} << 20U;
constexpr std::size_t k_batch_job_bytes = 2000;
constexpr std::size_t k_batch_jobs = 500;
constexpr int k_repeats = 20;                        // of a launch whose job is committed and not yet running
constexpr std::chrono::seconds k_shell_patience{5};  // for what only saves time

jobs::StateChange change_of(const jobs::LaunchReport& report) {
  jobs::StateChange change;
  switch (report.answer) {
    case jobs::Launch::started:
      change.state = model::JobState::running;
      break;
    case jobs::Launch::exited:
      change.state = model::JobState::done;
      break;
    case jobs::Launch::lost:
      change.state = model::JobState::lost;
      break;
    default:
      change.state = model::JobState::committed;
      break;
  }
  change.exit_code = report.exit_code;
  return change;
}

// The host's answer that nothing runs.
bool is_refusal(ErrorKind kind) {
  return kind == ErrorKind::usage || kind == ErrorKind::not_found || kind == ErrorKind::conflict ||
         kind == ErrorKind::unsupported || kind == ErrorKind::remote;
}

// As many from the beginning as one message takes: a shell reads a message whole before it begins.
std::vector<model::JobSpec> first_piece(std::span<const model::JobSpec> jobs) {
  std::vector<model::JobSpec> piece;
  std::size_t size = 0;
  for (const auto& job : jobs) {
    if (size >= k_batch_bytes || piece.size() >= k_batch_jobs) break;
    piece.push_back(job);
    size += 3 * job.command.size() + k_batch_job_bytes;  // spec, plan, and what is around them
  }
  return piece;
}

void describe_project(model::JobSpec& spec, const ProjectFiles& files, const RemoteProject& remote) {
  spec.project_id = files.project().id;
  spec.project_name = files.project().name;
  spec.project_path = remote.directory;
  spec.shared = remote.shared;
}

// A connection that is given up because of a cancellation may only say that it is lost.
Async<void> require_wanted() {
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  if (state.cancelled() != boost::asio::cancellation_type::none) {
    throw Error(ErrorKind::interrupted, "interrupted");
  }
}

}  // namespace

struct Submitter::Attempt {
  SubmitRequest request;
  ProjectFiles& files;
  LocalState state = {};
  std::optional<jobs::SnapshotPatch> patch = {};
  Submitted submitted = {request.spec, {}, nullptr, nullptr};
  std::vector<model::JobSpec> batch = {};  // instead of the request's job
  std::size_t accepted = 0;                // so many of the batch, from its beginning
  std::optional<Error> unreached = {};     // why the first connection failed
  // Those that are not accepted may have reached the host since then (sys::uptime); nothing: they have not.
  std::optional<std::chrono::seconds> sent_at = {};
  bool is_brought = false;  // the snapshot was made from the project's directory

  [[nodiscard]] bool has_own_tree() const { return request.spec.work_tree == model::WorkTree::own; }
  /// The jobs of which the host has not said yet that it has them.
  [[nodiscard]] std::span<const model::JobSpec> open() const {
    if (batch.empty()) return {&request.spec, 1};
    return std::span(batch).subspan(accepted);
  }
  [[nodiscard]] std::string name() const {
    if (batch.empty()) return "job " + std::to_string(request.spec.index);
    const std::string all = std::to_string(batch.size()) + " jobs";
    const bool is_part = accepted > 0 && accepted < batch.size();
    return is_part ? std::to_string(batch.size() - accepted) + " of " + all : all;
  }
  [[nodiscard]] std::string label() const { return "cannot start " + name() + " on " + request.place.label; }
};

// Connects, and has a shell made ready there, before the project is read and the job written down: what the
// host does meanwhile costs no time, and nothing can start by it. What fails is the first attempt's failure.
Async<void> Submitter::reach(Attempt& attempt) {
  const auto& request = attempt.request;
  m_progress.step("connecting to " + request.place.label);
  try {
    attempt.submitted.host = co_await m_fleet.host(request.place);
  } catch (const Error& error) {
    attempt.unreached = error;
  }
  // A transfer of the project's files needs the session that a waiting shell would hold.
  const bool brings_files_first = !attempt.has_own_tree() && request.source == Source::current;
  if (attempt.unreached || brings_files_first) co_return;
  jobs::JobHost host(*attempt.submitted.host);
  co_await host.expect_launch(request.spec, k_shell_patience);
}

// Which files the job runs on.
void Submitter::read_files(Attempt& attempt) {
  auto& spec = attempt.request.spec;
  if (attempt.request.source == Source::last_snapshot) {
    const jobs::RegistryFilter filter{jobs::RegistryFilter::Which::all, spec.project_id,
                                      attempt.request.place.key};
    for (const auto& job : m_registry.list(filter)) {
      if (!job.snapshot.empty()) spec.snapshot = job.snapshot;
    }
    if (attempt.has_own_tree() && spec.snapshot.empty()) {
      throw Error(ErrorKind::not_found, attempt.request.place.label + " has no snapshot of this project",
                  "drop --no-rsync");
    }
  } else {
    if (attempt.request.state) {
      attempt.state = *attempt.request.state;
    } else {
      attempt.state = attempt.files.read(attempt.request.trust);
    }
    if (attempt.has_own_tree()) spec.snapshot = attempt.state.snapshot;
  }
}

Async<Submitted> Submitter::submit(SubmitRequest request, ProjectFiles& files) {
  Attempt attempt{std::move(request), files};
  auto& spec = attempt.request.spec;
  describe_project(spec, files, attempt.request.remote);
  co_await reach(attempt);
  co_await require_wanted();
  read_files(attempt);
  const bool may_patch = attempt.request.source == Source::current && attempt.has_own_tree();
  if (may_patch) attempt.patch = files.make_patch(attempt.state, attempt.request.remote);
  spec.index = m_registry.add_intent(spec, attempt.request.place.key);
  co_await launch_and_recover(attempt);
  record(attempt, attempt.open());
  const bool has_snapshot = attempt.submitted.report.answer != jobs::Launch::need_snapshot;
  if (has_snapshot && (attempt.patch || attempt.is_brought)) {
    files.remember(attempt.state, attempt.request.remote);
  }
  attempt.submitted.spec = spec;
  co_return std::move(attempt.submitted);
}

Async<std::vector<model::JobSpec>> Submitter::submit_batch(SubmitRequest request,
                                                           std::vector<std::string> commands,
                                                           ProjectFiles& files) {
  Attempt attempt{std::move(request), files};
  describe_project(attempt.request.spec, files, attempt.request.remote);
  read_files(attempt);
  const auto moment = m_registry.time_of_next(sys::SystemClock());
  for (auto& command : commands) {
    attempt.batch.push_back(attempt.request.spec);
    attempt.batch.back().id = sys::make_job_id(moment);
    attempt.batch.back().command = std::move(command);
  }
  m_registry.add_intents(attempt.batch, attempt.request.place.key);
  co_await launch_and_recover(attempt);
  record(attempt, attempt.batch);
  if (attempt.is_brought) files.remember(attempt.state, attempt.request.remote);
  co_return std::move(attempt.batch);
}

// What has not been sent is forgotten when it fails; what was accepted before stays.
Async<void> Submitter::launch_and_recover(Attempt& attempt) {
  std::exception_ptr failure;
  try {
    sys::failpoint("submit.intent");
    co_await launch_until_answered(attempt);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  if (attempt.accepted > 0) {
    m_registry.set_states(std::span(attempt.batch).first(attempt.accepted),
                          change_of(attempt.submitted.report));
  }
  if (!attempt.sent_at) {
    m_registry.remove(attempt.open());
  } else if (state.cancelled() != boost::asio::cancellation_type::none) {
    throw Error(ErrorKind::interrupted, attempt.name() + " may run or not", "`re list` finds out");
  }
  std::rethrow_exception(failure);
}

Async<void> Submitter::launch_until_answered(Attempt& attempt) {
  std::optional<Error> lost;
  for (int connection = 0; connection < k_connections; ++connection) {
    if (lost) {
      m_fleet.forget(attempt.request.place);
      m_progress.step("asking " + attempt.request.place.label + " again");
      co_await wait_before_retry(connection);
    }
    std::optional<Error> failure;
    try {
      if (attempt.unreached) throw *std::exchange(attempt.unreached, std::nullopt);
      m_progress.step("connecting to " + attempt.request.place.label);
      attempt.submitted.host = co_await m_fleet.host(attempt.request.place);
      if (attempt.batch.empty()) {
        co_await launch_once(attempt);
      } else {
        co_await launch_batch(attempt);
      }
    } catch (const Error& error) {
      failure = error;
    }
    if (!failure) co_return;
    const bool may_run = attempt.sent_at && !is_refusal(failure->kind());
    if (!may_run && !lost) {
      attempt.sent_at.reset();
      throw failure->within(attempt.label());
    }
    if (may_run) m_registry.set_states(attempt.open(), {model::JobState::unknown, {}, {}, {}});
    lost = failure;
    const bool is_worth_it = co_await may_be_repeated(*failure);
    if (!is_worth_it) break;
  }
  throw Error(ErrorKind::unreachable,
              "the answer of " + attempt.request.place.label + " was lost, " + attempt.name() +
                  " may run or not: " + lost->message(),
              "`re list` finds out when the host answers again");
}

// A job in the project's own directory needs its files there.
Async<void> Submitter::bring_if_live(Attempt& attempt) {
  const auto& request = attempt.request;
  if (attempt.has_own_tree() || request.source != Source::current) co_return;
  const BringOptions options;
  co_await attempt.files.bring(*attempt.submitted.host, attempt.state, request.remote, options);
}

Async<void> Submitter::launch_once(Attempt& attempt) {
  auto& request = attempt.request;
  co_await bring_if_live(attempt);
  jobs::JobHost host(*attempt.submitted.host);
  for (int repeat = 0; repeat < k_repeats; ++repeat) {
    jobs::LaunchOptions options;
    if (attempt.patch) options.patch = &*attempt.patch;
    m_progress.step("starting on " + request.place.label);
    sys::failpoint("submit.launch");
    if (!attempt.sent_at) attempt.sent_at = sys::uptime();
    options.age = sys::uptime() - *attempt.sent_at;
    options.input = request.input;
    if (request.spec.streams == model::Streams::split) {
      attempt.submitted.streams = co_await host.launch_attached(request.spec, request.deadline, options);
      attempt.submitted.report = attempt.submitted.streams->launched();
    } else {
      attempt.submitted.report = co_await host.launch(request.spec, request.deadline, options);
    }
    const auto answer = attempt.submitted.report.answer;
    if (answer == jobs::Launch::conflict) {
      attempt.sent_at.reset();
      throw Error(ErrorKind::conflict, "another job has its id there", "submit it again");
    }
    // With streams the host has waited for us; on a terminal the job begins when that is there.
    const bool is_settled =
        attempt.submitted.streams != nullptr || request.spec.streams == model::Streams::terminal;
    if (answer == jobs::Launch::need_snapshot) {
      attempt.sent_at.reset();
      if (attempt.submitted.streams) co_await attempt.submitted.streams->close();  // its channel is needed
      attempt.patch.reset();
      co_await answer_missing_snapshot(attempt);
    } else if (answer != jobs::Launch::committed || is_settled) {
      co_return;
    }
  }
}

Async<void> Submitter::launch_batch(Attempt& attempt) {
  auto& request = attempt.request;
  co_await bring_if_live(attempt);
  jobs::JobHost host(*attempt.submitted.host);
  while (!attempt.open().empty()) {
    auto piece = first_piece(attempt.open());
    const std::size_t count = piece.size();
    m_progress.step("starting " + attempt.name() + " on " + request.place.label);
    sys::failpoint("submit.launch");
    if (!attempt.sent_at) attempt.sent_at = sys::uptime();
    const auto answer = co_await host.launch_batch(std::move(piece), request.deadline);
    if (answer == jobs::Launch::conflict) {
      throw Error(ErrorKind::conflict, "another job has the id of one there", "submit them again");
    }
    attempt.sent_at.reset();
    if (answer != jobs::Launch::need_snapshot) {
      attempt.accepted += count;
      continue;
    }
    co_await answer_missing_snapshot(attempt);
    for (auto i = attempt.accepted; i < attempt.batch.size(); ++i)
      attempt.batch[i].snapshot = request.spec.snapshot;
  }
}

Async<void> Submitter::answer_missing_snapshot(Attempt& attempt) {
  auto& request = attempt.request;
  if (request.source == Source::last_snapshot) {
    throw Error(ErrorKind::not_found, "the snapshot " + request.spec.snapshot + " is no longer there",
                "drop --no-rsync");
  }
  co_await attempt.files.bring_snapshot(*attempt.submitted.host, attempt.state, request.remote);
  request.spec.snapshot = attempt.state.snapshot;
  attempt.is_brought = true;
}

void Submitter::record(const Attempt& attempt, std::span<const model::JobSpec> jobs) {
  try {
    sys::failpoint("submit.launched");
    // Who has the streams writes down how it goes on.
    if (attempt.submitted.streams && attempt.submitted.report.answer == jobs::Launch::started) return;
    m_registry.set_states(jobs, change_of(attempt.submitted.report));
  } catch (const Error& error) {
    throw Error(error).within(attempt.name() + " started on " + attempt.request.place.label +
                              ", which cannot be written down here");
  }
}

}  // namespace re::engine
