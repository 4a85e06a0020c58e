#include "transport/openssh_master.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <cstdlib>
#include <functional>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/deadline.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"
#include "re/transport/askpass.hpp"
#include "transport/askpass_server.hpp"
#include "transport/connect_memory.hpp"
#include "transport/mux_socket.hpp"
#include "transport/openssh_failure.hpp"
#include "transport/turned_away.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// OpenSSH has no limit of its own but TCP's.
constexpr std::chrono::seconds k_default_limit{30};
// A lost network is noticed after this, where the user's configuration does not say.
constexpr int k_alive_interval_seconds = 15;
constexpr std::size_t k_log_limit = std::size_t{64} << 10U;

// sun_path is 108 bytes; ssh binds "<path>.<16 random characters>" first, and ends it with NUL.
constexpr std::size_t k_socket_path_limit = 107 - 17;

// ssh expands "%", "~" and "${…}" in the path, and splits the configuration's words at blanks.
bool is_usable_for_sockets(const fs::path& directory) {
  constexpr std::string_view k_longest_name = "/ssh-XXXXXX/ctl";
  const std::string text = directory.string();
  const bool is_plain = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-+,:@").find(c) != std::string_view::npos;
  });
  return is_plain && text.starts_with('/') && text.size() + k_longest_name.size() <= k_socket_path_limit;
}

std::string destination_of(const Target& target, const EffectiveConfig& config) {
  constexpr unsigned short k_ssh_port = 22;
  const std::string login = config.user + "@" + target.host;
  return config.port == k_ssh_port ? login : login + ":" + std::to_string(config.port);
}

// Changed keys are always refused here, so OpenSSH's "no" becomes accept-new.
std::string_view host_key_checking(const Target& target, const EffectiveConfig& config) {
  if (target.unknown_host == UnknownHost::refuse) return "yes";
  if (target.unknown_host == UnknownHost::accept_new) return "accept-new";
  const std::string& configured = config.strict_host_key_checking;
  if (configured == "true" || configured == "yes") return "yes";
  if (configured == "false" || configured == "no" || configured == "off" || configured == "accept-new")
    return "accept-new";
  return "ask";
}

// What a name may not hold, by ssh.c's valid_hostname() and valid_ruser(): it could end in a ProxyCommand's
// shell. A host with
// '@' or '/' would be taken for "user@host" or a URI.
void require_safe(std::string_view what, std::string_view name, std::string_view forbidden) {
  const bool is_safe = !name.starts_with('-') && std::none_of(name.begin(), name.end(), [&](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' || forbidden.find(c) != std::string_view::npos;
  });
  if (is_safe) return;
  throw Error(ErrorKind::config, "the " + std::string(what) + " '" + std::string(name) +
                                     "' holds characters that ssh must not be given");
}

// Whether ssh's built-in list of key exchanges is in force, that is, nobody chose one.
bool has_default_kex(const EffectiveConfig& config, const std::string& ssh) {
  const auto defaults = sys::run_captured({ssh, "-F", "none", "-G", "--", "localhost"});
  if (!defaults.status.succeeded()) return false;
  const auto parsed = parse_ssh_config(defaults.output);
  return parsed.has_value() && parsed->kex_algorithms == config.kex_algorithms;
}

// Wakes on whichever of several descriptors is readable first, and at a deadline.
class Watch {
 public:
  explicit Watch(const asio::any_io_executor& executor)
      : m_timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
        m_epoll(executor, ::epoll_create1(EPOLL_CLOEXEC)) {
    add(m_timer.get());
  }
  void add(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(m_epoll.native_handle(), EPOLL_CTL_ADD, fd, &event) != 0)
      throw errno_error("watch ssh", errno);
  }
  void wake_at(Clock::time_point when) {
    const auto left = std::max(when - Clock::now(), Clock::duration(std::chrono::milliseconds(1)));
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(left);
    const itimerspec at{{0, 0}, {whole.count(), std::chrono::nanoseconds(left - whole).count()}};
    ::timerfd_settime(m_timer.get(), 0, &at, nullptr);
  }
  Async<void> wait() {
    boost::system::error_code error;
    co_await m_epoll.async_wait(asio::posix::stream_descriptor::wait_read,
                                asio::redirect_error(asio::use_awaitable, error));
    if (error) throw Error(ErrorKind::interrupted, "connecting was cancelled");
  }

 private:
  sys::Fd m_timer;
  asio::posix::stream_descriptor m_epoll;
};

sys::Fd watch_directory(const fs::path& directory) {
  sys::Fd events(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!events.is_open() ||
      ::inotify_add_watch(events.get(), directory.c_str(), IN_CREATE | IN_MOVED_TO) < 0) {
    throw errno_error("watch " + directory.string(), errno);
  }
  return events;
}

void drain(int fd) {
  std::array<char, 4096> buffer;
  while (::read(fd, buffer.data(), buffer.size()) > 0) {
  }
}

std::vector<std::pair<std::string, std::string>> askpass_environment(const fs::path& directory) {
  std::vector<std::pair<std::string, std::string>> environment = {
      {"SSH_ASKPASS", directory / k_askpass_name},
      {"SSH_ASKPASS_REQUIRE", "force"},
      {k_askpass_socket_variable, directory / "ask"},
  };
  // OpenSSH before 8.4 knows no SSH_ASKPASS_REQUIRE: it asks the program when there is a display and no
  // terminal.
  if (std::getenv("DISPLAY") == nullptr) environment.emplace_back("DISPLAY", "re");
  return environment;
}

}  // namespace

PrivateDirectory::PrivateDirectory(const fs::path& parent) {
  const bool is_usable = is_usable_for_sockets(parent);
  if (is_usable) sys::ensure_private_directory(parent);
  std::string name = (is_usable ? parent / "ssh-XXXXXX" : fs::path("/tmp/re-ssh-XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) throw errno_error("make a directory " + name, errno);
  m_path = name;
}

PrivateDirectory::~PrivateDirectory() {
  std::error_code ignored;
  fs::remove_all(m_path, ignored);
}

std::vector<std::string> master_arguments(const Target& target, const EffectiveConfig& config,
                                          const std::string& control_path, bool prefer_curve25519,
                                          Questions questions) {
  std::vector<std::string> arguments = {"-M", "-N", "-x", "-S", control_path};
  const auto option = [&](const std::string& text) {
    arguments.emplace_back("-o");
    arguments.push_back(text);
  };
  if (target.ssh_config) arguments.insert(arguments.end(), {"-F", target.ssh_config->string()});
  option("ControlPersist=no");
  option("IgnoreUnknown=ForkAfterAuthentication");  // known since OpenSSH 8.7
  option("ForkAfterAuthentication=no");
  option("RemoteCommand=none");
  option("PermitLocalCommand=no");
  option("ClearAllForwardings=yes");  // the user's tunnels belong to their own ssh; their ports would collide
  option("LogLevel=DEBUG1");          // for the host key; the log is private and removed
  option("StrictHostKeyChecking=" + std::string(host_key_checking(target, config)));
  // The hybrid post-quantum exchange that is OpenSSH's default since 9.0 costs 140 to 280 ms of CPU on small
  // machines. What is preferred here is no less safe against all that exists; where the user chose a list,
  // that list stands.
  if (prefer_curve25519) option("KexAlgorithms=^curve25519-sha256,curve25519-sha256@libssh.org");
  if (config.server_alive_interval.count() == 0) {
    option("ServerAliveInterval=" + std::to_string(k_alive_interval_seconds));
  }
  if (target.connect_timeout) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*target.connect_timeout).count();
    option("ConnectTimeout=" + std::to_string(std::max<std::int64_t>(1, seconds)));
  }
  if (questions == Questions::refused) option("BatchMode=yes");  // else ssh sends empty passwords
  if (target.password) option("NumberOfPasswordPrompts=1");      // a wrong password is not tried again
  if (!target.user.empty()) arguments.insert(arguments.end(), {"-l", target.user});
  if (target.port) arguments.insert(arguments.end(), {"-p", std::to_string(*target.port)});
  for (const auto& file : target.identity_files) arguments.insert(arguments.end(), {"-i", file.string()});
  arguments.insert(arguments.end(), {"--", target.host});
  return arguments;
}

OpensshMaster::OpensshMaster(const Target& target, const EffectiveConfig& config,
                             const ConnectContext& context)
    : m_directory(context.runtime_directory),
      m_destination(destination_of(target, config)),
      m_login{config.user, {target.host, to_lower(target.host), config.hostname}},
      m_limit(target.connect_timeout.value_or(config.connect_timeout.value_or(k_default_limit))) {}

OpensshMaster::~OpensshMaster() {
  if (!m_ssh || m_ssh->poll()) return;
  m_ssh->send_signal(SIGTERM);
  constexpr int k_grace_milliseconds = 500;
  pollfd ended{m_ssh->pidfd(), POLLIN, 0};
  if (::poll(&ended, 1, k_grace_milliseconds) != 1) m_ssh->send_signal(SIGKILL);
  try {
    m_ssh->wait();
  } catch (const Error&) {
    // Reaped by somebody else: it has ended, which is all that is wanted.
  }
}

Async<std::shared_ptr<OpensshMaster>> OpensshMaster::start(Target target, ConnectContext context,
                                                           OpensshPrograms programs) {
  if (!context.memory) context.memory = make_connect_memory({});
  require_safe("host", target.host, "'`\"$\\;&<>|(){}@/");
  require_safe("user", target.user, "'`\";&<>|(){}");
  if (!sys::find_program(programs.ssh, sys::process_environment())) {
    throw Error(ErrorKind::not_found,
                "cannot connect to " + target.name + ": " + programs.ssh + " is not installed",
                "install an OpenSSH client, or set transport = ssh2");
  }
  const EffectiveConfig config = co_await effective_ssh_config(target, context.memory->ssh_configs);
  const bool can_answer = context.prompter.can_ask() || target.password;
  const Questions questions = can_answer ? Questions::answered : Questions::refused;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (const auto* pause = k_pauses_when_turned_away.begin();; ++pause) {
    const std::shared_ptr<OpensshMaster> master(new OpensshMaster(target, config, context));
    master->spawn(target, config, programs, questions);
    try {
      co_await master->become_ready(target, context);
      co_return master;
    } catch (const Error&) {
      if (pause == k_pauses_when_turned_away.end() || !is_turned_away(master->log())) throw;
    }
    timer.expires_after(*pause);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

void OpensshMaster::spawn(const Target& target, const EffectiveConfig& config,
                          const OpensshPrograms& programs, Questions answered) {
  const fs::path& directory = m_directory.path();
  fs::create_symlink(programs.askpass.empty() ? sys::own_executable() : programs.askpass,
                     directory / k_askpass_name);
  const bool prefer_curve25519 = has_default_kex(config, programs.ssh);
  // A file and not a pipe: nobody has to drain it while the connection lives.
  const sys::Fd log = sys::open_file(log_path(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  sys::SpawnOptions options;
  options.arguments = master_arguments(target, config, control_path().string(), prefer_curve25519, answered);
  options.arguments.insert(options.arguments.begin(), programs.ssh);
  options.environment = askpass_environment(directory);
  if (target.agent_socket) options.environment.emplace_back("SSH_AUTH_SOCK", *target.agent_socket);
  options.input = -1;
  options.output = log.get();
  options.error = log.get();
  options.session = sys::Session::own;
  options.on_parent_death = sys::ParentDeath::terminate;
  m_questions.emplace(directory / "ask");
  m_ssh = sys::Child::spawn(options);
}

Async<void> OpensshMaster::become_ready(const Target& target, const ConnectContext& context) {
  const AskpassServer questions = std::move(m_questions.value());  // ssh asks nothing after it is ready
  AskpassAnswers answers(m_login, target, context);
  const sys::Fd created = watch_directory(m_directory.path());
  Watch watch(co_await asio::this_coro::executor);
  for (const int fd : {questions.fd(), created.get(), m_ssh->pidfd()}) watch.add(fd);
  auto deadline = Clock::now() + m_limit;
  while (!fs::exists(control_path())) {
    if (m_ssh->poll()) {
      const Error failure = openssh_failure(m_destination, log());
      const bool is_for_want_of_answers =
          failure.kind() == ErrorKind::auth || failure.kind() == ErrorKind::host_key;
      if (answers.refusal() && is_for_want_of_answers)
        throw Error(failure.kind(), failure.message(), answers.refusal()->message());
      throw failure;
    }
    if (Clock::now() >= deadline) {
      throw Error(ErrorKind::timeout, "cannot connect to " + m_destination + ": no login within " +
                                          std::to_string(m_limit.count()) + " ms");
    }
    if (questions.has_question()) {
      const auto asked = Clock::now();
      answers.set_refusals(refusals_in_log(log()));
      questions.serve(m_ssh->pid(), answers);
      deadline += Clock::now() - asked;  // the user's time does not count
      continue;
    }
    watch.wake_at(deadline);
    co_await watch.wait();
    drain(created.get());
  }
  const std::string said = log();
  m_host_key = host_key_in_log(said);
  if (const auto banner = banner_in_log(said); !banner.empty()) context.prompter.banner(banner);
}

Async<bool> OpensshMaster::is_alive() {
  if (m_is_stopped || m_ssh->poll()) co_return false;
  bool answers = false;
  try {
    const fs::path path = control_path();
    MuxSocket socket = co_await MuxSocket::connect(path);
    const std::string question = mux::alive_check();
    co_await socket.send(question);
    const auto reply = co_await socket.receive();
    answers = reply && reply->type == mux::Type::alive;
  } catch (const Error&) {
    answers = false;
  }
  co_return answers;
}

Async<void> OpensshMaster::announce_resize() {
  m_ssh->send_signal(SIGWINCH);
  // Its handler sets a flag that the loop looks at before it polls, without blocking the signal in between
  // (clientloop.c): one that comes just there would wait for the next event. This is one.
  co_await is_alive();
}

std::string OpensshMaster::log() const {
  try {
    std::string text = sys::read_file(log_path());
    if (text.size() > k_log_limit) text.erase(0, text.size() - k_log_limit);
    return text;
  } catch (const Error&) {
    return {};  // it serves messages only
  }
}

Error OpensshMaster::lost() const {
  if (m_is_stopped) return {ErrorKind::unreachable, "the connection to " + m_destination + " is closed"};
  std::string last;
  const std::string said = log();
  for (const auto line : split_lines(said)) {
    if (!line.starts_with("debug") && !trim(line).empty()) last = trim(line);
  }
  return {ErrorKind::unreachable,
          "the connection to " + m_destination + " was lost" + (last.empty() ? "" : ": " + last)};
}

Async<void> OpensshMaster::stop() {
  m_is_stopped = true;
  if (m_ssh->poll()) co_return;
  m_ssh->send_signal(SIGTERM);
  constexpr std::chrono::milliseconds k_grace{2000};
  const std::function<Async<void>()> ended = [this]() -> Async<void> { co_await m_ssh->wait_async(); };
  const std::string what = "ending ssh";
  try {
    co_await sys::with_deadline(k_grace, what, ended);
  } catch (const Error&) {
    m_ssh->send_signal(SIGKILL);  // reaped by the destructor
  }
}

}  // namespace re::transport
