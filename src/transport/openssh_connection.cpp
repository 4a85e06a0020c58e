#include "transport/openssh_connection.hpp"

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <utility>

#include "re/base/error.hpp"
#include "re/sys/deadline.hpp"
#include "transport/mux_channel.hpp"

namespace re::transport {

namespace {

class OpensshConnection final : public Connection {
 public:
  explicit OpensshConnection(std::shared_ptr<OpensshMaster> master)
      : m_master(std::move(master)), m_info{m_master->destination(), "openssh", m_master->host_key()} {}

  Async<std::unique_ptr<Channel>> exec(ExecRequest request) override {
    std::unique_ptr<Channel> channel;
    const std::function<Async<void>()> open = [&]() -> Async<void> {
      channel = co_await open_mux_session(m_master, std::move(request));
    };
    co_await within_limit(open);
    co_return channel;
  }

  Async<std::unique_ptr<Channel>> open_forward(std::string host, unsigned short port) override {
    std::unique_ptr<Channel> channel;
    const std::function<Async<void>()> open = [&]() -> Async<void> {
      channel = co_await open_mux_forward(m_master, host, port);
    };
    co_await within_limit(open);
    co_return channel;
  }

  [[nodiscard]] const ConnectionInfo& info() const override { return m_info; }

  Async<void> close() override { co_await m_master->stop(); }

 private:
  Async<void> within_limit(std::function<Async<void>()> open) {
    const std::string what = "opening a channel to " + m_info.destination;
    try {
      co_await sys::with_deadline(m_master->limit(), what, std::move(open));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::timeout) throw;
      throw Error(ErrorKind::unreachable, error.message());
    }
  }

  std::shared_ptr<OpensshMaster> m_master;
  ConnectionInfo m_info;
};

}  // namespace

Async<std::unique_ptr<Connection>> connect_openssh(Target target, ConnectContext context,
                                                   OpensshPrograms programs) {
  auto master = co_await OpensshMaster::start(std::move(target), context, std::move(programs));
  co_return std::make_unique<OpensshConnection>(std::move(master));
}

}  // namespace re::transport
