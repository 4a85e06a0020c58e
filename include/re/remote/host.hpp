// A host as a place where scripts run. The one way in (ARCHITECTURE.md): the constant command `exec /bin/sh
// -s`, with a script on its standard input that does nothing until its last byte has arrived.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "re/transport/connection.hpp"

namespace re::remote {

/// A call of one function of a shell library (an embedded .sh file).
///
/// The function is called with the arguments as they are (any bytes but NUL). It must return, not exit; while
/// it runs $re_nonce is the call's nonce, and what it leaves in $re_trailer (one line) comes back beside its
/// return code. Its standard input is the channel's: nothing is sent on it before the script was read whole.
struct ScriptCall {
  /// Functions and assignments, that do nothing by themselves; must outlive the call.
  std::string_view library;
  std::string function;
  std::vector<std::string> arguments;
  /// Whether the call may be sent once more when the connection turns out to be lost before an answer came:
  /// it may have run.
  enum class Repeat { allowed, forbidden } repeat = Repeat::allowed;
  /// What a shell that is started ahead for the next call does once it has the library, for a call like this
  /// one: shell text that leaves what it made in the shell. A call without one does not want what another
  /// left: then $re_place, if it is set, is emptied, and the descriptors 5 to 7 are closed.
  std::string preparation = {};
  /// More of the library, that a call needs beside what was sent ahead (Host::expect); must outlive the call.
  std::string_view more = {};
};

/// What a shell that is started ahead is given: it looks at the state of the login files, and has the
/// library.
std::string render_preamble(std::string_view library, std::string_view preparation);
/// What is sent for a call: first its library, which may go ahead of the rest; empty where the shell has it.
/// A prefix of both together that lacks even one byte of the closing line has no effect.
std::string render_library(std::string_view library);
std::string render_call(const ScriptCall& call, std::string_view nonce);

/// How a call ended.
struct Outcome {
  int code = 0;         ///< the function's return code
  std::string trailer;  ///< $re_trailer
};

/// The whole of a short call.
struct Answer {
  Outcome outcome;
  std::string output;     ///< stdout between the marks: login noise is not in it
  std::string error;      ///< stderr after the mark
  std::size_t noise = 0;  ///< bytes on stdout before the mark: what login files print
};

/// A call whose streams are used while it runs.
class ScriptRun {
 public:
  virtual ~ScriptRun() = default;
  /// The next output; `end` when the function has returned (or the connection's streams ended).
  virtual Async<transport::Chunk> read() = 0;
  virtual Async<void> write(std::string_view data) = 0;
  virtual Async<void> close_input() = 0;
  /// After read() said `end`. Throws Error (unreachable) when the function's end was not seen: the connection
  /// broke.
  [[nodiscard]] virtual Outcome outcome() const = 0;
  /// How much came on stdout before the first mark, in bytes.
  [[nodiscard]] virtual std::size_t noise() const = 0;
  /// Gives the call up: its channel is closed.
  virtual Async<void> close() = 0;
};

class Host {
 public:
  /// \param name for messages: the instance's name or destination
  Host(std::unique_ptr<transport::Connection> connection, std::string name);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  [[nodiscard]] const std::string& name() const { return m_name; }
  [[nodiscard]] transport::Connection& connection() { return *m_connection; }

  /// Runs a call to its end; its answer is held in memory (at most k_answer_limit bytes, else Error
  /// (protocol)). Throws Error: timeout after `deadline` (the channel is then closed), unreachable, protocol
  /// (no mark came: not a POSIX shell, or a login script that never ends).
  Async<Answer> run(ScriptCall call, std::chrono::milliseconds deadline);
  /// Starts a call; returns when its first mark has come. Where the connection is made anew by itself (see
  /// transport::connect) a call that may be repeated is. Throws as run() does.
  Async<std::unique_ptr<ScriptRun>> start(ScriptCall call, std::chrono::milliseconds deadline);

  /// Takes a shell for a call that will come, and sends it the call's library: what the host does with it
  /// meanwhile delays nobody. The next start() uses that shell if its library is this one, else it is closed.
  /// Never throws for the host's sake: what fails here fails again in start(). It holds a session of the
  /// connection until then.
  Async<void> expect(std::string library, std::string preparation, std::chrono::milliseconds deadline);

  static constexpr std::size_t k_answer_limit = std::size_t{64} << 20U;

 private:
  enum class Attempt { first, second };
  struct Shell {
    std::unique_ptr<transport::Channel> channel;
    std::string script;  ///< what it is to be sent before the call
  };
  Async<Shell> open_shell(std::string_view library, std::string preamble);
  Async<std::unique_ptr<ScriptRun>> start_once(const ScriptCall& call, Attempt attempt);

  std::unique_ptr<transport::Connection> m_connection;
  std::string m_name;
  std::string m_expected_library;
  std::unique_ptr<transport::Channel> m_expected;  ///< a shell that has that library
};

}  // namespace re::remote
