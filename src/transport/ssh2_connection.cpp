#include "transport/ssh2_connection.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <utility>

#include "re/base/strings.hpp"
#include "transport/connect_memory.hpp"
#include "transport/host_key_checker.hpp"
#include "transport/ssh2_auth.hpp"
#include "transport/ssh2_channel.hpp"
#include "transport/ssh2_session.hpp"
#include "transport/ssh2_stream.hpp"
#include "transport/ssh2_wire.hpp"
#include "transport/ssh_config.hpp"
#include "transport/turned_away.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds k_default_timeout = 30s;

class Ssh2Connection final : public Connection {
 public:
  Ssh2Connection(std::shared_ptr<Ssh2SessionOwner> owner, ConnectionInfo info,
                 std::chrono::milliseconds channel_limit)
      : m_owner(std::move(owner)), m_info(std::move(info)), m_channel_limit(channel_limit) {}

  Async<std::unique_ptr<Channel>> exec(ExecRequest request) override {
    const auto purpose = request.pty ? Ssh2Channel::Purpose::terminal_process : Ssh2Channel::Purpose::process;
    auto channel = co_await open("session", "", purpose);
    co_await channel->start(std::move(request));
    co_return std::unique_ptr<Channel>(std::move(channel));
  }

  Async<std::unique_ptr<Channel>> open_forward(std::string host, unsigned short port) override {
    auto channel = co_await open_stream(std::move(host), port);
    co_return std::unique_ptr<Channel>(std::move(channel));
  }

  // RFC 4254 section 7.2: where to, and where from (which we do not know better).
  Async<std::unique_ptr<Ssh2Channel>> open_stream(std::string host, unsigned short port) {
    std::string message;
    append_text(message, host);
    append_number(message, port);
    append_text(message, "127.0.0.1");
    append_number(message, 0);
    co_return co_await open("direct-tcpip", std::move(message), Ssh2Channel::Purpose::forward);
  }

  [[nodiscard]] const ConnectionInfo& info() const override { return m_info; }
  void keep_ready() { m_owner->session().keep_spare_channel(); }
  [[nodiscard]] int descriptor() const { return m_owner->session().descriptor(); }

  Async<void> close() override {
    try {
      co_await m_owner->session().disconnect();
    } catch (const Error&) {
      m_owner->session().shut_down();  // it was lost in this moment
    }
  }

 private:
  Async<std::unique_ptr<Ssh2Channel>> open(std::string type, std::string message,
                                           Ssh2Channel::Purpose purpose) {
    const auto owner = m_owner;
    const auto opened =
        co_await owner->session().open_channel(std::move(type), std::move(message), m_channel_limit);
    co_return std::make_unique<Ssh2Channel>(owner, opened, purpose);
  }

  std::shared_ptr<Ssh2SessionOwner> m_owner;
  ConnectionInfo m_info;
  std::chrono::milliseconds m_channel_limit;
};

// One hop on the way: the target itself, or a jump host before it.
struct Hop {
  Target target;
  EffectiveConfig config;
};

void refuse_proxy_command(const EffectiveConfig& config) {
  if (config.proxy_command.empty()) return;
  throw Error(ErrorKind::unsupported, "the ssh configuration has a ProxyCommand for " + config.hostname);
}

// ssh(1): the jump hosts are looked up in the same configuration; their own ProxyJump counts for the first of
// them only.
Async<std::vector<Hop>> plan_route(Target target, ConnectMemory& memory, int depth = 0) {
  constexpr int k_deepest = 8;
  if (depth > k_deepest)
    throw Error(ErrorKind::config, "the ProxyJump of " + target.host + " leads in circles");
  Hop last{target, {}};
  last.config = co_await effective_ssh_config(target, memory.ssh_configs);
  refuse_proxy_command(last.config);
  std::vector<Hop> route;
  const std::string jumps = last.config.proxy_jump;
  if (!jumps.empty()) {
    for (const auto& jump : parse_proxy_jump(jumps).value()) {
      Target hop;
      hop.name = jump.host;
      hop.host = jump.host;
      hop.user = jump.user;
      hop.port = jump.port;
      hop.connect_timeout = target.connect_timeout;
      hop.unknown_host = target.unknown_host;
      hop.ssh_config = target.ssh_config;
      if (route.empty()) {
        route = co_await plan_route(hop, memory, depth + 1);
      } else {
        Hop next{hop, {}};
        next.config = co_await effective_ssh_config(hop, memory.ssh_configs);
        refuse_proxy_command(next.config);
        route.push_back(std::move(next));
      }
    }
  }
  route.push_back(std::move(last));
  co_return route;
}

std::chrono::milliseconds connect_timeout(const Hop& hop) {
  if (hop.target.connect_timeout) return *hop.target.connect_timeout;
  if (hop.config.connect_timeout) return *hop.config.connect_timeout;
  return k_default_timeout;
}

LivenessOptions liveness_of(const EffectiveConfig& config) {
  LivenessOptions options;
  if (config.server_alive_interval.count() > 0) {
    options.interval = config.server_alive_interval;
    options.count = std::max(1U, config.server_alive_count_max);
  }
  return options;
}

// The stricter of what the caller and the ssh configuration say; a changed key is refused in every case.
UnknownHost unknown_host_policy(const Target& target, std::string_view strict) {
  if (strict == "yes" || strict == "true" || target.unknown_host == UnknownHost::refuse)
    return UnknownHost::refuse;
  const bool accepts = strict == "accept-new" || strict == "no" || strict == "off" || strict == "false";
  return accepts ? UnknownHost::accept_new : target.unknown_host;
}

HostKeyPolicy host_key_policy(const Hop& hop) {
  const EffectiveConfig& config = hop.config;
  HostKeyPolicy policy;
  policy.host = config.host_key_alias.empty() ? config.hostname : config.host_key_alias;
  policy.port = config.host_key_alias.empty() ? config.port : static_cast<unsigned short>(22);
  policy.user_files.assign(config.user_known_hosts.begin(), config.user_known_hosts.end());
  policy.global_files.assign(config.global_known_hosts.begin(), config.global_known_hosts.end());
  policy.unknown_host = unknown_host_policy(hop.target, config.strict_host_key_checking);
  return policy;
}

HostKey server_key(const Ssh2Session& session) {
  std::size_t size = 0;
  int type = 0;
  const char* blob = libssh2_session_hostkey(session.raw(), &size, &type);
  if (blob == nullptr) throw Error(ErrorKind::protocol, session.name() + " gave no host key");
  HostKey key;
  key.blob.assign(blob, size);
  key.type = key_type(key.blob);
  return key;
}

std::string destination_of(const EffectiveConfig& config, const Target& target) {
  const std::string name = config.user + "@" + target.host;
  return config.port == 22 ? name : name + ":" + std::to_string(config.port);
}

// Questions about the host key take the user's time, not the server's.
void check_host_key(Ssh2Session& session, const HostKeyChecker& checker, const HostKey& key,
                    const ConnectContext& context) {
  const TimePoint began = std::chrono::steady_clock::now();
  checker.check(key, context.prompter, context.progress);
  if (session.deadline())
    session.set_deadline(*session.deadline() + (std::chrono::steady_clock::now() - began));
}

Async<std::unique_ptr<ByteStream>> reach(const Hop& hop, std::shared_ptr<Ssh2Connection> below,
                                         TimePoint deadline) {
  if (below) {
    const int descriptor = below->descriptor();
    auto channel = co_await below->open_stream(hop.config.hostname, hop.config.port);
    co_return make_channel_stream(std::move(channel), below, descriptor);
  }
  const LivenessOptions liveness = liveness_of(hop.config);
  TcpOptions options;
  options.host = hop.config.hostname;
  options.port = hop.config.port;
  options.family = hop.config.address_family;
  options.bind_address = hop.config.bind_address;
  options.deadline = deadline;
  options.user_timeout = liveness.interval * liveness.count;
  co_return co_await connect_tcp(std::move(options));
}

Async<std::string> set_up(Ssh2Session& session, const Hop& hop, const ConnectContext& context) {
  const HostKeyChecker checker(host_key_policy(hop), context.memory->known_hosts);
  const AlgorithmOffer offer = choose_algorithms(hop.config, checker.known_types());
  co_await session.handshake(offer);
  const HostKey key = server_key(session);
  check_host_key(session, checker, key, context);
  Ssh2Authenticator authenticator(session, hop.target, hop.config, context.prompter, context.memory->keys);
  co_await authenticator.run();
  session.become_established(liveness_of(hop.config));
  co_return key.type + " " + fingerprint(key);
}

Error turned_away(const Ssh2Session& session) {
  constexpr std::size_t k_most = 200;
  std::string said(trim(session.greeting().substr(0, k_most)));
  std::replace_if(
      said.begin(), said.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; },
      ' ');
  return {ErrorKind::unreachable,
          "cannot connect to " + session.name() + ": the server closed the connection before its greeting" +
              (said.empty() ? "" : ": " + said),
          k_turned_away_hint};
}

bool is_turned_away(const Ssh2Session& session) {
  const auto& failure = session.failure();
  return failure && failure->kind() == ErrorKind::unreachable && !session.greeting().starts_with("SSH-");
}

struct Login {
  std::unique_ptr<Ssh2Connection> connection;
  std::exception_ptr failure;
  bool was_hasty = false;
  bool was_turned_away = false;
};

enum class Haste { no, yes };

Async<Login> log_in_once(const Hop& hop, std::shared_ptr<Ssh2Connection> below, const ConnectContext& context,
                         Haste haste) {
  const std::chrono::milliseconds limit = connect_timeout(hop);
  const TimePoint deadline = std::chrono::steady_clock::now() + limit;
  auto stream = co_await reach(hop, std::move(below), deadline);
  const auto executor = co_await asio::this_coro::executor;
  const auto session =
      std::make_shared<Ssh2Session>(executor, std::move(stream), hop.config.user + "@" + hop.target.host);
  const auto owner = std::make_shared<Ssh2SessionOwner>(session);  // ends it when something is thrown
  session->set_deadline(deadline);
  if (haste == Haste::yes) session->permit_hasty_opening();
  session->start();
  ConnectionInfo info;
  info.destination = destination_of(hop.config, hop.target);
  info.transport = "ssh2";
  Login login;
  try {
    info.host_key = co_await set_up(*session, hop, context);
  } catch (...) {
    login.failure = std::current_exception();
  }
  login.was_hasty = session->has_opened_hastily();
  login.was_turned_away = login.failure && is_turned_away(*session);
  if (login.was_turned_away) login.failure = std::make_exception_ptr(turned_away(*session));
  if (!login.failure) login.connection = std::make_unique<Ssh2Connection>(owner, std::move(info), limit);
  co_return login;
}

Async<Login> log_in(const Hop& hop, std::shared_ptr<Ssh2Connection> below, const ConnectContext& context,
                    Haste haste) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  Login login = co_await log_in_once(hop, below, context, haste);
  for (const auto pause : k_pauses_when_turned_away) {
    if (!login.was_turned_away || pause > connect_timeout(hop)) break;
    timer.expires_after(pause);
    co_await timer.async_wait(asio::use_awaitable);
    login = co_await log_in_once(hop, below, context, haste);
  }
  co_return login;
}

// A jump host gets no session, so there is nothing to hurry for.
Async<std::unique_ptr<Ssh2Connection>> connect_hop(const Hop& hop, std::shared_ptr<Ssh2Connection> below,
                                                   const ConnectContext& context, Haste haste) {
  auto& slow_logins = context.memory->slow_logins;
  const std::string destination = destination_of(hop.config, hop.target);
  const bool is_slow = haste == Haste::no || slow_logins.contains(destination);
  Login login = co_await log_in(hop, below, context, is_slow ? Haste::no : Haste::yes);
  if (login.failure && login.was_hasty) {
    slow_logins.insert(destination);
    login = co_await log_in(hop, below, context, Haste::no);
  }
  if (login.failure) std::rethrow_exception(login.failure);
  co_return std::move(login.connection);
}

}  // namespace

Async<std::unique_ptr<Connection>> connect_ssh2(const Target& target, const ConnectContext& given) {
  ConnectContext context = given;
  if (!context.memory) context.memory = make_connect_memory({});
  const std::vector<Hop> route = co_await plan_route(target, *context.memory);
  std::unique_ptr<Ssh2Connection> reached;
  for (const auto& hop : route) {
    std::shared_ptr<Ssh2Connection> below = std::move(reached);
    const Haste haste = &hop == &route.back() ? Haste::yes : Haste::no;
    reached = co_await connect_hop(hop, std::move(below), context, haste);
  }
  if (context.keep == Keep::open) reached->keep_ready();
  co_return reached;
}

}  // namespace re::transport
