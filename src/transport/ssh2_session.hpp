// One libssh2 session without its I/O: libssh2 reads from and writes to buffers in memory; a reader and a
// writer coroutine carry the bytes. So libssh2 never holds half a packet, and any number of coroutines may
// use the session side by side.
//
// Each call into libssh2 is repeated by its coroutine as long as it says EAGAIN, after a change: bytes came,
// or another call took bytes in (it may have queued a packet that we wait for).
#pragma once

#include <libssh2.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "re/base/error.hpp"
#include "re/sys/async.hpp"
#include "transport/ssh2_algorithms.hpp"
#include "transport/ssh2_memory.hpp"
#include "transport/ssh2_stream.hpp"

namespace re::transport {

struct LivenessOptions {
  /// Silence after which the peer is asked for a sign of life; 2 s at least.
  std::chrono::milliseconds interval{15000};
  unsigned count = 3;  ///< so many silent intervals, and the connection is lost
};

/// The result of one call into libssh2, with the error text that belongs to it (libssh2 keeps only the last).
struct CallResult {
  long code = 0;        ///< negative: a LIBSSH2_ERROR_*
  std::string message;  ///< of an error other than EAGAIN
};

using TimePoint = std::chrono::steady_clock::time_point;

class Ssh2Session : public std::enable_shared_from_this<Ssh2Session> {
 public:
  /// One call into libssh2; must not suspend, throw, or call back into the session.
  using Call = std::function<long()>;

  /// \param name  for messages: "user@host"
  Ssh2Session(boost::asio::any_io_executor executor, std::unique_ptr<ByteStream> stream, std::string name);
  ~Ssh2Session();
  Ssh2Session(const Ssh2Session&) = delete;
  Ssh2Session& operator=(const Ssh2Session&) = delete;

  /// Starts the reader and the writer; they end with shut_down().
  void start();
  /// Banner and key exchange, until authentication may begin: the server's leave to do so need not have
  /// come, the first request follows at once. Throws Error: unreachable, timeout, unsupported (no common
  /// algorithm), protocol.
  Async<void> handshake(const AlgorithmOffer& offer);
  /// Authenticated: no deadline any more; watches that the peer lives, and answers it when no one else uses
  /// the session.
  void become_established(LivenessOptions liveness);

  /// All waiting until further notice ends at this time with Error (timeout).
  void set_deadline(std::optional<TimePoint> deadline) { m_deadline = deadline; }
  [[nodiscard]] std::optional<TimePoint> deadline() const { return m_deadline; }

  /// Repeats the call until it does not say EAGAIN. Its error codes are returned, except that a broken
  /// connection is Error (unreachable) and a deadline Error (timeout).
  Async<CallResult> run(Call call, std::optional<TimePoint> deadline = std::nullopt);
  /// The same without waiting: EAGAIN comes back. Throws as run() does.
  CallResult attempt(const Call& call);
  /// Until something may have changed. Throws Error when the connection is lost or the deadline passed.
  Async<void> wait_for_change(std::optional<TimePoint> deadline = std::nullopt);
  /// Until there is room for more outbound bytes.
  Async<void> wait_for_room();
  void wake_all();

  /// A channel of this type, opened one at a time; cancelling the wait closes the channel once it is there.
  /// Throws Error: remote (refused), unreachable (lost, or not within the limit).
  struct OpenedChannel {
    LIBSSH2_CHANNEL* channel = nullptr;
    std::uint32_t number = 0;
  };
  Async<OpenedChannel> open_channel(std::string type, std::string message, std::chrono::milliseconds limit);
  /// The first session channel may be asked for right behind the request that should complete the login: that
  /// saves a round trip. Where the request does not complete it, the session is of no more use.
  void permit_hasty_opening() { m_may_open_hastily = true; }
  /// Asks for it, where that is permitted and the server is known to take it. Once; only during
  /// authentication.
  void open_hastily();
  [[nodiscard]] bool has_opened_hastily() const { return m_has_opened_hastily; }
  /// From now on a session channel is opened ahead for the next who wants one, where the server keeps it.
  void keep_spare_channel();
  /// Sends the channel's close and frees it when the peer has answered, in the background.
  void release_channel(OpenedChannel channel) noexcept;

  /// Why the session is of no use any more, if so.
  [[nodiscard]] const std::optional<Error>& failure() const { return m_failure; }
  /// Ends all: what waits gets this error.
  void fail(Error error);
  /// Tells the peer, gives the bytes a moment to leave, ends all.
  Async<void> disconnect();
  /// Ends all at once. Idempotent.
  void shut_down() noexcept;

  [[nodiscard]] LIBSSH2_SESSION* raw() const { return m_session; }
  [[nodiscard]] Ssh2Memory& memory() { return m_memory; }
  [[nodiscard]] const std::string& name() const { return m_name; }
  [[nodiscard]] int descriptor() const { return m_stream->descriptor(); }
  /// The server's first line, as far as it sent one; a server of SSH begins it with "SSH-".
  [[nodiscard]] std::string_view greeting() const;
  /// What the peer said when it ended the connection, or empty.
  [[nodiscard]] const std::string& disconnect_message() const { return m_disconnect_message; }

  /// Answers the prompts of keyboard-interactive; set while it runs. Must not throw.
  using PromptHandler = std::function<void(std::string_view name, std::string_view instruction, int count,
                                           const LIBSSH2_USERAUTH_KBDINT_PROMPT* prompts,
                                           LIBSSH2_USERAUTH_KBDINT_RESPONSE* responses)>;
  void set_prompt_handler(PromptHandler handler) { m_prompt_handler = std::move(handler); }
  [[nodiscard]] const PromptHandler& prompt_handler() const { return m_prompt_handler; }

 private:
  friend struct Ssh2Callbacks;
  struct Opening;
  enum class Phase { handshake, authentication, established, ended };

  static Async<void> read_loop(std::shared_ptr<Ssh2Session> self);
  static Async<void> write_loop(std::shared_ptr<Ssh2Session> self);
  static Async<void> watch_loop(std::shared_ptr<Ssh2Session> self, LivenessOptions liveness);
  static Async<void> open_task(std::shared_ptr<Ssh2Session> self, std::shared_ptr<Opening> opening);
  static Async<void> release_task(std::shared_ptr<Ssh2Session> self, OpenedChannel channel);
  Async<void> read_once();
  Async<void> write_once();
  Async<void> perform_opening(Opening& opening);
  Async<std::optional<Error>> try_opening(Opening& opening);
  void offer(const AlgorithmOffer& offer);
  void check_usable() const;
  [[nodiscard]] Error lost(const std::string& reason) const;
  [[nodiscard]] Error handshake_error(const CallResult& result) const;
  [[nodiscard]] std::size_t inbound_size() const { return m_inbound.size() - m_inbound_taken; }
  [[nodiscard]] std::size_t outbound_size() const { return m_outbound.size() + m_sending.size(); }
  long receive(char* buffer, std::size_t size);
  long send(const char* data, std::size_t size);
  [[nodiscard]] CallResult call_library(const Call& call) const;
  CallResult step_handshake();
  void take_service_accept();
  void pump();
  void probe_peer();
  void open_spare_channel();
  Async<void> wait_for_channel(TimePoint deadline);
  std::optional<OpenedChannel> take_spare_channel();
  [[nodiscard]] bool may_close_idle_channels() const;

  boost::asio::any_io_executor m_executor;
  std::unique_ptr<ByteStream> m_stream;
  std::string m_name;
  Ssh2Memory m_memory;
  LIBSSH2_SESSION* m_session = nullptr;
  Phase m_phase = Phase::handshake;
  std::optional<Error> m_failure;
  std::optional<TimePoint> m_deadline;
  std::string m_disconnect_message;
  PromptHandler m_prompt_handler;

  std::string m_inbound;
  std::size_t m_inbound_taken = 0;
  std::string m_outbound;
  std::string m_sending;
  std::uint64_t m_consumed = 0;  ///< bytes that libssh2 took in
  std::size_t m_read_size;       ///< of the next read
  TimePoint m_last_received;
  bool m_has_sent_new_keys = false;   ///< all packets are encrypted from here on
  bool m_has_asked_service = false;   ///< "ssh-userauth" (RFC 4253 section 10)
  bool m_is_service_awaited = false;  ///< and its accept is yet to come: only the handshake may read
  bool m_holds_inbound = false;       ///< libssh2 gets nothing to read

  std::list<boost::asio::steady_timer*> m_waiting;
  boost::asio::steady_timer m_writer_signal;
  boost::asio::steady_timer m_watch_signal;
  bool m_is_opening = false;
  TimePoint m_released_at;  ///< when a channel was last given back
  std::set<LIBSSH2_CHANNEL*> m_channels;
  bool m_keeps_spare = false;
  bool m_is_opening_spare = false;
  bool m_may_open_hastily = false;
  bool m_has_opened_hastily = false;
  std::optional<OpenedChannel> m_spare;  ///< an open session channel for the next exec
};

}  // namespace re::transport
