#include "transport/master_server.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <map>

#include "re/base/strings.hpp"
#include "re/sys/deadline.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"
#include "re/transport/master.hpp"
#include "transport/connect_memory.hpp"
#include "transport/master_exchange.hpp"
#include "transport/master_link.hpp"
#include "transport/master_ready.hpp"
#include "transport/master_socket.hpp"
#include "transport/ssh2_wire.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using asio::local::stream_protocol;
using master::frame;
using master::Type;
using std::chrono::steady_clock;
using namespace std::chrono_literals;

// A host that was silent for so long may have gone unnoticed: a new process then has only so long to start.
constexpr auto k_silence = 10s;
constexpr auto k_patience_after_silence = 5s;
constexpr auto k_patience = 60s;
constexpr auto k_look_around = 1s;
constexpr std::size_t k_descriptors = 65536;  // some ten of a host, while its shells wait

struct FileIdentity {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};

std::optional<FileIdentity> identity_of(const fs::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return FileIdentity{status.st_dev, status.st_ino};
}

}  // namespace

class MasterServer::Parts : public std::enable_shared_from_this<MasterServer::Parts> {
 public:
  Parts(IoContext& io, MasterServerOptions options)
      : m_options(std::move(options)),
        m_path(m_options.directory / k_master_socket),
        m_memory(std::make_shared<ConnectMemory>(m_options.cache_directory, std::chrono::seconds(0))),
        m_io(io),
        m_acceptor(io),
        m_clock(io) {}

  Start start();
  Async<void> accept_clients();
  Async<void> look_around();
  void stop();

 private:
  using Client = std::shared_ptr<MasterSocket>;
  using LinkPtr = std::shared_ptr<MasterLink>;

  Async<void> serve_client(Client client);
  Async<void> serve(Client client);
  Async<void> connect(Client client, std::string body);
  Async<void> exec(Client client, std::string body);
  Async<void> forward(Client client, std::string body);
  using ExchangePtr = std::shared_ptr<Exchange>;
  /// What is held of one host.
  struct Held {
    LinkPtr link;
    std::shared_ptr<ReadyProcesses> ready;  ///< once it is connected
  };
  using Opening = std::function<Async<ExchangePtr>(Held)>;
  Async<void> open(Client client, std::string key, Opening opening);
  Async<ExchangePtr> start(std::string key, Held held, ExecRequest request);
  Async<ExchangePtr> start_anew(Held held, const ExecRequest& request);
  Async<ExchangePtr> join_forward(Held held, std::string host, unsigned short port);
  Async<void> prepare(std::string key, Held held, ExchangePtr served, ExecRequest request);
  [[nodiscard]] std::string standing() const;
  void drop(const std::string& key, const LinkPtr& link);

  MasterServerOptions m_options;
  fs::path m_path;
  std::string m_version = master_version();  // the program may be replaced while we run
  std::shared_ptr<ConnectMemory> m_memory;
  IoContext& m_io;
  sys::Fd m_lock;
  std::optional<FileIdentity> m_socket;
  stream_protocol::acceptor m_acceptor;
  asio::steady_timer m_clock;
  std::map<std::string, Held> m_links;
  unsigned m_clients = 0;
  steady_clock::time_point m_busy_at = steady_clock::now();
  bool m_is_stopped = false;
};

MasterServer::Start MasterServer::Parts::start() {
  sys::ensure_private_directory(m_options.directory);
  m_lock = sys::open_file(m_options.directory / k_master_lock, O_RDWR | O_CREAT, 0600);
  if (::flock(m_lock.get(), LOCK_EX | LOCK_NB) != 0) return Start::another_serves;
  ::unlink(m_path.c_str());  // of one that was killed: we hold its lock
  boost::system::error_code error;
  m_acceptor.open(stream_protocol(), error);
  const mode_t before = ::umask(0177);
  if (!error) m_acceptor.bind(stream_protocol::endpoint(m_path.string()), error);
  ::umask(before);
  if (!error) m_acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) throw errno_error("listen on " + m_path.string(), error.value());
  m_socket = identity_of(m_path);
  return Start::serving;
}

void MasterServer::Parts::stop() {
  if (std::exchange(m_is_stopped, true)) return;
  if (identity_of(m_path) == m_socket) ::unlink(m_path.c_str());
  boost::system::error_code ignored;
  m_acceptor.close(ignored);
  m_clock.cancel();
}

Async<void> MasterServer::Parts::accept_clients() {
  while (!m_is_stopped) {
    boost::system::error_code error;
    stream_protocol::socket socket =
        co_await m_acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted || m_is_stopped) break;
    if (error) continue;
    auto client = std::make_shared<MasterSocket>(std::move(socket));
    if (!client->is_of_this_user()) continue;
    asio::co_spawn(m_io, serve_client(std::move(client)), asio::detached);
  }
}

Async<void> MasterServer::Parts::look_around() {
  while (!m_is_stopped) {
    m_clock.expires_after(k_look_around);
    boost::system::error_code ignored;
    co_await m_clock.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
    const bool is_idle = m_clients == 0 && steady_clock::now() - m_busy_at >= m_options.persist;
    if (is_idle || identity_of(m_path) != m_socket) stop();
    for (const auto& [key, held] : std::map(m_links)) {
      if (held.ready) co_await held.ready->end(ReadyProcesses::Which::stale);
    }
  }
  for (const auto& [key, held] : std::exchange(m_links, {})) {
    if (held.link->is_connected()) co_await held.link->connection().close();
  }
  m_io.stop();
}

Async<void> MasterServer::Parts::serve_client(Client client) {
  const auto self = shared_from_this();
  ++m_clients;
  try {
    co_await serve(client);
  } catch (const std::exception&) {
    // A client that breaks the protocol is let go like one that has gone.
  }
  client->close();
  --m_clients;
  m_busy_at = steady_clock::now();
}

Async<void> MasterServer::Parts::serve(Client client) {
  for (;;) {
    auto message = co_await client->receive();
    if (!message) co_return;
    switch (message->type) {
      case Type::hello: {
        std::string welcome = frame(Type::welcome, m_version);
        co_await client->send(std::move(welcome));
        break;
      }
      case Type::connect:
        co_await connect(client, std::move(message->body));
        break;
      case Type::exec:
        co_return co_await exec(client, std::move(message->body));
      case Type::forward:
        co_return co_await forward(client, std::move(message->body));
      case Type::status: {
        std::string answer = frame(Type::standing, standing());
        co_await client->send(std::move(answer));
        break;
      }
      case Type::stop: {
        stop();
        std::string answer = frame(Type::standing, standing());
        co_await client->send(std::move(answer));
        break;
      }
      default:
        co_return;
    }
  }
}

// At most one attempt per connection is under way; who wants the same waits for it.
Async<void> MasterServer::Parts::connect(Client client, std::string body) {
  auto request = master::parse_connect(body);
  sys::wipe(body.data(), body.size());
  if (!request) throw Error(ErrorKind::protocol, "a client's request cannot be understood");
  const std::string key = master::connection_key(request->target);
  const bool may_reuse = request->reuse == Reuse::allowed;
  LinkPtr link;
  if (const auto known = m_links.find(key); known != m_links.end()) {
    const bool is_settled = known->second.link->is_connected();
    if (is_settled && !may_reuse) {
      drop(key, known->second.link);
    } else {
      link = known->second.link;
      co_await link->settle();
      // What the other client was asked, this one may answer; it tries for itself.
      if (!link->is_connected() && link->open_question()) link.reset();
    }
  }
  if (!link) {
    link = std::make_shared<MasterLink>(m_io.get_executor(), std::move(*request), client,
                                        m_options.state_directory, m_options.directory);
    link->share(m_memory);
    m_links[key] = {link, nullptr};
    co_await link->connect();
    if (link->is_connected()) {
      const auto known = m_links.find(key);
      if (known != m_links.end() && known->second.link == link)
        known->second.ready = std::make_shared<ReadyProcesses>(m_io.get_executor(), link);
    }
  }
  std::string answer;
  if (link->is_connected()) {
    answer = frame(Type::connected, master::to_body(link->connection().info()));
  } else {
    drop(key, link);
    const auto& question = link->open_question();
    answer = question ? frame(Type::question, master::to_body(*question))
                      : frame(Type::failed, master::to_body(*link->error()));
  }
  co_await client->send(std::move(answer));
}

void MasterServer::Parts::drop(const std::string& key, const LinkPtr& link) {
  const auto known = m_links.find(key);
  if (known == m_links.end() || known->second.link != link) return;
  if (known->second.ready)
    asio::co_spawn(m_io, known->second.ready->end(ReadyProcesses::Which::all), asio::detached);
  m_links.erase(known);
}

Async<void> MasterServer::Parts::exec(Client client, std::string body) {
  auto call = master::parse_exec(body);
  if (!call) throw Error(ErrorKind::protocol, "a client's call cannot be understood");
  std::string().swap(body);  // it is as long as the process lives
  const auto self = shared_from_this();
  Opening opening = [self, key = call->key, request = std::move(call->request)](Held held) {
    return self->start(key, std::move(held), request);
  };
  co_await open(std::move(client), std::move(call->key), std::move(opening));
}

Async<void> MasterServer::Parts::forward(Client client, std::string body) {
  auto call = master::parse_forward(body);
  if (!call) throw Error(ErrorKind::protocol, "a client's call cannot be understood");
  const auto self = shared_from_this();
  Opening opening = [self, host = std::move(call->host), port = call->port](Held held) {
    return self->join_forward(std::move(held), host, port);
  };
  co_await open(std::move(client), std::move(call->key), std::move(opening));
}

Async<MasterServer::Parts::ExchangePtr> MasterServer::Parts::join_forward(Held held, std::string host,
                                                                          unsigned short port) {
  auto channel = co_await held.link->connection().open_forward(std::move(host), port);
  co_return Exchange::begin(m_io.get_executor(), held.link, std::move(channel),
                            Exchange::Streams::input_and_output);
}

// A process that was started ahead, or a new one; and one for the next who wants the same.
Async<MasterServer::Parts::ExchangePtr> MasterServer::Parts::start(std::string key, Held held,
                                                                   ExecRequest request) {
  const bool was_silent = steady_clock::now() - held.link->heard_at > k_silence;
  ExchangePtr exchange;
  std::function<Async<void>()> attempt = [&]() -> Async<void> {
    exchange = co_await held.ready->take(request);
    if (!exchange) exchange = co_await start_anew(held, request);
  };
  co_await sys::with_deadline(was_silent ? k_patience_after_silence : k_patience, "a new channel",
                              std::move(attempt));
  asio::co_spawn(m_io, prepare(std::move(key), std::move(held), exchange, std::move(request)),
                 asio::detached);
  co_return exchange;
}

// What was started ahead gives way where the host allows no more sessions (MaxSessions).
Async<MasterServer::Parts::ExchangePtr> MasterServer::Parts::start_anew(Held held,
                                                                        const ExecRequest& request) {
  std::unique_ptr<Channel> channel;
  std::optional<Error> refusal;
  while (!channel) {
    try {
      channel = co_await held.link->connection().exec(request);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::remote) throw;
      refusal = error;
    }
    if (channel) break;
    const bool has_given_way = co_await held.ready->give_up_one();
    if (!has_given_way) throw Error(*refusal);
  }
  held.link->heard_at = steady_clock::now();
  co_return Exchange::begin(m_io.get_executor(), held.link, std::move(channel),
                            Exchange::Streams::with_error);
}

// Also finds out whether a host that was silent is still there: the client that has got a process of it does
// not wait for that.
Async<void> MasterServer::Parts::prepare(std::string key, Held held, ExchangePtr served,
                                         ExecRequest request) {
  const auto asked_at = steady_clock::now();
  const bool was_silent = asked_at - held.link->heard_at > k_silence;
  std::optional<Error> failure;
  std::function<Async<void>()> attempt = [&]() -> Async<void> {
    const auto doubt = was_silent ? ReadyProcesses::Doubt::yes : ReadyProcesses::Doubt::no;
    co_await held.ready->prepare(request, served, doubt);
  };
  try {
    co_await sys::with_deadline(was_silent ? k_patience_after_silence : k_patience, "a process",
                                std::move(attempt));
  } catch (const Error& error) {
    failure = error;
  }
  const bool is_lost = failure && failure->kind() != ErrorKind::remote;
  if (!is_lost || held.link->heard_at >= asked_at) co_return;
  drop(key, held.link);
  co_await served->fail(Error(ErrorKind::unreachable, failure->message(), failure->hint()));
}

Async<void> MasterServer::Parts::open(Client client, std::string key, Opening opening) {
  const auto known = m_links.find(key);
  const Held held = known == m_links.end() ? Held{} : known->second;
  std::optional<Error> failure;
  ExchangePtr exchange;
  if (held.ready == nullptr) {
    failure = Error(ErrorKind::unreachable, "the connection is gone");
  } else {
    try {
      exchange = co_await opening(held);
    } catch (const Error& error) {
      failure = error;
    }
  }
  opening = nullptr;  // with the request in it
  if (!failure) co_return co_await exchange->serve(std::move(client));
  const bool is_lost = failure->kind() == ErrorKind::unreachable || failure->kind() == ErrorKind::timeout;
  if (held.link != nullptr && is_lost) drop(key, held.link);
  if (is_lost) failure = Error(ErrorKind::unreachable, failure->message(), failure->hint());
  std::string answer = frame(Type::failed, master::to_body(*failure));
  co_await client->send(std::move(answer));
}

// The process id, then for each connection its destination, its transport and its channels.
std::string MasterServer::Parts::standing() const {
  std::string body;
  append_number(body, static_cast<std::uint32_t>(::getpid()));
  for (const auto& [key, held] : m_links) {
    if (!held.link->is_connected()) continue;
    append_text(body, held.link->connection().info().destination);
    append_text(body, held.link->connection().info().transport);
    append_number(body, held.link->channels());
  }
  return body;
}

MasterServer::MasterServer(IoContext& io, MasterServerOptions options)
    : m_parts(std::make_shared<Parts>(io, std::move(options))) {}
MasterServer::~MasterServer() = default;

MasterServer::Start MasterServer::start() {
  return m_parts->start();
}

Async<void> MasterServer::serve() {
  const auto parts = m_parts;
  asio::co_spawn(co_await asio::this_coro::executor, parts->accept_clients(), asio::detached);
  co_await parts->look_around();
}

std::string master_version() {
  struct stat status{};
  const auto program = sys::own_executable();
  std::string version = RE_VERSION " 1";
  if (::stat(program.c_str(), &status) == 0) {
    version += " " + std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
               std::to_string(status.st_mtim.tv_nsec);
  }
  return version;
}

int master_main(const std::vector<std::string>& words) {
  const auto persist = words.size() == 3 ? parse_number<std::uint32_t>(words[2]) : std::nullopt;
  if (!persist) throw Error(ErrorKind::usage, "__master is for re itself, and for nothing else");
  sys::make_room_for_descriptors(k_descriptors);
  asio::io_context io(1);
  const auto cache = sys::user_paths(sys::process_environment()).cache;
  MasterServer server(io, {words[0], words[1], std::chrono::milliseconds(*persist), cache});
  if (server.start() == MasterServer::Start::another_serves) return 0;
  // Who started us waits for the end of this stream; nothing of its terminal or directory is held after it.
  const sys::Fd nothing = sys::open_file("/dev/null", O_RDWR);
  for (const int fd : {0, 1, 2}) ::dup2(nothing.get(), fd);
  if (::chdir("/") != 0) throw errno_error("go to /", errno);
  asio::co_spawn(io, server.serve(), asio::detached);
  io.run();
  return 0;
}

}  // namespace re::transport
