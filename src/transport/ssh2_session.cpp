#include "transport/ssh2_session.hpp"

#include <openssl/crypto.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace re::transport {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// An idle session holds a buffer of the first size: a fleet has hundreds. It grows while reads fill it. What
// sshd says at once until the first answer fits.
constexpr std::size_t k_idle_read_size = std::size_t{2} << 10U;
constexpr std::size_t k_busy_read_size = std::size_t{256} << 10U;
constexpr std::size_t k_read_growth = 8;
constexpr std::size_t k_idle_buffer = k_idle_read_size;  // kept by a session that has nothing to send
constexpr std::size_t k_inbound_limit = std::size_t{1} << 20U;
constexpr std::size_t k_outbound_limit = std::size_t{1} << 20U;
constexpr auto k_farewell = 200ms;
constexpr int k_farewell_turns = 8;
constexpr std::chrono::milliseconds k_shortest_interval = 2s;  // libssh2 sends no keepalive more often

// libssh2_init() is not thread-safe and counts; once is enough for the program. OpenSSL's configuration file,
// texts of errors and engines, which nothing here asks for, would be a tenth of what a login costs.
int initialize_library() {
  static const int k_result = [] {
    constexpr std::uint64_t k_plain = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS;
    if (::OPENSSL_init_crypto(k_plain, nullptr) != 1) return -1;
    return libssh2_init(LIBSSH2_INIT_NO_CRYPTO);
  }();
  return k_result;
}

bool breaks_connection(long code) {
  static constexpr std::array k_fatal = {
      LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_SEND,     LIBSSH2_ERROR_SOCKET_DISCONNECT,
      LIBSSH2_ERROR_INVALID_MAC, LIBSSH2_ERROR_DECRYPT,         LIBSSH2_ERROR_ENCRYPT,
      LIBSSH2_ERROR_ALLOC,       LIBSSH2_ERROR_OUT_OF_BOUNDARY, LIBSSH2_ERROR_BAD_SOCKET};
  return std::find(k_fatal.begin(), k_fatal.end(), code) != k_fatal.end();
}

}  // namespace

// libssh2's C callbacks; the abstract pointer of a session is its Ssh2Session.
struct Ssh2Callbacks {
  static Ssh2Session& session(void** abstract) { return *static_cast<Ssh2Session*>(*abstract); }

  static void* allocate(std::size_t size, void** abstract) {
    return session(abstract).m_memory.allocate(size);
  }
  static void* reallocate(void* block, std::size_t size, void** abstract) {
    return session(abstract).m_memory.reallocate(block, size);
  }
  static void release(void* block, void** abstract) { session(abstract).m_memory.release(block); }

  static ssize_t receive(libssh2_socket_t, void* buffer, std::size_t size, int, void** abstract) {
    return session(abstract).receive(static_cast<char*>(buffer), size);
  }
  static ssize_t send(libssh2_socket_t, const void* data, std::size_t size, int, void** abstract) {
    return session(abstract).send(static_cast<const char*>(data), size);
  }
  // NOLINTNEXTLINE(readability-function-size): libssh2's signature
  static void disconnected(LIBSSH2_SESSION*, int, const char* message, int size, const char*, int,
                           void** abstract) {
    if (message != nullptr && size > 0) {
      session(abstract).m_disconnect_message.assign(message, static_cast<std::size_t>(size));
    }
  }
};

Ssh2Session::Ssh2Session(asio::any_io_executor executor, std::unique_ptr<ByteStream> stream, std::string name)
    : m_executor(std::move(executor)),
      m_stream(std::move(stream)),
      m_name(std::move(name)),
      m_read_size(k_idle_read_size),
      m_last_received(std::chrono::steady_clock::now()),
      m_writer_signal(m_executor),
      m_watch_signal(m_executor) {
  if (initialize_library() != 0) throw Error(ErrorKind::io, "libssh2 cannot be initialised");
  m_session = libssh2_session_init_ex(Ssh2Callbacks::allocate, Ssh2Callbacks::release,
                                      Ssh2Callbacks::reallocate, this);
  if (m_session == nullptr) throw Error(ErrorKind::io, "libssh2 cannot make a session: out of memory");
  m_memory.give_back_zeros();
  libssh2_session_set_blocking(m_session, 0);
  libssh2_session_callback_set(m_session, LIBSSH2_CALLBACK_RECV,
                               reinterpret_cast<void*>(&Ssh2Callbacks::receive));
  libssh2_session_callback_set(m_session, LIBSSH2_CALLBACK_SEND,
                               reinterpret_cast<void*>(&Ssh2Callbacks::send));
  libssh2_session_callback_set(m_session, LIBSSH2_CALLBACK_DISCONNECT,
                               reinterpret_cast<void*>(&Ssh2Callbacks::disconnected));
}

Ssh2Session::~Ssh2Session() {
  shut_down();
  libssh2_session_free(m_session);  // receive() gives an error now, so that nothing waits for an answer
}

// --- bytes
// -----------------------------------------------------------------------------------------------------------

long Ssh2Session::receive(char* buffer, std::size_t size) {
  if (m_phase == Phase::ended) return -ECONNRESET;
  // Also at the end of the stream: libssh2 drops its queue on an error, and what has arrived is to be read
  // first.
  if (inbound_size() == 0 || m_holds_inbound) return -EAGAIN;
  const std::size_t count = std::min(size, inbound_size());
  std::memcpy(buffer, m_inbound.data() + m_inbound_taken, count);
  m_inbound_taken += count;
  m_consumed += count;
  if (inbound_size() == 0) {
    m_inbound.clear();
    m_inbound_taken = 0;
  }
  return static_cast<long>(count);
}

long Ssh2Session::send(const char* data, std::size_t size) {
  constexpr std::size_t k_type_at = 5;  // after the length and the padding's length, RFC 4253 section 6
  constexpr char k_new_keys = 21;
  if (m_has_sent_new_keys) m_has_asked_service = true;  // the first packet that follows
  if (m_phase == Phase::handshake && size > k_type_at && data[k_type_at] == k_new_keys)
    m_has_sent_new_keys = true;
  if (m_phase != Phase::ended) {
    m_outbound.append(data, size);
    m_writer_signal.cancel();
  }
  return static_cast<long>(size);
}

void Ssh2Session::start() {
  asio::co_spawn(m_executor, read_loop(shared_from_this()), asio::detached);
  asio::co_spawn(m_executor, write_loop(shared_from_this()), asio::detached);
}

Async<void> Ssh2Session::read_once() {
  while (inbound_size() >= k_inbound_limit) co_await wait_for_change();
  m_inbound.erase(0, std::exchange(m_inbound_taken, 0));
  std::string piece;
  if (m_inbound.empty() && m_inbound.capacity() < 2 * m_read_size) piece.swap(m_inbound);
  piece.resize(m_read_size);
  const std::size_t count = co_await m_stream->read_some(piece.data(), piece.size());
  if (m_failure) co_return;  // it is all over, and a fleet ends hundreds
  if (count == m_read_size)
    m_read_size = std::min(m_read_size * k_read_growth, k_busy_read_size);
  else if (count <= k_idle_read_size)
    m_read_size = k_idle_read_size;
  if (count == 0) {
    wake_all();  // what came before the end is taken in first
    co_await asio::post(m_executor, asio::use_awaitable);
    throw Error(ErrorKind::unreachable, "the server closed the connection");
  }
  piece.resize(count);
  if (m_inbound.empty())
    m_inbound.swap(piece);
  else
    m_inbound += piece;
  m_last_received = std::chrono::steady_clock::now();
  // Someone who waits will take the bytes in; otherwise the server's own questions must still be answered.
  if (m_waiting.empty()) pump();
  wake_all();
}

Async<void> Ssh2Session::read_loop(std::shared_ptr<Ssh2Session> self) {
  std::string reason;
  try {
    while (!self->m_failure) co_await self->read_once();
  } catch (const Error& error) {
    reason = error.message();
  } catch (const std::exception& error) {
    reason = error.what();
  }
  if (!self->m_failure) self->fail(self->lost(reason));
}

Async<void> Ssh2Session::write_once() {
  if (m_outbound.empty()) {
    m_writer_signal.expires_at(TimePoint::max());
    co_await m_writer_signal.async_wait(asio::as_tuple(asio::use_awaitable));
    co_return;
  }
  m_sending.swap(m_outbound);
  co_await m_stream->write(m_sending);
  const bool was_full = outbound_size() >= k_outbound_limit;
  m_sending.clear();
  if (m_outbound.empty() && m_sending.capacity() > k_idle_buffer) m_sending.shrink_to_fit();
  if (was_full) wake_all();
}

Async<void> Ssh2Session::write_loop(std::shared_ptr<Ssh2Session> self) {
  std::string reason;
  try {
    while (!self->m_failure) co_await self->write_once();
  } catch (const Error& error) {
    reason = error.message();
  } catch (const std::exception& error) {
    reason = error.what();
  }
  // The reader may still find bytes that say why; it notices the end by itself.
  if (!self->m_failure && self->m_phase == Phase::established) self->fail(self->lost(reason));
}

// --- calls and waiting
// -----------------------------------------------------------------------------------------------

Error Ssh2Session::lost(const std::string& reason) const {
  const std::string why = m_disconnect_message.empty() ? reason : "the server said: " + m_disconnect_message;
  switch (m_phase) {
    case Phase::handshake:
      return {ErrorKind::unreachable,
              "cannot connect to " + m_name + ": " + why + " during the key exchange"};
    case Phase::authentication:
      return {ErrorKind::unreachable, "cannot log in to " + m_name + ": " + why + " during authentication"};
    default:
      return {ErrorKind::unreachable, "connection to " + m_name + " lost: " + why};
  }
}

void Ssh2Session::check_usable() const {
  if (m_failure) throw Error(*m_failure);
}

CallResult Ssh2Session::call_library(const Call& call) const {
  CallResult result;
  result.code = call();
  if (result.code < 0 && result.code != LIBSSH2_ERROR_EAGAIN) {
    char* text = nullptr;
    int size = 0;
    libssh2_session_last_error(m_session, &text, &size, 0);
    if (text != nullptr && size > 0) result.message.assign(text, static_cast<std::size_t>(size));
  }
  return result;
}

CallResult Ssh2Session::attempt(const Call& call) {
  if (m_phase == Phase::ended) check_usable();
  const std::uint64_t consumed = m_consumed;
  if (m_is_service_awaited) take_service_accept();
  m_holds_inbound = m_is_service_awaited;
  const CallResult result = call_library(call);
  m_holds_inbound = false;
  if (m_consumed != consumed) wake_all();
  if (breaks_connection(result.code) && m_phase != Phase::handshake) fail(lost(result.message));
  if (result.code < 0 && m_failure) check_usable();
  return result;
}

Async<CallResult> Ssh2Session::run(Call call, std::optional<TimePoint> deadline) {
  for (;;) {
    CallResult result = attempt(call);
    if (result.code != LIBSSH2_ERROR_EAGAIN) co_return result;
    co_await wait_for_change(deadline);
  }
}

Async<void> Ssh2Session::wait_for_change(std::optional<TimePoint> deadline) {
  check_usable();
  TimePoint limit = deadline.value_or(TimePoint::max());
  if (m_deadline) limit = std::min(limit, *m_deadline);
  const auto self = shared_from_this();
  asio::steady_timer timer(m_executor, limit);
  const auto place = m_waiting.insert(m_waiting.end(), &timer);
  const std::shared_ptr<void> leave(nullptr, [self, place](void*) { self->m_waiting.erase(place); });
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  check_usable();
  if (std::chrono::steady_clock::now() >= limit)
    throw Error(ErrorKind::timeout, m_name + " does not answer in time");
}

Async<void> Ssh2Session::wait_for_room() {
  while (outbound_size() >= k_outbound_limit) co_await wait_for_change();
}

void Ssh2Session::wake_all() {
  for (auto* timer : m_waiting) timer->cancel();
}

void Ssh2Session::fail(Error error) {
  if (m_failure) return;
  m_failure = std::move(error);
  shut_down();
}

void Ssh2Session::shut_down() noexcept {
  if (!m_failure) m_failure = Error(ErrorKind::unreachable, "the connection to " + m_name + " is closed");
  if (m_phase == Phase::ended) return;
  m_phase = Phase::ended;
  m_stream->close();
  wake_all();
  m_writer_signal.cancel();
  m_watch_signal.cancel();
}

Async<void> Ssh2Session::disconnect() {
  if (m_failure) co_return;
  const auto self = shared_from_this();
  attempt([this] { return libssh2_session_disconnect(m_session, "disconnected by user"); });
  const TimePoint limit = std::chrono::steady_clock::now() + k_farewell;
  asio::steady_timer timer(m_executor);
  // The writer needs a turn or two, and time only where the peer takes nothing.
  for (int turn = 0; !m_failure && outbound_size() > 0 && std::chrono::steady_clock::now() < limit; ++turn) {
    timer.expires_after(turn < k_farewell_turns ? 0ms : 1ms);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  shut_down();
}

std::string_view Ssh2Session::greeting() const {
  const char* const banner = libssh2_session_banner_get(m_session);
  return banner != nullptr ? banner : std::string_view();
}

// --- handshake
// -------------------------------------------------------------------------------------------------------

void Ssh2Session::offer(const AlgorithmOffer& offer) {
  const std::array<std::pair<int, const std::string*>, 6> preferences = {
      {{LIBSSH2_METHOD_KEX, &offer.kex},
       {LIBSSH2_METHOD_HOSTKEY, &offer.host_keys},
       {LIBSSH2_METHOD_CRYPT_CS, &offer.ciphers},
       {LIBSSH2_METHOD_CRYPT_SC, &offer.ciphers},
       {LIBSSH2_METHOD_MAC_CS, &offer.macs},
       {LIBSSH2_METHOD_MAC_SC, &offer.macs}}};
  for (const auto& [method, list] : preferences) {
    if (libssh2_session_method_pref(m_session, method, list->c_str()) != 0) {
      throw Error(ErrorKind::unsupported, "libssh2 has none of " + *list);
    }
  }
}

Error Ssh2Session::handshake_error(const CallResult& result) const {
  const std::string why =
      m_disconnect_message.empty() ? result.message : "the server said: " + m_disconnect_message;
  const std::string message = "cannot connect to " + m_name + ": " + why;
  switch (result.code) {
    case LIBSSH2_ERROR_KEX_FAILURE:
    case LIBSSH2_ERROR_METHOD_NONE:
    case LIBSSH2_ERROR_METHOD_NOT_SUPPORTED:
      return {ErrorKind::unsupported, "libssh2 and " + m_name + " have no algorithm in common (" + why + ")"};
    case LIBSSH2_ERROR_BANNER_RECV:
    case LIBSSH2_ERROR_SOCKET_RECV:
    case LIBSSH2_ERROR_SOCKET_SEND:
    case LIBSSH2_ERROR_SOCKET_DISCONNECT:
      return {ErrorKind::unreachable, message};
    default:
      return {ErrorKind::protocol, message};
  }
}

CallResult Ssh2Session::step_handshake() {
  const int fd = m_stream->descriptor();
  CallResult result = call_library([this, fd] { return libssh2_session_handshake(m_session, fd); });
  if (result.code == 0 || result.code == LIBSSH2_ERROR_EAGAIN) return result;
  const Error error = handshake_error(result);
  fail(error);
  throw Error(error);
}

// libssh2 would wait for the server's leave to authenticate before it sends the first request; servers read
// them one after the other.
Async<void> Ssh2Session::handshake(const AlgorithmOffer& algorithms) {
  offer(algorithms);
  bool is_done = step_handshake().code == 0;
  while (!is_done && !m_has_asked_service) {
    co_await wait_for_change();
    is_done = step_handshake().code == 0;
  }
  m_is_service_awaited = !is_done;
  m_phase = Phase::authentication;
}

// It looks for the accept only among what it reads itself: nothing else may read before.
void Ssh2Session::take_service_accept() {
  if (step_handshake().code == 0) m_is_service_awaited = false;
}

// --- liveness
// --------------------------------------------------------------------------------------------------------

void Ssh2Session::become_established(LivenessOptions liveness) {
  m_phase = Phase::established;
  m_deadline.reset();
  libssh2_keepalive_config(m_session, 1, 1);
  if (m_has_opened_hastily) open_spare_channel();
  liveness.interval = std::max(liveness.interval, k_shortest_interval);
  asio::co_spawn(m_executor, watch_loop(shared_from_this(), liveness), asio::detached);
}

// libssh2 takes packets in only within another call; a read of nothing on any channel is the one without
// effect.
void Ssh2Session::pump() {
  if (m_channels.empty() || m_failure) return;
  LIBSSH2_CHANNEL* channel = *m_channels.begin();
  char nothing = 0;
  try {
    attempt([channel, &nothing] { return libssh2_channel_read_ex(channel, 0, &nothing, 0); });
  } catch (const Error&) {
    // the session has failed; all who wait will hear of it
  }
}

void Ssh2Session::probe_peer() {
  int seconds_to_next = 0;
  attempt([this, &seconds_to_next] { return libssh2_keepalive_send(m_session, &seconds_to_next); });
}

Async<void> Ssh2Session::watch_loop(std::shared_ptr<Ssh2Session> self, LivenessOptions liveness) {
  unsigned silent = 0;
  TimePoint seen = self->m_last_received;
  while (!self->m_failure) {
    self->m_watch_signal.expires_at(seen + liveness.interval * (silent + 1));
    co_await self->m_watch_signal.async_wait(asio::as_tuple(asio::use_awaitable));
    if (self->m_failure) break;
    const bool is_paused = self->inbound_size() >= k_inbound_limit;
    if (self->m_last_received != seen || is_paused) {
      seen = is_paused ? std::chrono::steady_clock::now() : self->m_last_received;
      silent = 0;
      continue;
    }
    if (++silent >= liveness.count) {
      const auto seconds =
          std::chrono::duration_cast<std::chrono::seconds>(liveness.interval * liveness.count);
      self->fail(self->lost("no sign of life for " + std::to_string(seconds.count()) + " s"));
      break;
    }
    try {
      if (self->m_channels.empty()) self->open_spare_channel();  // else nothing could be taken in: see pump()
      self->probe_peer();
    } catch (const Error&) {
      break;  // it has failed, and all know
    }
  }
}

}  // namespace re::transport
