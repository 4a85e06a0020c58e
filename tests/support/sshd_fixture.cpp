#include "support/sshd_fixture.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/fd.hpp"
#include "re/sys/paths.hpp"
#include "re/sys/random.hpp"

namespace re::test {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr auto k_start_deadline = 20s;
constexpr auto k_poll_interval = 10ms;

void run_or_throw(const std::vector<std::string>& arguments) {
  const auto captured = sys::run_captured(arguments);
  if (captured.status.succeeded()) return;
  throw Error(ErrorKind::io, join(arguments, " ") + " failed: " + captured.error + captured.output);
}

// Waits for a condition; the interval only bounds how often it is looked at.
bool wait_until(std::chrono::milliseconds limit, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(k_poll_interval);
  }
  return true;
}

sockaddr_in loopback(unsigned short port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

unsigned short find_free_port() {
  const sys::Fd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(probe.get(), generic, size) != 0 || ::getsockname(probe.get(), generic, &size) != 0) {
    throw errno_error("find a free port", errno);
  }
  return ntohs(address.sin_port);
}

std::string read_proc(pid_t pid, std::string_view file) {
  try {
    return sys::read_file(fs::path("/proc") / std::to_string(pid) / file);
  } catch (const Error&) {
    return {};  // it has ended
  }
}

// Field 4 of /proc/PID/stat, counted behind the command's last parenthesis (proc(5)).
pid_t parent_of(pid_t pid) {
  const std::string stat = read_proc(pid, "stat");
  const auto close = stat.rfind(") ");
  if (close == std::string::npos) return 0;
  const auto fields = split_words(std::string_view(stat).substr(close + 2));
  return fields.size() < 2 ? 0 : parse_number<pid_t>(fields[1]).value_or(0);
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    if (const auto pid = parse_number<pid_t>(entry.path().filename().string())) pids.push_back(*pid);
  }
  return pids;
}

std::set<pid_t> descendants_of(pid_t root) {
  std::multimap<pid_t, pid_t> children;
  for (const pid_t pid : all_processes()) children.emplace(parent_of(pid), pid);
  std::set<pid_t> found;
  std::vector<pid_t> open = {root};
  while (!open.empty()) {
    const pid_t parent = open.back();
    open.pop_back();
    const auto [first, last] = children.equal_range(parent);
    for (auto child = first; child != last; ++child) {
      if (found.insert(child->second).second) open.push_back(child->second);
    }
  }
  return found;
}

// What was started through the sshd carries the marker (SetEnv), wherever it has been reparented to.
std::set<pid_t> marked_processes(const std::string& marker) {
  std::set<pid_t> found;
  for (const pid_t pid : all_processes()) {
    if (pid != ::getpid() && read_proc(pid, "environ").find(marker) != std::string::npos) found.insert(pid);
  }
  return found;
}

void signal_all(const std::set<pid_t>& pids, int signal) {
  for (const pid_t pid : pids) ::kill(pid, signal);
}

std::string hash_password(const fs::path& directory, const std::string& password) {
  const fs::path file = directory / "password";
  sys::write_file_atomic(file, password + "\n");
  const auto captured = sys::run_captured({"openssl", "passwd", "-6", "-in", file.string()});
  fs::remove(file);
  if (!captured.status.succeeded()) throw Error(ErrorKind::io, "openssl passwd failed: " + captured.error);
  return std::string(trim(captured.output));
}

// The line of a colon-separated table whose first field is `name`, or the end.
std::vector<std::string>::iterator find_entry(std::vector<std::string>& lines, const std::string& name) {
  return std::find_if(lines.begin(), lines.end(),
                      [&](const std::string& line) { return line.starts_with(name + ":"); });
}

std::vector<std::string> lines_of(const fs::path& path) {
  const std::string text = sys::read_file(path);
  const auto views = split_lines(text);
  return {views.begin(), views.end()};
}

bool needs_namespace(const SshdOptions& options) {
  return !options.accounts.empty() || options.pam == Pam::yes || options.home == Home::separate;
}

std::string home_of_current_user() {
  return sys::user_paths(sys::process_environment()).home;
}

}  // namespace

std::optional<std::string> why_no_private_accounts() {
  if (::geteuid() != 0) return "private accounts need root";
  const auto captured = sys::run_captured({"unshare", "--mount", "--propagation", "private", "true"});
  if (!captured.status.succeeded()) return "no mount namespace of our own: " + captured.error;
  return std::nullopt;
}

SshdFixture::SshdFixture(const SshdOptions& options)
    : m_directory("re-sshd"), m_user(sys::user_name()), m_marker("RE_TEST_SSHD=" + sys::random_hex(8)) {
  // Other accounts must reach the authorized keys and their homes; the private keys have modes of their own.
  fs::permissions(directory(), fs::perms(0711));
  fs::create_directory(home());
  prepare_keys(options);
  if (needs_namespace(options)) prepare_accounts(options);
  if (::geteuid() == 0) ::mkdir("/run/sshd", 0755);
  start(options);
  write_client_files(options);
}

SshdFixture::~SshdFixture() {
  try {
    stop();
  } catch (const std::exception&) {
    // the directory goes all the same
  }
}

void SshdFixture::prepare_keys(const SshdOptions& options) const {
  for (const auto& type : options.host_key_types) {
    run_or_throw(
        {"ssh-keygen", "-q", "-t", type, "-N", "", "-C", "host", "-f", directory() / ("host_" + type)});
  }
  run_or_throw({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "client", "-f", key()});
  sys::write_file_atomic(authorized_keys(), "", 0644);
  authorize(key());
}

void SshdFixture::prepare_accounts(const SshdOptions& options) const {
  auto passwd = lines_of("/etc/passwd");
  auto shadow = lines_of("/etc/shadow");
  int uid = 20000;
  for (const auto& account : options.accounts) {
    const auto known = find_entry(passwd, account.name);
    if (known == passwd.end()) {
      ++uid;
      const fs::path home = directory() / ("home-" + account.name);
      fs::create_directory(home);
      if (::chown(home.c_str(), static_cast<uid_t>(uid), 65534) != 0)
        throw errno_error("chown a home", errno);
      passwd.push_back(account.name + ":x:" + std::to_string(uid) + ":65534::" + home.string() + ":" +
                       account.shell);
    } else {
      known->replace(known->rfind(':') + 1, std::string::npos, account.shell);
    }
    const std::string line =
        account.name + ":" + hash_password(directory(), account.password) + ":19000:0:99999:7:::";
    const auto shadowed = find_entry(shadow, account.name);
    if (shadowed == shadow.end()) {
      shadow.push_back(line);
    } else {
      *shadowed = line;
    }
  }
  sys::write_file_atomic(directory() / "passwd", join(passwd, "\n") + "\n", 0644);
  sys::write_file_atomic(directory() / "shadow", join(shadow, "\n") + "\n", 0600);
  sys::write_file_atomic(
      directory() / "pam",
      "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n", 0644);
  std::string script = "set -e\n";
  const auto bind = [&](const fs::path& from, const std::string& to) {
    script += "mount --bind '" + from.string() + "' " + to + "\n";
  };
  bind(directory() / "passwd", "/etc/passwd");
  bind(directory() / "shadow", "/etc/shadow");
  if (options.pam == Pam::yes) bind(directory() / "pam", "/etc/pam.d/sshd");
  if (options.home == Home::separate) bind(home(), home_of_current_user());
  script += "exec /usr/sbin/sshd -D -e -f '" + (directory() / "sshd_config").string() + "'\n";
  sys::write_file_atomic(directory() / "start", script, 0755);
}

void SshdFixture::write_config(const SshdOptions& options) const {
  std::string text = join(options.extra_lines, "\n") + "\n";
  text += "ListenAddress 127.0.0.1:" + std::to_string(m_port) + "\n";
  for (const auto& type : options.host_key_types)
    text += "HostKey " + (directory() / ("host_" + type)).string() + "\n";
  text += "AuthorizedKeysFile " + authorized_keys().string() + "\n";
  text += std::string("UsePAM ") + (options.pam == Pam::yes ? "yes" : "no") + "\n";
  text += "SetEnv " + m_marker;
  if (options.home == Home::environment && options.accounts.empty()) text += " HOME=" + home().string();
  text += "\n";
  text +=
      "PidFile none\nStrictModes no\nPermitRootLogin yes\nUseDNS no\nX11Forwarding no\nPrintMotd no\n"
      "PrintLastLog no\nMaxStartups 100\nLogLevel VERBOSE\nSubsystem sftp internal-sftp\n";
  text += join(options.match_lines, "\n") + "\n";
  sys::write_file_atomic(directory() / "sshd_config", text);
}

void SshdFixture::write_client_files(const SshdOptions& options) const {
  std::string known;
  for (const auto& type : options.host_key_types) {
    const std::string line = sys::read_file(directory() / ("host_" + type + ".pub"));
    const auto words = split_words(std::string_view(line).substr(0, line.find('\n')));
    known += "[127.0.0.1]:" + std::to_string(m_port) + " " + std::string(words.at(0)) + " " +
             std::string(words.at(1)) + "\n";
  }
  sys::write_file_atomic(known_hosts(), known);
  sys::write_file_atomic(
      ssh_config(), "Host *\n  HostName 127.0.0.1\n  Port " + std::to_string(m_port) + "\n  User " + m_user +
                        "\n  IdentityFile " + key().string() +
                        "\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile " +
                        known_hosts().string() +
                        "\n  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n");
}

void SshdFixture::start(const SshdOptions& options) {
  constexpr int k_attempts = 5;  // another process may take the port between our look and sshd's bind
  for (int attempt = 0; attempt < k_attempts; ++attempt) {
    m_port = find_free_port();
    write_config(options);
    const sys::Fd log_file = sys::open_file(directory() / "log", O_WRONLY | O_CREAT | O_APPEND);
    sys::SpawnOptions spawn;  // setpriv: a test that is killed leaves no sshd behind
    spawn.arguments = {"setpriv", "--pdeathsig", "KILL", "/usr/sbin/sshd",
                       "-D",      "-e",          "-f",   directory() / "sshd_config"};
    if (needs_namespace(options)) {
      spawn.arguments = {"setpriv", "--pdeathsig", "KILL",
                         "unshare", "--mount",     "--propagation",
                         "private", "/bin/sh",     directory() / "start"};
    }
    spawn.input = -1;
    spawn.output = log_file.get();
    spawn.error = log_file.get();
    m_sshd = sys::Child::spawn(spawn);
    const bool settled =
        wait_until(k_start_deadline, [&] { return m_sshd->poll().has_value() || answers(); });
    if (settled && !m_sshd->poll()) return;
    if (!settled || log().find("Address already in use") == std::string::npos) break;
  }
  const std::string text = log();
  stop();
  throw Error(ErrorKind::io, "the private sshd does not start: " + text);
}

bool SshdFixture::answers() const {
  const sys::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(m_port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return false;
  pollfd waiting{socket.get(), POLLIN, 0};
  std::array<char, 4> banner{};
  if (::poll(&waiting, 1, 5000) != 1) return false;
  return ::recv(socket.get(), banner.data(), banner.size(), MSG_WAITALL) == 4 &&
         std::string_view(banner.data(), 4) == "SSH-";
}

std::string SshdFixture::log() const {
  return sys::read_file_if_exists(directory() / "log").value_or("");
}

transport::Target SshdFixture::target() const {
  transport::Target target;
  target.name = "test";
  target.host = "127.0.0.1";
  target.ssh_config = ssh_config();
  target.kind = transport::Kind::automatic;
  target.unknown_host = transport::UnknownHost::refuse;
  return target;
}

fs::path SshdFixture::make_key(std::string_view name, std::string_view type,
                               std::string_view passphrase) const {
  const fs::path path = directory() / name;
  run_or_throw({"ssh-keygen", "-q", "-t", std::string(type), "-N", std::string(passphrase), "-C",
                std::string(name), "-f", path.string()});
  return path;
}

void SshdFixture::authorize(const fs::path& private_key) const {
  const std::string known = sys::read_file(authorized_keys());
  sys::write_file_atomic(authorized_keys(), known + sys::read_file(private_key.string() + ".pub"), 0644);
}

std::vector<pid_t> SshdFixture::connection_processes() const {
  std::vector<pid_t> found;
  if (!m_sshd) return found;
  for (const pid_t pid : descendants_of(m_sshd->pid())) {
    if (trim(read_proc(pid, "comm")).starts_with("sshd")) found.push_back(pid);
  }
  return found;
}

void SshdFixture::freeze() const {
  m_sshd->send_signal(SIGSTOP);
  for (const pid_t pid : connection_processes()) ::kill(pid, SIGSTOP);
}

void SshdFixture::thaw() const {
  for (const pid_t pid : connection_processes()) ::kill(pid, SIGCONT);
  m_sshd->send_signal(SIGCONT);
}

void SshdFixture::kill_connections() const {
  for (const pid_t pid : connection_processes()) ::kill(pid, SIGKILL);
}

void SshdFixture::stop() {
  if (m_sshd) {
    m_sshd->send_signal(SIGSTOP);  // no new connection while we look for the old ones
    const auto children = descendants_of(m_sshd->pid());
    m_sshd->send_signal(SIGKILL);
    signal_all(children, SIGKILL);
    m_sshd->wait();
    m_sshd.reset();
  }
  wait_until(5s, [this] {
    const auto left = marked_processes(m_marker);
    signal_all(left, SIGKILL);
    return left.empty();
  });
}

SshAgentFixture::SshAgentFixture() : m_directory("re-agent") {
  sys::SpawnOptions spawn;
  const sys::Fd log_file = sys::open_file(m_directory.path() / "log", O_WRONLY | O_CREAT);
  spawn.arguments = {"ssh-agent", "-D", "-a", socket()};
  spawn.input = -1;
  spawn.output = log_file.get();
  spawn.error = log_file.get();
  m_agent = sys::Child::spawn(spawn);
  if (!wait_until(k_start_deadline, [this] { return fs::exists(socket()); })) {
    throw Error(ErrorKind::io, "the private ssh-agent does not start");
  }
}

SshAgentFixture::~SshAgentFixture() {
  m_agent->send_signal(SIGKILL);
  m_agent->wait();
}

void SshAgentFixture::add(const fs::path& private_key) const {
  run_or_throw({"env", "SSH_AUTH_SOCK=" + socket().string(), "ssh-add", "-q", private_key.string()});
}

namespace {

template <class Answer>
Answer next_answer(std::deque<Answer>& answers, std::string_view question) {
  if (answers.empty()) throw Error(ErrorKind::auth, "nobody answers \"" + std::string(question) + "\"");
  Answer answer = std::move(answers.front());
  answers.pop_front();
  return answer;
}

}  // namespace

sys::Secret FakePrompter::secret(std::string_view prompt) {
  asked.emplace_back(prompt);
  return sys::Secret(next_answer(secrets, prompt));
}

std::string FakePrompter::visible(std::string_view prompt) {
  asked.emplace_back(prompt);
  return next_answer(lines, prompt);
}

bool FakePrompter::confirm(std::string_view question) {
  asked.emplace_back(question);
  return next_answer(confirmations, question);
}

void FakePrompter::banner(std::string_view text) {
  banners += text;
}

}  // namespace re::test
