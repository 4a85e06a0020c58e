#include "transport/master_client.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <set>

#include "re/sys/child.hpp"
#include "re/sys/deadline.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"
#include "re/sys/terminal.hpp"
#include "re/transport/master.hpp"
#include "transport/master_channel.hpp"
#include "transport/master_server.hpp"
#include "transport/ssh2_wire.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using asio::local::stream_protocol;
using master::frame;
using master::QuestionKind;
using master::Type;
using namespace std::chrono_literals;

constexpr auto k_greeting_limit = 1s;
constexpr auto k_start_limit = 2s;
constexpr auto k_start_pause = 10ms;
constexpr std::size_t k_longest_path = 107;  // sun_path holds 108 bytes with the NUL (unix(7))

struct Greeted {
  std::optional<MasterSocket> socket;  ///< a master of our own build
  enum class Other { none, version, silent } other = Other::none;
};

Async<void> greet(const fs::path& path, Greeted& greeted) {
  stream_protocol::socket raw(co_await asio::this_coro::executor);
  boost::system::error_code error;
  const stream_protocol::endpoint endpoint(path.string());
  co_await raw.async_connect(endpoint, asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return;
  MasterSocket socket(std::move(raw));
  if (!socket.is_of_this_user()) co_return;
  greeted.other = Greeted::Other::silent;
  std::string hello = frame(Type::hello, master_version());
  co_await socket.send(std::move(hello));
  const auto answer = co_await socket.receive();
  if (!answer) co_return;
  greeted.other = Greeted::Other::version;
  if (answer->type == Type::welcome && answer->body == master_version())
    greeted.socket.emplace(std::move(socket));
}

// Never throws: a master that does not answer as it should is none.
Async<Greeted> find_master(fs::path directory) {
  Greeted greeted;
  const fs::path path = directory / k_master_socket;
  if (path.string().size() > k_longest_path) co_return greeted;
  try {
    sys::ensure_private_directory(directory);
    std::function<Async<void>()> task = [&]() -> Async<void> { co_await greet(path, greeted); };
    co_await sys::with_deadline(k_greeting_limit, "the connection master", std::move(task));
  } catch (const std::exception&) {
  }
  co_return greeted;
}

// Starts one and waits until it listens, or has seen that another one does.
void start_master(const ConnectContext& context) {
  const sys::Pipe ready = sys::make_pipe();
  sys::SpawnOptions options;
  options.arguments = {sys::own_executable().string(), std::string(k_master_command),
                       context.master->directory.string(), context.state_directory.string(),
                       std::to_string(context.master->persist.count())};
  options.input = -1;
  options.output = ready.write_end.get();
  options.error = -1;
  options.session = sys::Session::own;
  sys::Child::spawn(options);
}

// Whether a master is about to serve, or serves.
bool is_locked(const fs::path& directory) {
  const sys::Fd lock = sys::open_file(directory / k_master_lock, O_RDWR | O_CREAT, 0600);
  return ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0;
}

Async<void> pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

// A master of another build ends when it is told so; its clients' channels break, which they take as a lost
// connection.
Async<std::optional<MasterSocket>> find_or_start_master(const ConnectContext& context) {
  const auto directory = context.master->directory;
  Greeted greeted = co_await find_master(directory);
  if (greeted.socket || greeted.other == Greeted::Other::silent) co_return std::move(greeted.socket);
  if (greeted.other == Greeted::Other::version) co_await stop_master(directory);
  const auto end = std::chrono::steady_clock::now() + k_start_limit;
  if (!is_locked(directory)) start_master(context);
  while (!greeted.socket && std::chrono::steady_clock::now() < end) {
    co_await pause(k_start_pause);
    greeted = co_await find_master(directory);
  }
  co_return std::move(greeted.socket);
}

std::string ask_user(const master::Question& question, const Target& target, const ConnectContext& context) {
  switch (question.kind) {
    case QuestionKind::password:
      return std::string(target.password ? target.password().reveal() : std::string_view());
    case QuestionKind::secret:
      return std::string(context.prompter.secret(question.prompt).reveal());
    case QuestionKind::visible:
      return context.prompter.visible(question.prompt);
    case QuestionKind::confirm:
      break;
  }
  return context.prompter.confirm(question.prompt) ? "yes" : "no";
}

void wipe_answers(std::vector<master::Question>& answers) {
  for (auto& answer : answers) sys::wipe(answer.answer.data(), answer.answer.size());
}

// The answers that stand, and one more. Without one there may be another way in.
void answer_question(master::ConnectRequest& request, master::Question question, const Target& target,
                     const ConnectContext& context) {
  auto& answers = request.answers;
  if (question.standing < answers.size()) ++request.refusals;
  for (; question.standing < answers.size(); answers.pop_back())
    sys::wipe(answers.back().answer.data(), answers.back().answer.size());
  try {
    question.answer = ask_user(question, target, context);
    answers.push_back(std::move(question));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::auth || question.kind == QuestionKind::password) throw;
    request.why_not_ask = "no answer was given";
  }
}

// The master's messages until it has the connection. Nothing where it cannot get it, for each attempt asks
// something else. Throws Error as connect() does.
Async<std::optional<ConnectionInfo>> negotiate(MasterSocket& socket, master::ConnectRequest& request,
                                               const Target& target, const ConnectContext& context) {
  std::set<std::string> notes;
  for (;;) {
    std::string message = frame(Type::connect, master::to_body(request));
    co_await socket.send(std::move(message));
    bool is_asked = false;
    while (!is_asked) {
      const auto answer = co_await socket.receive();
      if (!answer) throw Error(ErrorKind::unreachable, "the connection master ended");
      if (answer->type == Type::note && notes.insert(answer->body).second)
        context.progress.note(answer->body);
      if (answer->type == Type::banner) context.prompter.banner(answer->body);
      if (answer->type == Type::failed) throw master::parse_error(answer->body).value_or(Error());
      const auto info = answer->type == Type::connected ? master::parse_info(answer->body) : std::nullopt;
      if (info) co_return *info;
      auto question = answer->type == Type::question ? master::parse_question(answer->body) : std::nullopt;
      if (!question) continue;
      if (question->is_of_changing_prompts) co_return std::nullopt;
      answer_question(request, std::move(*question), target, context);
      is_asked = true;
    }
  }
}

class MasterConnection final : public Connection {
 public:
  MasterConnection(MasterSocket dialog, ConnectionInfo info, Target target, const ConnectContext& context)
      : m_dialog(std::move(dialog)),
        m_info(std::move(info)),
        m_target(std::move(target)),
        m_key(master::connection_key(m_target)),
        m_context(context) {}

  Async<std::unique_ptr<Channel>> exec(ExecRequest request) override {
    std::string call = frame(Type::exec, master::to_body(master::ExecCall{m_key, request}));
    auto channel = co_await open(std::move(call), Refusal::may_be_the_limit);
    if (channel) co_return std::move(channel);
    const auto direct = m_direct;
    co_return co_await direct->exec(std::move(request));
  }

  Async<std::unique_ptr<Channel>> open_forward(std::string host, unsigned short port) override {
    std::string call = frame(Type::forward, master::to_body(master::ForwardCall{m_key, host, port}));
    auto channel = co_await open(std::move(call), Refusal::is_final);
    if (channel) co_return std::move(channel);
    const auto direct = m_direct;
    co_return co_await direct->open_forward(std::move(host), port);
  }

  [[nodiscard]] const ConnectionInfo& info() const override { return m_info; }

  Async<void> close() override {
    m_is_closed = true;
    m_dialog.close();
    if (m_direct) co_await m_direct->close();
  }

 private:
  // The server may have no session left on that connection (MaxSessions): one of our own tells. A forwarded
  // stream is none, and its refusal is its target's.
  enum class Refusal { is_final, may_be_the_limit };

  // Nothing has run while no channel is open: a lost connection is made anew, once. Nothing where a direct
  // connection has to serve.
  Async<std::unique_ptr<Channel>> open(std::string call, Refusal refusal) {
    if (m_is_closed)
      throw Error(ErrorKind::unreachable, "the connection to " + m_info.destination + " is closed");
    for (int attempt = 0; attempt < 2 && !m_direct; ++attempt) {
      std::optional<Error> failure;
      try {
        auto channel = co_await ask_for_channel(call);
        if (channel) co_return std::move(channel);
      } catch (const Error& error) {
        failure = error;
      }
      const bool is_refused = failure && failure->kind() == ErrorKind::remote;
      const bool is_lost = !failure || failure->kind() == ErrorKind::unreachable;
      if (!is_lost && !(is_refused && refusal == Refusal::may_be_the_limit)) throw *failure;
      const bool is_last = attempt == 1 || is_refused;
      co_await connect_again(is_last);
    }
    co_return nullptr;
  }

  // Nothing when the master is gone.
  Async<std::unique_ptr<Channel>> ask_for_channel(std::string call) {
    Greeted greeted = co_await find_master(m_context.master->directory);
    if (!greeted.socket) co_return nullptr;
    co_await greeted.socket->send(std::move(call));
    const auto answer = co_await greeted.socket->receive();
    if (!answer) co_return nullptr;
    if (answer->type == Type::failed) throw master::parse_error(answer->body).value_or(Error());
    if (answer->type != Type::opened)
      throw Error(ErrorKind::protocol, "the connection master answered nonsense");
    auto ends = greeted.socket->take_descriptors(3);
    if (ends.size() < 2) throw Error(ErrorKind::protocol, "the connection master gave no channel");
    if (ends.size() == 2) ends.emplace_back();
    ChannelStreams::Ends ours{std::move(ends[0]), std::move(ends[1]), std::move(ends[2])};
    ChannelStreams streams(co_await asio::this_coro::executor, std::move(ours));
    co_return std::make_unique<MasterChannel>(std::move(*greeted.socket), std::move(streams),
                                              m_info.destination, answer->body);
  }

  Async<void> connect_again(bool directly) {
    ConnectContext context = m_context;
    if (directly) context.master.reset();
    std::shared_ptr<Connection> connection = co_await connect(m_target, context, Reuse::none);
    if (auto* again = dynamic_cast<MasterConnection*>(connection.get())) {
      m_dialog = std::move(again->m_dialog);
    } else if (!m_direct) {  // else another call was faster
      m_direct = std::move(connection);
    }
  }

  MasterSocket m_dialog;  ///< open as long as we are: the master does not end under us
  ConnectionInfo m_info;
  Target m_target;
  std::string m_key;
  ConnectContext m_context;
  std::shared_ptr<Connection> m_direct;  ///< in use by calls that wait, while another sets it
  bool m_is_closed = false;
};

}  // namespace

Async<std::unique_ptr<Connection>> connect_by_master(const Target& target, const ConnectContext& context,
                                                     Reuse reuse) {
  auto dialog = co_await find_or_start_master(context);
  if (!dialog) co_return nullptr;
  master::ConnectRequest request;
  request.target = target;
  request.target.password = {};
  const char* const agent = std::getenv("SSH_AUTH_SOCK");
  request.target.agent_socket = target.agent_socket.value_or(agent != nullptr ? agent : "");
  request.has_password = target.password != nullptr;
  request.reuse = reuse;
  if (!context.prompter.can_ask()) request.why_not_ask = sys::k_no_terminal;
  std::optional<ConnectionInfo> info;
  std::exception_ptr failure;
  try {
    info = co_await negotiate(*dialog, request, target, context);
  } catch (...) {
    failure = std::current_exception();
  }
  wipe_answers(request.answers);
  if (failure) std::rethrow_exception(failure);
  if (!info) co_return nullptr;
  Target kept = request.target;
  kept.password = target.password;
  co_return std::make_unique<MasterConnection>(std::move(*dialog), std::move(*info), std::move(kept),
                                               context);
}

Async<std::optional<MasterStatus>> ask_master(std::filesystem::path directory) {
  Greeted greeted = co_await find_master(std::move(directory));
  if (!greeted.socket) co_return std::nullopt;
  std::string call = frame(Type::status);
  co_await greeted.socket->send(std::move(call));
  const auto answer = co_await greeted.socket->receive();
  if (!answer || answer->type != Type::standing) co_return std::nullopt;
  WireReader reader(answer->body);
  MasterStatus status;
  status.pid = static_cast<int>(reader.number().value_or(0));
  while (!reader.is_at_end()) {
    MasterConnectionStatus connection;
    connection.destination = std::string(reader.text().value_or(std::string_view()));
    connection.transport = std::string(reader.text().value_or(std::string_view()));
    connection.channels = reader.number().value_or(0);
    status.connections.push_back(std::move(connection));
  }
  co_return status;
}

Async<bool> stop_master(std::filesystem::path directory) {
  const fs::path path = directory / k_master_socket;
  bool is_stopped = false;
  std::function<Async<void>()> task = [&]() -> Async<void> {
    stream_protocol::socket raw(co_await asio::this_coro::executor);
    const stream_protocol::endpoint endpoint(path.string());
    co_await raw.async_connect(endpoint, asio::use_awaitable);
    MasterSocket socket(std::move(raw));
    if (!socket.is_of_this_user()) co_return;
    std::string call = frame(Type::stop);
    co_await socket.send(std::move(call));
    const auto answer = co_await socket.receive();
    is_stopped = answer && answer->type == Type::standing;
  };
  try {
    co_await sys::with_deadline(k_greeting_limit, "the connection master", std::move(task));
  } catch (const std::exception&) {
  }
  co_return is_stopped;
}

}  // namespace re::transport
