#include "cli/context.hpp"

#include <unistd.h>

#include <cerrno>
#include <csignal>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <filesystem>
#include <map>

#include "cli/exit_code.hpp"
#include "cli/prompter.hpp"
#include "re/base/strings.hpp"
#include "re/base/units.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "re/sys/terminal.hpp"
#include "re/ui/progress.hpp"

namespace re::cli {

namespace asio = boost::asio;

namespace {

// The reader has gone (`re log | head`): we end as any program does that keeps SIGPIPE.
[[noreturn]] void end_as_broken_pipe() {
  sys::restore_terminal();
  ::signal(SIGPIPE, SIG_DFL);
  ::raise(SIGPIPE);
  ::_exit(128 + SIGPIPE);
}

ui::Stream standard_stream(int fd) {
  ui::Stream stream;
  stream.write = [fd](std::string_view text) {
    try {
      sys::write_all(fd, text);
    } catch (const Error&) {
      if (errno != EPIPE) throw;
      end_as_broken_pipe();
    }
  };
  stream.sink = sys::is_terminal(fd) ? ui::Sink::terminal : ui::Sink::other;
  stream.columns = [fd] { return std::size_t{sys::window_size(fd).value_or(sys::WindowSize{}).columns}; };
  stream.rows = [fd] { return std::size_t{sys::window_size(fd).value_or(sys::WindowSize{}).rows}; };
  return stream;
}

// With --json and --quiet the status line and remarks are left out; errors are printed by run().
class QuietProgress final : public Progress {
 public:
  void step(std::string_view) override {}
  void advance(std::uint64_t, std::uint64_t) override {}
  void note(std::string_view) override {}
};

sys::Secret run_password_command(const std::string& command) {
  auto captured = sys::run_captured({"/bin/sh", "-c", command});
  if (!captured.status.succeeded()) {
    throw Error(ErrorKind::auth, "password_command failed: " + std::string(trim(captured.error)),
                "run it by hand: " + command);
  }
  const auto end = captured.output.find_first_of("\r\n");
  sys::Secret secret(std::string_view(captured.output).substr(0, end));
  sys::wipe(captured.output.data(), captured.output.size());
  return secret;
}

std::function<sys::Secret()> password_source(const config::InstanceSettings& instance) {
  if (const auto secret = instance.password.value) return [secret] { return secret->clone(); };
  if (instance.password_command.value.empty()) return {};
  return [command = instance.password_command.value] { return run_password_command(command); };
}

transport::UnknownHost unknown_host_policy(config::HostKeyPolicy policy) {
  if (policy == config::HostKeyPolicy::accept_new) return transport::UnknownHost::accept_new;
  return policy == config::HostKeyPolicy::strict ? transport::UnknownHost::refuse
                                                 : transport::UnknownHost::ask;
}

transport::Target to_target(const config::InstanceSettings& instance) {
  transport::Target target;
  target.name = instance.label();
  target.host = instance.host.value;
  target.user = instance.username.value;
  target.port = instance.port.value;
  target.identity_files = instance.identity_files.value;
  target.connect_timeout = instance.connect_timeout.value;
  const bool is_local = instance.transport.value == config::TransportKind::local;
  target.kind =
      is_local ? transport::Kind::local : *transport::parse_kind(config::to_string(instance.transport.value));
  target.unknown_host = unknown_host_policy(instance.host_key.value);
  target.ssh_config = instance.ssh_config.value;
  target.password = password_source(instance);
  return target;
}

std::string registry_key(const config::InstanceSettings& instance) {
  if (instance.transport.value == config::TransportKind::local) return "local";
  std::string key = instance.username.value.empty() ? std::string() : instance.username.value + "@";
  const bool is_ipv6 = instance.host.value.find(':') != std::string::npos;
  key += is_ipv6 ? "[" + instance.host.value + "]" : instance.host.value;
  if (instance.port.value) key += ":" + std::to_string(*instance.port.value);
  return key;
}

}  // namespace

struct Context::Parts {
  ui::Console console{standard_stream(1), standard_stream(2)};
  std::unique_ptr<Progress> progress;
  std::unique_ptr<TerminalPrompter> prompter;
  asio::io_context io{1};
  std::optional<config::Settings> settings;
  std::optional<std::optional<project::Project>> project;
  std::optional<jobs::Registry> registry;
  std::optional<transport::ConnectContext> connect_context;
  std::optional<engine::Fleet> fleet;
};

Context::Context(const Parsed& parsed)
    : m_config_file(parsed.text("config")),
      m_paths(sys::user_paths(sys::process_environment())),
      m_parts(std::make_unique<Parts>()) {
  if (parsed.has("quiet")) m_mode = OutputMode::quiet;
  if (parsed.has("json")) m_mode = OutputMode::json;
  m_use_master = !parsed.has("no-master");
  const std::string colour = parsed.text("color").value_or("auto");
  const auto choice = ui::parse_colour_choice(colour);
  if (!choice) throw Error(ErrorKind::usage, "--color takes auto, always or never, not \"" + colour + "\"");
  m_colour = ui::choose_colour(*choice, m_parts->console.out_sink(), sys::process_environment());
  if (m_mode == OutputMode::human) {
    m_parts->progress = std::make_unique<ui::TerminalProgress>(m_parts->console);
  } else {
    m_parts->progress = std::make_unique<QuietProgress>();
  }
  m_parts->prompter = std::make_unique<TerminalPrompter>(*m_parts->progress, m_parts->console);
}

Context::~Context() = default;

ui::Console& Context::console() {
  return m_parts->console;
}
Progress& Context::progress() {
  return *m_parts->progress;
}
transport::Prompter& Context::prompter() {
  return *m_parts->prompter;
}
IoContext& Context::io() {
  return m_parts->io;
}

config::Sources Context::sources() {
  config::Sources sources;
  sources.paths = m_paths;
  if (m_config_file) sources.explicit_file = *m_config_file;
  if (project()) sources.project_file = project()->root / ".recompute/config";
  return sources;
}

const config::Settings& Context::settings() {
  if (!m_parts->settings) m_parts->settings = config::load_settings(sources());
  return *m_parts->settings;
}

const std::optional<project::Project>& Context::project() {
  if (!m_parts->project) m_parts->project = project::find_project(std::filesystem::current_path());
  return *m_parts->project;
}

const project::Project& Context::require_project() {
  if (project()) return *project();
  throw Error(ErrorKind::not_found, std::filesystem::current_path().string() + " is in no project",
              "run `re init` in your project first");
}

void Context::forget_project() {
  m_parts->project.reset();
}

jobs::Registry& Context::registry() {
  if (!m_parts->registry) {
    sys::ensure_private_directory(m_paths.state);
    m_parts->registry = jobs::Registry::open(m_paths.state / "registry.db", m_clock);
    if (!m_parts->registry->note().empty()) progress().note(m_parts->registry->note());
  }
  return *m_parts->registry;
}

engine::Fleet& Context::fleet() {
  if (!m_parts->fleet) {
    const auto persist = settings().general.persist.value;
    std::optional<transport::MasterOptions> master;
    if (persist.count() > 0 && m_use_master) master = transport::MasterOptions{m_paths.runtime, persist};
    m_parts->connect_context.emplace(
        transport::ConnectContext{prompter(), progress(), m_paths.state, m_paths.runtime, std::move(master)});
    m_parts->connect_context->memory = transport::make_connect_memory(m_paths.cache);
    m_parts->fleet.emplace(*m_parts->connect_context);
  }
  return *m_parts->fleet;
}

engine::Place Context::to_place(const config::InstanceSettings& instance, const Parsed& parsed) {
  engine::Place place;
  place.label = instance.label();
  place.key = registry_key(instance);
  place.target = to_target(instance);
  place.remote_home = parsed.text("remote-home").value_or(instance.remote_home.value);
  if (place.remote_home.empty() || !place.remote_home.ends_with('/')) place.remote_home += '/';
  place.python = instance.python.value;
  return place;
}

std::vector<engine::Place> Context::places_named(const std::vector<std::string>& names,
                                                 const Parsed& parsed) {
  const std::string selector = join(names, ",");
  const std::optional<std::string_view> view =
      names.empty() ? std::nullopt : std::optional<std::string_view>(selector);
  std::vector<engine::Place> places;
  for (const auto& instance : config::resolve(settings(), view)) places.push_back(to_place(instance, parsed));
  return places;
}

namespace {

std::vector<std::string> instance_names(const Parsed& parsed) {
  auto names = parsed.all("instance");
  const auto index = parsed.text("instance-idx");
  if (!index) return names;
  if (names.empty()) return {*index};
  throw Error(ErrorKind::usage, "-i and --instance-idx say the same thing", "give one of them");
}

}  // namespace

std::vector<engine::Place> Context::places(const Parsed& parsed) {
  return places_named(instance_names(parsed), parsed);
}

engine::Place Context::place(const Parsed& parsed) {
  auto names = instance_names(parsed);
  if (names.size() > 1) names = {names.back()};  // as with every option that can be given once
  auto places = places_named(names, parsed);
  if (places.size() == 1) return std::move(places.front());
  throw Error(ErrorKind::usage,
              "this command works on one instance, and -i " + names.front() + " names " +
                  std::to_string(places.size()),
              "name one of them");
}

std::vector<engine::Place> Context::all_places(const Parsed& parsed) {
  std::vector<engine::Place> places;
  for (const auto& instance : config::resolve(settings(), "all"))
    places.push_back(to_place(instance, parsed));
  return places;
}

engine::Place Context::place_of(const std::string& key, const Parsed& parsed) {
  return std::move(places_of({key}, parsed).front());
}

std::vector<engine::Place> Context::places_of(const std::vector<std::string>& keys, const Parsed& parsed) {
  std::map<std::string, engine::Place> known;
  for (auto& place : all_places(parsed)) {
    std::string key = place.key;
    known.try_emplace(std::move(key), std::move(place));
  }
  std::vector<engine::Place> places;
  for (const auto& key : keys) {
    const auto found = known.find(key);
    places.push_back(found != known.end() ? found->second
                                          : to_place(config::resolve(settings(), key).front(), parsed));
  }
  return places;
}

std::chrono::milliseconds Context::deadline(const Parsed& parsed) {
  const auto text = parsed.text("deadline");
  if (!text) return settings().general.deadline.value;
  const auto duration = parse_duration(*text);
  if (duration && duration->count() > 0) return *duration;
  throw Error(ErrorKind::usage, "--deadline takes a time such as 10s or 2min, not \"" + *text + "\"");
}

namespace {

// The loop may be busy for long, with the files of a large project or a disk that hangs, and hear no signal
// meanwhile. Who asks again and again is heard here.
constexpr int k_patience = 3;
volatile std::sig_atomic_t g_unheard = 0;
void (*volatile g_pass_on)(int) = nullptr;

extern "C" void count_signal(int signal) {
  const int unheard = g_unheard + 1;
  g_unheard = unheard;
  if (unheard >= k_patience) {
    sys::restore_terminal();
    ::_exit(128 + signal);
  }
  g_pass_on(signal);
}

// Stands before Asio's handler, which Asio takes away with its signal set.
void count_signals() {
  g_unheard = 0;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action{};
    if (::sigaction(signal, nullptr, &action) != 0 || action.sa_handler == count_signal) continue;
    g_pass_on = action.sa_handler;
    action.sa_handler = count_signal;
    ::sigaction(signal, &action, nullptr);
  }
}

// What a running command and its signals share.
struct Run {
  explicit Run(asio::io_context& io) : signals(io, SIGINT, SIGTERM, SIGHUP) { count_signals(); }
  asio::signal_set signals;
  asio::cancellation_signal stop;
  std::exception_ptr failure;
  int code = 0;
  int signal = 0;
  bool has_ended = false;
};

void watch_signals(Run& run, const std::function<bool(int)>& on_signal) {
  run.signals.async_wait([&run, &on_signal](const boost::system::error_code& error, int signal) {
    g_unheard = 0;
    if (error || run.has_ended) return;
    const bool is_taken = on_signal && on_signal(signal);
    if (!is_taken && run.signal != 0) {  // asked twice: the first was not heard
      sys::restore_terminal();
      ::_exit(128 + signal);
    }
    if (!is_taken) {
      run.signal = signal;
      run.stop.emit(asio::cancellation_type::all);
    }
    watch_signals(run, on_signal);
  });
}

// What was in the midst of it may know what is left to do: its error then has a hint.
Error interrupted(const Run& run) {
  const std::string signal = "interrupted by " + sys::signal_name(run.signal);
  try {
    if (run.failure) std::rethrow_exception(run.failure);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted && !error.hint().empty()) return Error(error).within(signal);
  } catch (const std::exception&) {  // the cancellation itself
  }
  return Error(ErrorKind::interrupted, signal);
}

}  // namespace

int Context::run(std::function<Async<int>()> task, const std::function<bool(int)>& on_signal) {
  asio::io_context& io = m_parts->io;
  Run run(io);
  watch_signals(run, on_signal);
  asio::co_spawn(io, std::move(task),
                 asio::bind_cancellation_slot(run.stop.slot(), [&run](std::exception_ptr failure, int code) {
                   run.failure = std::move(failure);
                   run.code = code;
                   run.has_ended = true;
                   run.signals.cancel();
                 }));
  io.restart();
  while (!run.has_ended && io.run_one() > 0) {
  }
  m_parts->console.clear_status();
  if (m_parts->fleet) {
    asio::co_spawn(io, m_parts->fleet->close(), [&run](const std::exception_ptr&) { run.has_ended = false; });
    for (io.restart(); run.has_ended && io.run_one() > 0;) {
    }
  }
  if (run.signal != 0) throw interrupted(run);
  if (run.failure) std::rethrow_exception(run.failure);
  return run.code;
}

std::string project_path(const engine::Place& place, const std::string& name) {
  return place.remote_home + name;
}

}  // namespace re::cli
