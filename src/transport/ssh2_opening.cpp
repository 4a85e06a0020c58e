// A session's channels: opened one at a time, given back in the background.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "transport/ssh2_session.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;

constexpr unsigned k_window = 4U << 20U;  // of each channel; libssh2 keeps it open as the data is read
constexpr auto k_release_patience = std::chrono::seconds(1);
constexpr auto k_release_pause = std::chrono::milliseconds(10);
constexpr unsigned k_packet = 32768;  // RFC 4253 section 6.1: what every implementation can take

}  // namespace

struct Ssh2Session::Opening {
  std::string type;
  std::string message;
  TimePoint deadline;
  OpenedChannel result;
  std::optional<Error> error;
  bool is_done = false;
  bool is_wanted = true;
};

// When any process of the connection ends, dropbear closes the channels in which none was started; it runs
// what is asked for in one all the same, and never says so (2022.83, common-channel.c).
bool Ssh2Session::may_close_idle_channels() const {
  return greeting().find("dropbear") != std::string_view::npos;
}

void Ssh2Session::keep_spare_channel() {
  if (may_close_idle_channels()) return;
  m_keeps_spare = true;
  open_spare_channel();
}

// OpenSSH passes by what it does not expect before the login is complete; others may hang up. What is begun
// here goes on in try_opening(): libssh2 keeps the state of one opening.
void Ssh2Session::open_hastily() {
  if (m_has_opened_hastily || !m_may_open_hastily) return;
  if (!greeting().starts_with("SSH-2.0-OpenSSH_")) return;
  m_has_opened_hastily = true;
  constexpr std::string_view k_type = "session";
  attempt([this, k_type]() -> long {
    libssh2_channel_open_ex(m_session, k_type.data(), static_cast<unsigned>(k_type.size()), k_window,
                            k_packet, nullptr, 0);
    return libssh2_session_last_errno(m_session);
  });
}

std::optional<Ssh2Session::OpenedChannel> Ssh2Session::take_spare_channel() {
  if (!m_spare) return std::nullopt;
  const OpenedChannel spare = *m_spare;
  m_spare.reset();
  if (!may_close_idle_channels() && libssh2_channel_eof(spare.channel) == 0) return spare;
  release_channel(spare);
  return std::nullopt;
}

// A server that refuses (MaxSessions) is not asked again before the next channel is wanted.
void Ssh2Session::open_spare_channel() {
  if (m_spare || m_is_opening || m_failure) return;
  m_is_opening_spare = true;
  const auto opening = std::make_shared<Opening>();
  opening->type = "session";
  opening->deadline = TimePoint::max();
  asio::co_spawn(
      m_executor,
      [](std::shared_ptr<Ssh2Session> self, std::shared_ptr<Opening> spare) -> Async<void> {
        co_await open_task(self, spare);
        self->m_is_opening_spare = false;
        self->wake_all();
        if (spare->error) co_return;
        if (self->m_spare)
          self->release_channel(spare->result);
        else
          self->m_spare = spare->result;
      }(shared_from_this(), opening),
      asio::detached);
}

Async<std::optional<Error>> Ssh2Session::try_opening(Opening& opening) {
  m_memory.take_open_failure();
  LIBSSH2_CHANNEL* channel = nullptr;
  const CallResult result = co_await run([this, &opening, &channel]() -> long {
    channel = libssh2_channel_open_ex(m_session, opening.type.data(),
                                      static_cast<unsigned>(opening.type.size()), k_window, k_packet,
                                      opening.message.data(), static_cast<unsigned>(opening.message.size()));
    return channel != nullptr ? 0 : libssh2_session_last_errno(m_session);
  });
  if (channel != nullptr) {
    opening.result = {channel, m_memory.opened_channel()};
    m_channels.insert(channel);
    co_return std::nullopt;
  }
  const std::string text = m_memory.take_open_failure();
  co_return Error(ErrorKind::remote, m_name + " refuses a channel: " + (text.empty() ? result.message : text),
                  opening.type == "session" ? "its MaxSessions may be reached" : "");
}

Async<void> Ssh2Session::perform_opening(Opening& opening) {
  while (m_is_opening) co_await wait_for_change(opening.deadline);
  m_is_opening = true;
  const auto self = shared_from_this();
  const std::shared_ptr<void> leave(nullptr, [self](void*) {
    self->m_is_opening = false;
    self->wake_all();
  });
  // sshd counts a session until its process is reaped and both sides have closed it: a refusal that follows a
  // close closely is not its last word.
  auto refusal = co_await try_opening(opening);
  while (refusal && std::chrono::steady_clock::now() < m_released_at + k_release_patience) {
    asio::steady_timer pause(m_executor, k_release_pause);
    co_await pause.async_wait(asio::use_awaitable);
    refusal = co_await try_opening(opening);
  }
  if (refusal) throw Error(*refusal);
}

Async<void> Ssh2Session::open_task(std::shared_ptr<Ssh2Session> self, std::shared_ptr<Opening> opening) {
  try {
    co_await self->perform_opening(*opening);
  } catch (const Error& error) {
    opening->error = error;
  } catch (const std::exception& error) {
    opening->error = Error(ErrorKind::io, error.what());
  }
  opening->is_done = true;
  if (!opening->is_wanted && !opening->error) self->release_channel(opening->result);
  self->wake_all();
}

Async<void> Ssh2Session::wait_for_channel(TimePoint deadline) {
  try {
    co_await wait_for_change(deadline);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::timeout) throw;
    throw Error(ErrorKind::unreachable, "no channel from " + m_name + " in time");
  }
}

// libssh2 keeps the state of one opening in the session, so it is never left halfway: it runs on its own, and
// who waits for it may be cancelled.
Async<Ssh2Session::OpenedChannel> Ssh2Session::open_channel(std::string type, std::string message,
                                                            std::chrono::milliseconds limit) {
  check_usable();
  const TimePoint deadline = std::chrono::steady_clock::now() + limit;
  while (m_is_opening_spare && type == "session") co_await wait_for_channel(deadline);
  if (type == "session") {
    if (const auto spare = take_spare_channel()) {
      if (m_keeps_spare) open_spare_channel();
      co_return *spare;
    }
  }
  const auto self = shared_from_this();
  const auto opening = std::make_shared<Opening>();
  opening->type = std::move(type);
  opening->message = std::move(message);
  opening->deadline = TimePoint::max();
  const std::shared_ptr<void> leave(nullptr, [self, opening](void*) {
    if (!opening->is_done) opening->is_wanted = false;
  });
  asio::co_spawn(m_executor, open_task(self, opening), asio::detached);
  while (!opening->is_done) co_await wait_for_channel(deadline);
  if (opening->error) throw Error(*opening->error);
  if (m_keeps_spare) open_spare_channel();
  co_return opening->result;
}

Async<void> Ssh2Session::release_task(std::shared_ptr<Ssh2Session> self, OpenedChannel opened) {
  LIBSSH2_CHANNEL* channel = opened.channel;
  try {
    co_await self->run([channel] { return libssh2_channel_free(channel); });
    self->m_memory.forget_channel(opened.number);
  } catch (const std::exception&) {
    // the session has failed; it frees its channels itself
  }
}

void Ssh2Session::release_channel(OpenedChannel channel) noexcept {
  m_channels.erase(channel.channel);
  m_released_at = std::chrono::steady_clock::now();
  if (channel.channel == nullptr || m_failure) return;
  try {
    asio::co_spawn(m_executor, release_task(shared_from_this(), channel), asio::detached);
  } catch (const std::exception&) {
    // out of memory: it goes with the session
  }
}

}  // namespace re::transport
