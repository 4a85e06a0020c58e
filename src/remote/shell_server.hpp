// The side of the remote shell that has the connection: serves one `re __rsh`.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <optional>
#include <string>
#include <vector>

#include "re/remote/host.hpp"
#include "re/sys/fd.hpp"

namespace re::remote {

/// Which way the files go. It decides what rsync may be asked to do on the far side.
enum class Direction { push, pull };

/// Where the far rsync runs.
struct RsyncPlace {
  std::vector<std::string> directories;  ///< as transfer.sh takes them; of a push one
  /// Of a push "make" or "preview"; of a pull the name that is looked for: re_rsync_receiver and
  /// re_rsync_sender, transfer.sh.
  std::string argument;
  Direction direction = Direction::push;
};

/// Waits for one request, runs `rsync --server` on the host in the given place and carries its bytes: full
/// duplex, with back-pressure both ways, ends of file passed on.
class ShellServer {
 public:
  ShellServer(Host& host, const boost::asio::any_io_executor& executor, RsyncPlace place);
  ~ShellServer();

  /// The descriptor that the child inherits.
  [[nodiscard]] int child_descriptor() const { return m_child_end.get(); }
  /// The child has it: our copy is closed, so that the child's end is seen.
  void child_started() { m_child_end.reset(); }

  /// Serves until the far rsync has ended; returns at once when the child ends without a request.
  /// Throws Error: as Host::start does, and protocol when a command is asked for that is not ours.
  Async<void> serve();

  /// How the far rsync ended; nothing when it never ran or its end was not seen.
  [[nodiscard]] const std::optional<Outcome>& outcome() const { return m_outcome; }
  /// What the far side said on its stderr (its beginning).
  [[nodiscard]] const std::string& error_text() const { return m_error_text; }

 private:
  struct Streams;

  Async<std::optional<std::string>> receive_request();
  bool take_message();
  [[nodiscard]] std::vector<std::string> check(std::vector<std::string> words) const;
  Async<void> carry(ScriptRun& run, Streams& streams);
  Async<void> download(ScriptRun& run, Streams& streams);
  void reply(int code);

  Host& m_host;
  boost::asio::any_io_executor m_executor;
  RsyncPlace m_place;
  sys::Fd m_child_end;
  boost::asio::posix::stream_descriptor m_socket;
  std::array<sys::Fd, 3> m_passed;
  std::string m_received;
  std::optional<Outcome> m_outcome;
  std::string m_error_text;
};

}  // namespace re::remote
