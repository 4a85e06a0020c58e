#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

#include "cli/commands/all.hpp"
#include "cli/exit_code.hpp"
#include "cli/jobs.hpp"
#include "cli/json.hpp"
#include "cli/log_printer.hpp"
#include "re/engine/follow.hpp"

namespace re::cli {

namespace {

constexpr long k_longest_loop = 86'400;
constexpr long k_most_lines = 1'000'000'000;
constexpr std::chrono::seconds k_first_byte{60};

struct LogRequest {
  engine::JobPlace job;
  std::optional<long> tail;
  std::optional<long> loop;
  enum class Mode { once, follow } mode = Mode::once;
};

LogRequest read_request(Context& context, const Parsed& parsed) {
  const auto index = parsed.number("idx", 1, 1'000'000'000);
  if (index && !parsed.arguments.empty())
    throw Error(ErrorKind::usage, "--idx and JOB say the same thing", "give one of them");
  std::string selector = parsed.arguments.empty() ? std::string() : parsed.arguments.front();
  if (index) selector = std::to_string(*index);
  const auto tail = parsed.number("tail", 0, k_most_lines);
  const auto loop = parsed.number("loop", 1, k_longest_loop);
  if (loop && parsed.has("follow")) throw Error(ErrorKind::usage, "--loop and --follow exclude each other");
  const auto record = find_job(context, parsed, selector);
  LogRequest request{{context.place_of(record.instance, parsed), record.id}, tail, loop};
  if (parsed.has("follow")) request.mode = LogRequest::Mode::follow;
  return request;
}

// What is there already: the last lines, or all of it with what this machine has kept from before.
class History {
 public:
  History(Context& context, const LogRequest& request, engine::LogSink sink)
      : m_context(context),
        m_request(request),
        m_sink(std::move(sink)),
        m_cache(context.paths().cache / "logs", request.job.id) {
    m_keep = [this](jobs::LogStream stream, std::string_view data) {
      m_cache.append(stream, data);
      m_sink(stream, data);
    };
  }

  // The last lines, or what is kept here; only `once` asks the host for the rest: the others go on by
  // themselves.
  Async<engine::Followed> print() {
    jobs::LogState state;
    if (m_request.tail) {
      const auto host = co_await m_context.fleet().host(m_request.job.place);
      jobs::JobHost jobs_there(*host);
      const auto lines = static_cast<std::uint64_t>(*m_request.tail);
      std::function<void(std::string_view)> output = [this](std::string_view data) {
        m_sink(jobs::LogStream::output, data);
      };
      state = co_await jobs_there.tail_log(m_request.job.id, lines, std::move(output), k_first_byte);
      m_offsets.output = state.size;
      m_keep = m_sink;  // what came before is not here: nothing can be appended to what is kept
    } else {
      m_offsets = m_cache.replay(m_sink);
      const bool is_all = m_request.mode == LogRequest::Mode::once && !m_request.loop;
      if (is_all) {
        const auto host = co_await m_context.fleet().host(m_request.job.place);
        state = co_await news(*host);
      }
    }
    co_return engine::Followed{state.state, state.exit_code};
  }

  Async<jobs::LogState> news(remote::Host& host) {
    std::function<void(jobs::LogStream)> truncated = [this](jobs::LogStream stream) {
      m_cache.clear(stream);
      m_context.progress().note(
          "the log is shorter than it was: it was truncated, here it is from its beginning");
    };
    co_return co_await engine::read_news(host, m_request.job.id, m_offsets, m_keep, std::move(truncated));
  }

  [[nodiscard]] jobs::Offsets offsets() const { return m_offsets; }
  [[nodiscard]] const engine::LogSink& keep() const { return m_keep; }

 private:
  Context& m_context;
  const LogRequest& m_request;
  engine::LogSink m_sink;
  engine::LogSink m_keep;
  engine::LogCache m_cache;
  jobs::Offsets m_offsets;
};

Async<engine::Followed> poll(Context& context, const LogRequest& request, History& history,
                             engine::Followed last) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor);
  bool is_first = true;
  while (!model::is_final(last.state) && last.state != model::JobState::leftovers) {
    if (!is_first) {
      timer.expires_after(std::chrono::seconds(*request.loop));
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    std::optional<Error> failure;
    try {
      const auto host = co_await context.fleet().host(request.job.place);
      const auto state = co_await history.news(*host);
      last = {state.state, state.exit_code};
      is_first = false;
    } catch (const Error& error) {
      failure = error;
    }
    if (!failure) continue;
    const bool is_worth_it = co_await engine::may_be_repeated(*failure);
    if (!is_worth_it || is_first) throw *failure;
    context.progress().note(std::string(failure->what()) + "; trying again");
    context.fleet().forget(request.job.place);
  }
  co_return last;
}

Async<engine::Followed> show(Context& context, const LogRequest& request, engine::LogSink sink) {
  History history(context, request, std::move(sink));
  auto followed = co_await history.print();
  if (request.loop) followed = co_await poll(context, request, history, followed);
  if (request.mode == LogRequest::Mode::follow) {
    followed = co_await engine::follow(context.fleet(), request.job, history.offsets(), history.keep(),
                                       context.progress());
  }
  co_return followed;
}

int print_json(Context& context, const LogRequest& request) {
  nlohmann::json json = {{"id", request.job.id.text()}, {"instance", request.job.place.label}};
  std::string output;
  std::string error;
  engine::LogSink sink = [&](jobs::LogStream stream, std::string_view data) {
    (stream == jobs::LogStream::output ? output : error) += data;
  };
  return context.run([&]() -> Async<int> {
    const auto followed = co_await show(context, request, sink);
    json["state"] = to_string(followed.state);
    json["exit_code"] = followed.exit_code ? nlohmann::json(*followed.exit_code) : nlohmann::json(nullptr);
    json["output"] = output;
    json["error"] = error;
    context.console().out(to_text(json));
    co_return 0;
  });
}

void say_how_it_ended(Context& context, const engine::Followed& followed) {
  const bool ended_well = followed.state == model::JobState::done && followed.exit_code.value_or(1) == 0;
  if (!model::is_final(followed.state) || ended_well) return;
  std::string text = "the job ";
  if (followed.state == model::JobState::done) {
    text += "ended with exit code " + std::to_string(followed.exit_code.value_or(-1));
  } else {
    text += followed.state == model::JobState::rebooted ? "was ended by a reboot of its host"
            : followed.state == model::JobState::lost   ? "vanished without an exit status"
                                                        : "never started";
  }
  context.progress().note(text);
}

}  // namespace

int run_log(Context& context, const Parsed& parsed) {
  const auto request = read_request(context, parsed);
  if (context.is_json()) return print_json(context, request);
  LogPrinter printer(context.console(), context.colour(), parsed.text("filter"));
  engine::LogSink sink = [&printer](jobs::LogStream stream, std::string_view data) {
    printer.print(stream, data);
  };
  engine::Followed followed;
  context.run([&]() -> Async<int> {
    followed = co_await show(context, request, sink);
    co_return 0;
  });
  printer.finish();
  say_how_it_ended(context, followed);
  if (!parsed.has("exit-code")) return 0;
  if (!model::is_final(followed.state))
    throw Error(ErrorKind::usage, "the job still runs, it has no exit code yet", "add --follow");
  return followed.exit_code ? *followed.exit_code : static_cast<int>(ExitCode::transport);
}

}  // namespace re::cli
