#include "transport/askpass_server.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "re/base/strings.hpp"

namespace re::transport {

namespace {

constexpr std::size_t k_question_limit = std::size_t{64} << 10U;
// The client sends its question at once; one that does not must not stop us.
constexpr timeval k_question_deadline{2, 0};

bool is_ours(int fd, pid_t session) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == ::geteuid() && ::getsid(peer.pid) == session;
}

std::optional<AskpassQuestion> read_question(int fd) {
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &k_question_deadline, sizeof k_question_deadline);
  std::string text;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > k_question_limit) return std::nullopt;
  }
  const auto end = text.find('\n');
  if (end == std::string::npos) return std::nullopt;
  return AskpassQuestion{text.substr(0, end), text.substr(end + 1)};
}

bool send_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    data.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// ssh's question about a host key, also when it asks again after an answer it did not understand.
bool is_yes_or_no(std::string_view prompt) {
  return prompt.find("(yes/no") != std::string_view::npos || prompt.starts_with("Please type 'yes'");
}

std::string without_choices(std::string_view prompt) {
  return std::string(trim(prompt.substr(0, prompt.find("(yes/no"))));
}

}  // namespace

AskpassAnswers::AskpassAnswers(Login login, const Target& target, const ConnectContext& context)
    : m_login(std::move(login)), m_target(target), m_context(context) {}

// "user@host's password: " (sshconnect2.c), "(user@host) Password: " (keyboard-interactive). The name must be
// the target's: a jump host must not be given the target's password.
bool AskpassAnswers::asks_for_our_password(std::string_view prompt) const {
  const std::string lower = to_lower(trim(prompt));
  if (!lower.ends_with("password:")) return false;
  return std::any_of(m_login.hosts.begin(), m_login.hosts.end(), [&](const std::string& host) {
    const std::string login = m_login.user + "@" + host;
    return prompt.starts_with(login + "'s ") || prompt.starts_with("(" + login + ") ");
  });
}

std::optional<sys::Secret> AskpassAnswers::ask(const AskpassQuestion& question) {
  if (question.hint == "none") {
    m_context.progress.note(trim(question.prompt));
    return std::nullopt;
  }
  if (question.hint == "confirm") {
    if (!m_context.prompter.confirm(question.prompt)) return std::nullopt;
    return sys::Secret("yes");
  }
  if (is_yes_or_no(question.prompt)) {
    return sys::Secret(m_context.prompter.confirm(without_choices(question.prompt)) ? "yes" : "no");
  }
  if (m_target.password && !m_password_given && asks_for_our_password(question.prompt)) {
    m_password_given = true;
    return m_target.password();
  }
  const auto before = m_asked.find(question.prompt);
  if (before != m_asked.end() && before->second < m_refusals) m_context.prompter.refused(question.prompt);
  m_asked.insert_or_assign(question.prompt, m_refusals);
  return m_context.prompter.secret(question.prompt);
}

std::optional<sys::Secret> AskpassAnswers::answer(const AskpassQuestion& question) {
  try {
    return ask(question);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::interrupted) throw;
    m_refusal = error;
    return std::nullopt;
  }
}

AskpassServer::AskpassServer(const std::filesystem::path& path)
    : m_listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = path.string();
  if (name.size() >= sizeof address.sun_path) throw errno_error("listen on " + name, ENAMETOOLONG);
  std::copy(name.begin(), name.end(), std::begin(address.sun_path));
  constexpr int k_backlog = 8;
  if (!m_listener.is_open() ||
      ::bind(m_listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(m_listener.get(), k_backlog) != 0) {
    throw errno_error("listen on " + name, errno);
  }
}

bool AskpassServer::has_question() const {
  pollfd waiting{m_listener.get(), POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 1;
}

void AskpassServer::serve(pid_t session, AskpassAnswers& answers) const {
  const sys::Fd client(::accept4(m_listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client.is_open() || !is_ours(client.get(), session)) return;
  const auto question = read_question(client.get());
  if (!question) return;
  const auto answer = answers.answer(*question);
  if (!answer || answer->reveal().size() > k_askpass_answer_limit) return;
  if (send_all(client.get(), {&k_askpass_answered, 1})) send_all(client.get(), answer->reveal());
}

}  // namespace re::transport
