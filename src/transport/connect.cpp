#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <optional>
#include <utility>

#include "re/base/error.hpp"
#include "re/sys/paths.hpp"
#include "re/sys/random.hpp"
#include "re/transport/target.hpp"
#include "transport/connect_memory.hpp"
#include "transport/local_connection.hpp"
#include "transport/master_client.hpp"
#include "transport/openssh_connection.hpp"
#include "transport/ssh2_connection.hpp"
#include "transport/transport_memory.hpp"

namespace re::transport {

namespace {

constexpr std::array<std::pair<Kind, std::string_view>, 4> k_kinds = {{
    {Kind::automatic, "auto"},
    {Kind::ssh2, "ssh2"},
    {Kind::openssh, "openssh"},
    {Kind::local, "local"},
}};

Async<std::unique_ptr<Connection>> connect_by_openssh(const Target& target, const ConnectContext& context) {
  const OpensshPrograms programs;
  co_return co_await connect_openssh(target, context, programs);
}

Async<std::unique_ptr<Connection>> connect_automatic(const Target& target, const ConnectContext& context) {
  const sys::SystemClock clock;
  const TransportMemory memory(context.state_directory / "transports", clock);
  if (memory.needs_openssh(target)) co_return co_await connect_by_openssh(target, context);
  std::optional<Error> reason;
  try {
    co_return co_await connect_ssh2(target, context);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unsupported) throw;
    reason = error;
  }
  context.progress.note(target.name + ": using the ssh program, since libssh2 cannot connect (" +
                        reason->message() + ")");
  auto connection = co_await connect_by_openssh(target, context);
  memory.remember_openssh(target);
  co_return connection;
}

}  // namespace

std::optional<Kind> parse_kind(std::string_view text) {
  for (const auto& [kind, name] : k_kinds) {
    if (name == text) return kind;
  }
  return std::nullopt;
}

std::string_view to_string(Kind kind) {
  for (const auto& [known, name] : k_kinds) {
    if (known == kind) return name;
  }
  return "unknown";
}

std::shared_ptr<ConnectMemory> make_connect_memory(const std::filesystem::path& cache_directory) {
  return std::make_shared<ConnectMemory>(cache_directory);
}

Async<std::unique_ptr<Connection>> connect(const Target& target, const ConnectContext& context, Reuse reuse) {
  if (context.master && target.kind != Kind::local) {
    auto connection = co_await connect_by_master(target, context, reuse);
    if (connection) co_return std::move(connection);
  }
  switch (target.kind) {
    case Kind::ssh2:
      co_return co_await connect_ssh2(target, context);
    case Kind::openssh:
      co_return co_await connect_by_openssh(target, context);
    case Kind::local: {
      const auto paths = sys::user_paths(sys::process_environment());
      co_return connect_local(co_await boost::asio::this_coro::executor, paths.home.string());
    }
    case Kind::automatic:
      break;
  }
  co_return co_await connect_automatic(target, context);
}

}  // namespace re::transport
