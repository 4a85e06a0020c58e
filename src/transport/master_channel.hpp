// A channel that the master joined with our descriptors: no byte of it passes through the control socket.
#pragma once

#include "transport/channel_streams.hpp"
#include "transport/master_socket.hpp"

namespace re::transport {

class MasterChannel final : public Channel {
 public:
  /// \param destination for messages
  /// \param opened the body of the frame that the channel came with
  MasterChannel(MasterSocket control, ChannelStreams streams, std::string destination,
                std::string_view opened)
      : m_control(std::move(control)),
        m_streams(std::move(streams)),
        m_destination(std::move(destination)),
        m_has_preamble(opened == master::k_with_preamble) {}

  [[nodiscard]] bool has_preamble() const override { return m_has_preamble; }
  Async<Chunk> read() override;
  Async<void> write(std::string_view data) override;
  Async<void> close_input() override;
  Async<void> resize(sys::WindowSize size) override;
  Async<sys::ExitStatus> wait() override;
  Async<void> close() override;

 private:
  void require_open() const;
  Async<void> await_status();
  void take(const std::optional<master::Frame>& frame);

  MasterSocket m_control;
  ChannelStreams m_streams;
  std::string m_destination;
  std::optional<sys::ExitStatus> m_status;
  std::optional<Error> m_failure;
  bool m_has_preamble;
  bool m_is_closed = false;
};

}  // namespace re::transport
