#include "re/remote/host.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <utility>

#include "re/sys/deadline.hpp"
#include "re/sys/random.hpp"
#include "remote/login.hpp"
#include "remote/marks.hpp"
#include "remote/scripts.hpp"

namespace re::remote {

namespace {

using transport::Chunk;

constexpr std::size_t k_nonce_bytes = 16;
constexpr std::size_t k_noise_limit = std::size_t{1} << 20U;

class MarkedRun final : public ScriptRun {
 public:
  MarkedRun(std::unique_ptr<transport::Channel> channel, const std::string& nonce, std::string host)
      : m_channel(std::move(channel)), m_output(nonce), m_error(nonce), m_host(std::move(host)) {}

  enum class Begun { yes, stale_login };
  // Sends the script and waits for the mark on stdout. What comes of the payload meanwhile is kept for
  // read().
  Async<Begun> begin(std::string script) {
    co_await m_channel->write(script);
    std::string().swap(script);  // a fleet has hundreds of them
    while (!m_output.has_begun()) {
      const Chunk chunk = co_await m_channel->read();
      take(chunk);
      if (m_has_ended) {
        const auto status = co_await m_channel->wait();
        if (status.code == k_stale_login) co_return Begun::stale_login;
        throw no_answer();
      }
      if (m_output.noise() + m_error.noise() > k_noise_limit) throw no_answer();
    }
    co_return Begun::yes;
  }

  Async<Chunk> read() override {
    for (;;) {
      if (auto ready = take_ready()) co_return std::move(*ready);
      if (m_has_ended || (m_output.outcome() && m_error.outcome())) co_return Chunk{};
      const Chunk chunk = co_await m_channel->read();
      take(chunk);
    }
  }

  Async<void> write(std::string_view data) override { return m_channel->write(data); }
  Async<void> close_input() override { return m_channel->close_input(); }

  [[nodiscard]] Outcome outcome() const override {
    if (m_output.outcome()) return *m_output.outcome();
    throw Error(ErrorKind::unreachable, "the connection to " + m_host + " was lost");
  }

  [[nodiscard]] std::size_t noise() const override { return m_output.noise(); }

  Async<void> close() override { return m_channel->close(); }

 private:
  void take(const Chunk& chunk) {
    if (chunk.stream == Chunk::Stream::output) m_ready_output += m_output.feed(chunk.data);
    if (chunk.stream == Chunk::Stream::error) take_error(chunk.data);
    if (chunk.stream != Chunk::Stream::end) return;
    m_has_ended = true;
    m_ready_output += m_output.flush();
    m_ready_error += m_error.flush();
  }

  // Before the mark stderr is noise unless the shell never starts: then it is the only clue.
  void take_error(std::string_view data) {
    if (!m_error.has_begun() && m_noise.size() < k_clue_limit) m_noise += data;
    m_ready_error += m_error.feed(data);
  }

  std::optional<Chunk> take_ready() {
    if (!m_ready_output.empty()) return Chunk{Chunk::Stream::output, std::exchange(m_ready_output, {})};
    if (!m_ready_error.empty()) return Chunk{Chunk::Stream::error, std::exchange(m_ready_error, {})};
    return std::nullopt;
  }

  [[nodiscard]] Error no_answer() const {
    std::string clue = m_noise.substr(0, m_noise.find_first_of("\r\n"));
    return {
        ErrorKind::protocol,
        m_host + " did not run our script" + (clue.empty() ? std::string() : ": it said \"" + clue + "\""),
        "log in there with ssh and see that `exec /bin/sh -s` gives a shell"};
  }

  static constexpr std::size_t k_clue_limit = 4096;

  std::unique_ptr<transport::Channel> m_channel;
  MarkScanner m_output;
  MarkScanner m_error;
  std::string m_ready_output;
  std::string m_ready_error;
  std::string m_noise;
  std::string m_host;
  bool m_has_ended = false;
};

Async<Answer> collect(ScriptRun& run, const std::string& host) {
  Answer answer;
  for (;;) {
    Chunk chunk = co_await run.read();
    if (chunk.stream == Chunk::Stream::end) break;
    (chunk.stream == Chunk::Stream::output ? answer.output : answer.error) += chunk.data;
    if (answer.output.size() + answer.error.size() > Host::k_answer_limit) {
      throw Error(ErrorKind::protocol,
                  host + " answered with more than " + std::to_string(Host::k_answer_limit) + " bytes");
    }
  }
  answer.outcome = run.outcome();
  answer.noise = run.noise();
  co_return answer;
}

}  // namespace

Host::Host(std::unique_ptr<transport::Connection> connection, std::string name)
    : m_connection(std::move(connection)), m_name(std::move(name)) {}

Host::~Host() = default;

// \param preamble  what a shell of the kind is given that is started ahead for the next call: none, where
// this one is not to come from those
Async<Host::Shell> Host::open_shell(std::string_view library, std::string preamble) {
  transport::ExecRequest request;
  request.command = transport::k_shell_command;
  request.preamble = std::move(preamble);
  Shell shell;
  shell.channel = co_await m_connection->exec(std::move(request));
  shell.script = render_library(shell.channel->has_preamble() ? std::string_view() : library);
  co_return shell;
}

Async<void> Host::expect(std::string library, std::string preparation, std::chrono::milliseconds deadline) {
  m_expected_library = std::move(library);
  const std::string preamble = render_preamble(m_expected_library, preparation);
  Shell shell;
  try {
    const std::string what = "waiting for a shell on " + m_name;
    co_await sys::with_deadline(deadline, what, [&]() -> Async<void> {
      shell = co_await open_shell(m_expected_library, preamble);
      co_await shell.channel->write(shell.script);
    });
    m_expected = std::move(shell.channel);
    co_return;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
  }
  if (shell.channel) co_await shell.channel->close();
}

// Nothing when it has to be tried once more.
Async<std::unique_ptr<ScriptRun>> Host::start_once(const ScriptCall& call, Attempt attempt) {
  const std::string nonce = sys::random_hex(k_nonce_bytes);
  Shell shell{std::move(m_expected), {}};
  if (shell.channel && call.library != m_expected_library) {
    co_await shell.channel->close();
    shell.channel.reset();
  }
  if (!shell.channel) {
    std::string preamble;
    if (attempt == Attempt::first) preamble = render_preamble(call.library, call.preparation);
    shell = co_await open_shell(call.library, std::move(preamble));
  }
  shell.script += render_call(call, nonce);
  auto run = std::make_unique<MarkedRun>(std::move(shell.channel), nonce, m_name);
  auto begun = MarkedRun::Begun::stale_login;
  try {
    begun = co_await run->begin(std::move(shell.script));
  } catch (const Error& error) {
    const bool may_repeat = attempt == Attempt::first && call.repeat == ScriptCall::Repeat::allowed;
    if (error.kind() != ErrorKind::unreachable || !may_repeat) throw;
  }
  if (begun == MarkedRun::Begun::yes) co_return run;
  co_await run->close();
  co_return nullptr;
}

Async<std::unique_ptr<ScriptRun>> Host::start(ScriptCall call, std::chrono::milliseconds deadline) {
  std::unique_ptr<ScriptRun> run;
  const std::string what = "waiting for a shell on " + m_name;
  co_await sys::with_deadline(deadline, what, [this, &call, &run]() -> Async<void> {
    run = co_await start_once(call, Attempt::first);
    if (!run) run = co_await start_once(call, Attempt::second);
  });
  co_return run;
}

Async<Answer> Host::run(ScriptCall call, std::chrono::milliseconds deadline) {
  Answer answer;
  std::unique_ptr<ScriptRun> run;
  const std::string what = "a request to " + m_name;
  co_await sys::with_deadline(deadline, what, [this, &call, &answer, &run, deadline]() -> Async<void> {
    run = co_await start(std::move(call), deadline);
    co_await run->close_input();
    answer = co_await collect(*run, m_name);
  });
  co_await run->close();
  co_return answer;
}

}  // namespace re::remote
