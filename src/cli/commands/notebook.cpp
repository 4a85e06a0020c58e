#include "re/engine/notebook.hpp"

#include <boost/asio/awaitable.hpp>
#include <csignal>
#include <nlohmann/json.hpp>

#include "cli/browser.hpp"
#include "cli/commands/all.hpp"
#include "cli/files.hpp"
#include "cli/jobs.hpp"
#include "cli/json.hpp"
#include "re/base/shell.hpp"
#include "re/base/strings.hpp"
#include "re/engine/follow.hpp"
#include "re/engine/forward.hpp"
#include "re/engine/submit.hpp"
#include "re/ui/text.hpp"

namespace re::cli {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto k_request_deadline = 60s;
constexpr auto k_start_limit = 180s;  // a cold python on a network file system
constexpr std::size_t k_token_bytes = 24;
// Jupyter takes this port or, where it is taken, one near it. Each begins elsewhere, below the ephemeral
// ports.
constexpr unsigned k_first_port = 10'000;
constexpr unsigned k_ports = 20'000;
constexpr std::string_view k_port_retries = "200";

unsigned random_port() {
  const auto digits = sys::random_hex(4);
  return k_first_port + static_cast<unsigned>(std::stoul(digits, nullptr, 16) % k_ports);
}

// The server's command; its directory is the working directory.
std::string server_command(const jobs::Jupyter& jupyter, const std::string& directory) {
  std::vector<std::string> words = jupyter.program;
  words.insert(words.end(), {"--no-browser", "--ip=127.0.0.1", "--port=" + std::to_string(random_port()),
                             "--port-retries=" + std::string(k_port_retries)});
  if (jupyter.is_root) words.emplace_back("--allow-root");
  const std::string command = shell_join(words);
  return directory.empty() ? command : "cd " + shell_quote(directory) + " && exec " + command;
}

// A server, and the job that it is.
class Notebook {
 public:
  Notebook(Context& context, const Parsed& parsed)
      : m_context(context),
        m_parsed(parsed),
        m_wanted_port(static_cast<unsigned short>(parsed.number("port", 0, 65'535).value_or(0))) {}

  int start();
  int attach(const jobs::RegistryRecord& record);

 private:
  enum class End { with_us, by_itself };
  int run(const std::function<Async<void>()>& begin, End end);
  Async<void> submit();
  void require(const jobs::Jupyter& jupyter) const;
  engine::SubmitRequest request_for(const jobs::Jupyter& jupyter);
  Async<void> wait();
  Async<void> serve();
  Async<void> watch_job(engine::Crowd& crowd);
  void listen(engine::Forwarder& forwarder);
  void report_url();
  void report_left();
  [[nodiscard]] json to_json() const;

  Context& m_context;
  const Parsed& m_parsed;
  const unsigned short m_wanted_port;  ///< 0: any
  std::optional<engine::Place> m_place;
  std::optional<jobs::RegistryRecord> m_job;  ///< once it may run
  std::optional<jobs::JupyterServer> m_server;
  std::optional<engine::Followed> m_followed;  ///< how it ended by itself
  std::optional<BrowserVisit> m_browser;
  unsigned short m_port = 0;
  std::string m_url;
};

void Notebook::require(const jobs::Jupyter& jupyter) const {
  if (!jupyter.program.empty()) return;
  throw Error(ErrorKind::unsupported, m_place->label + " has no jupyter",
              "python3 -m pip install jupyterlab, in .venv of the project there or for its user");
}

engine::SubmitRequest Notebook::request_for(const jobs::Jupyter& jupyter) {
  const auto project = project_with_id(m_context);
  engine::SubmitRequest request{*m_place, remote_project(m_context, *m_place, project),
                                model::JobSpec{.id = m_context.new_job_id()}};
  auto& spec = request.spec;
  spec.name = m_parsed.text("name").value_or("notebook");
  spec.command = server_command(jupyter, m_parsed.text("dir").value_or(""));
  spec.work_tree = model::WorkTree::live;
  spec.submitted_from = sys::user_name() + "@" + sys::host_name();
  const std::string runtime = jupyter.home + "/.re/jobs/" + spec.id.text() + "/";
  spec.environment = {{"JUPYTER_TOKEN", sys::random_hex(k_token_bytes)},
                      {"JUPYTER_RUNTIME_DIR", runtime + std::string(jobs::k_jupyter_directory)}};
  // What was edited there is newer than what is here.
  const bool brings_files = !jupyter.has_project || m_parsed.has("rsync");
  request.source = brings_files ? engine::Source::current : engine::Source::last_snapshot;
  return request;
}

Async<void> Notebook::submit() {
  m_context.progress().step("connecting to " + m_place->label);
  const auto host = co_await m_context.fleet().host(*m_place);
  std::string directory = remote_project(m_context, *m_place, m_context.require_project()).directory;
  const auto jupyter = co_await jobs::find_jupyter(*host, directory, k_request_deadline);
  require(jupyter);
  auto request = request_for(jupyter);
  const JobId id = request.spec.id;
  auto files = project_files(m_context, m_context.require_project());
  engine::Submitter submitter(m_context.fleet(), m_context.registry(), m_context.progress());
  std::exception_ptr failure;
  try {
    co_await submitter.submit(std::move(request), files);
  } catch (...) {
    failure = std::current_exception();
  }
  m_job = m_context.registry().find_id(id);  // also when its answer was lost, and it may run
  if (failure) std::rethrow_exception(failure);
  m_context.console().clear_status();
  m_context.progress().note("job " + std::to_string(m_job->index) + " (" + ui::sanitise_line(m_job->name) +
                            ") saves to " + ui::sanitise_line(directory) + " on " + m_place->label +
                            "; fetch with re pull");
}

Async<void> Notebook::wait() {
  m_context.progress().step("waiting for the notebook server");
  const auto host = co_await m_context.fleet().host(*m_place);
  m_server = co_await jobs::wait_for_jupyter(*host, m_job->id, k_start_limit);
  co_await engine::check_jupyter(*host, *m_server, k_request_deadline);
  m_context.console().clear_status();
}

json Notebook::to_json() const {
  return {{"index", m_job->index},
          {"id", m_job->id.text()},
          {"instance", m_place->label},
          {"remote_port", m_server->port},
          {"local_port", m_port == 0 ? json(nullptr) : json(m_port)},
          {"url", m_url.empty() ? json(nullptr) : json(m_url)}};
}

void Notebook::report_left() {
  const std::string index = std::to_string(m_job->index);
  if (m_context.is_json()) {
    m_context.console().out(to_text(to_json()));
  } else if (m_context.mode() == OutputMode::quiet) {
    m_context.console().out(index + "\n");
  } else {
    m_context.console().out("job " + index + " runs; open it with: re notebook " + index + "\n");
  }
}

void Notebook::listen(engine::Forwarder& forwarder) {
  m_port = forwarder.listen(m_context.io(), {"", m_wanted_port, "127.0.0.1", m_server->port});
  const std::string scheme = m_server->is_secure ? "https" : "http";
  m_url = scheme + "://127.0.0.1:" + std::to_string(m_port) + m_server->base_url;
  if (!m_server->token.empty()) m_url += "?token=" + m_server->token;
}

void Notebook::report_url() {
  if (m_context.is_json()) {
    m_context.console().out(to_text(to_json()));
  } else {
    m_context.console().out(m_url + "\n");
  }
  if (m_parsed.has("open")) m_browser.emplace(m_context, m_context.paths().runtime, m_url);
}

// When the server ends, so does the forward.
Async<void> Notebook::watch_job(engine::Crowd& crowd) {
  NoProgress silence;  // the forward says what becomes of the connection
  engine::JobPlace place{*m_place, m_job->id};
  engine::LogSink sink = [](jobs::LogStream, std::string_view) {};
  m_followed = co_await engine::follow(m_context.fleet(), std::move(place), {}, std::move(sink), silence);
  crowd.cancel(0);
}

Async<void> Notebook::serve() {
  engine::Forwarder forwarder(m_context.fleet(), *m_place, m_context.progress());
  listen(forwarder);
  engine::Crowd crowd(2);
  engine::Crowd::Work work = [&](std::size_t i) -> Async<void> {
    if (i == 1) return watch_job(crowd);
    return forwarder.serve([this] { report_url(); });
  };
  const auto failures = co_await crowd.run(std::move(work), {});
  if (m_followed) co_return;
  for (const auto& failure : failures) {
    if (failure) throw Error(*failure);
  }
}

// Ctrl-C ends what was begun here. Who closes the terminal keeps the server, as with every job.
int Notebook::run(const std::function<Async<void>()>& begin, End end) {
  std::optional<Error> failure;
  int signal = 0;
  const bool stays = m_parsed.has("run-async");
  const auto on_signal = [&signal](int number) {
    signal = number;
    return false;
  };
  try {
    m_context.run(
        [&]() -> Async<int> {
          co_await begin();
          co_await wait();
          if (stays) {
            report_left();
          } else {
            co_await serve();
          }
          co_return 0;
        },
        on_signal);
  } catch (const Error& error) {
    failure = error;
  }
  m_browser.reset();
  const bool has_ended = failure && failure->kind() == ErrorKind::remote && !m_server;
  const bool is_ended_here = m_job && end == End::with_us && failure && signal != SIGHUP && !has_ended;
  if (is_ended_here) {
    const int code = kill_and_report(m_context, m_parsed, {*m_job});
    if (signal == 0) throw Error(*failure);
    return code;
  }
  if (failure && signal != 0 && end == End::by_itself && m_server) {
    m_context.progress().note("job " + std::to_string(m_job->index) + " goes on; re kill " +
                              std::to_string(m_job->index) + " ends it");
    return 0;
  }
  if (failure) throw Error(*failure);
  if (!m_followed) return 0;
  m_context.progress().note("job " + std::to_string(m_job->index) + " has ended");
  return m_followed->exit_code.value_or(1) == 0 ? 0 : 1;
}

int Notebook::start() {
  m_context.require_project();
  m_place = m_context.place(m_parsed);
  return run([this] { return submit(); }, End::with_us);
}

int Notebook::attach(const jobs::RegistryRecord& record) {
  if (m_parsed.has("run-async") || m_parsed.has("dir") || m_parsed.has("rsync"))
    throw Error(ErrorKind::usage, "this option is for a new notebook, and a job is named",
                "re notebook " + std::to_string(record.index));
  m_job = record;
  m_place = m_context.place_of(record.instance, m_parsed);
  const std::function<Async<void>()> begin = []() -> Async<void> { co_return; };
  return run(begin, End::by_itself);
}

}  // namespace

int run_notebook(Context& context, const Parsed& parsed) {
  Notebook notebook(context, parsed);
  if (parsed.arguments.empty()) return notebook.start();
  return notebook.attach(find_job(context, parsed, parsed.arguments.front()));
}

}  // namespace re::cli
