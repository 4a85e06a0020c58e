// A channel of a libssh2 session: a remote process, or a forwarded TCP stream.
#pragma once

#include <memory>
#include <string>

#include "re/transport/connection.hpp"
#include "transport/ssh2_session.hpp"
#include "transport/ssh2_stream.hpp"

namespace re::transport {

/// Shared by a connection and its channels: the session ends when the last of them goes.
class Ssh2SessionOwner {
 public:
  explicit Ssh2SessionOwner(std::shared_ptr<Ssh2Session> session) : m_session(std::move(session)) {}
  ~Ssh2SessionOwner() { m_session->shut_down(); }
  Ssh2SessionOwner(const Ssh2SessionOwner&) = delete;
  Ssh2SessionOwner& operator=(const Ssh2SessionOwner&) = delete;
  [[nodiscard]] Ssh2Session& session() const { return *m_session; }

 private:
  std::shared_ptr<Ssh2Session> m_session;
};

class Ssh2Channel final : public Channel {
 public:
  enum class Purpose { process, terminal_process, forward };

  Ssh2Channel(std::shared_ptr<Ssh2SessionOwner> owner, Ssh2Session::OpenedChannel opened, Purpose purpose);
  ~Ssh2Channel() override;

  /// Asks for the pty, if any, and starts the command. Throws Error (remote) when the server refuses.
  Async<void> start(ExecRequest request);

  Async<Chunk> read() override;
  Async<void> write(std::string_view data) override;
  Async<void> close_input() override;
  Async<void> resize(sys::WindowSize size) override;
  Async<sys::ExitStatus> wait() override;
  Async<void> close() override;
  /// close() without waiting; ends what waits in read() or write() with an Error.
  void abandon() noexcept;

 private:
  std::optional<Chunk> try_read(Chunk::Stream stream);
  [[nodiscard]] bool is_closed_by_peer();
  void check_open() const;
  [[nodiscard]] sys::ExitStatus exit_status();
  [[nodiscard]] Ssh2Session& session() const { return m_owner->session(); }

  std::shared_ptr<Ssh2SessionOwner> m_owner;
  Ssh2Session::OpenedChannel m_opened;
  Purpose m_purpose;
  Chunk::Stream m_next =
      Chunk::Stream::output;  ///< looked at first by the next read(): neither stream starves the other
  std::size_t m_sent = 0;
  bool m_is_input_closed = false;
  bool m_is_released = false;
};

/// The channel as the byte stream of another session.
/// \param below  kept alive as long as the stream is
std::unique_ptr<ByteStream> make_channel_stream(std::unique_ptr<Ssh2Channel> channel,
                                                std::shared_ptr<Connection> below, int descriptor);

}  // namespace re::transport
