// The one error type. Thrown upwards, given context on the way ("while …"), caught once in main.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

namespace re {

/// What went wrong, as far as a caller or an exit code must tell it apart.
enum class ErrorKind {
  usage,        ///< the command line is wrong
  config,       ///< a configuration file is wrong or unsafe
  not_found,    ///< a job, instance, file or command that was named does not exist
  conflict,     ///< the thing exists already and differs
  auth,         ///< the server refused every credential
  host_key,     ///< the server's key is unknown, changed or revoked
  unreachable,  ///< no connection, or it was lost
  timeout,      ///< a deadline passed
  unsupported,  ///< this transport or host cannot do it (another one may)
  remote,       ///< the remote side did the work and failed
  protocol,     ///< the remote side answered something that cannot be understood
  io,           ///< a local file, process or database failed
  interrupted,  ///< the user asked to stop
};

/// The JSON and log spelling of a kind ("host_key").
std::string_view to_string(ErrorKind kind);

/// An error with its cause and a chain of contexts.
///
/// what() is one line: "<outermost context>: … : <message>; <hint>". The message names the thing, the action
/// and the cause; the hint says what to do next. Neither ends in a full stop or holds a newline.
class Error : public std::exception {
 public:
  /// Nothing that went wrong: what Result<T>::error() gives where there is a value.
  Error() : Error(ErrorKind::protocol, "no error") {}
  Error(ErrorKind kind, std::string message, std::string hint = {});

  [[nodiscard]] ErrorKind kind() const { return m_kind; }
  [[nodiscard]] const std::string& message() const { return m_message; }
  [[nodiscard]] const std::string& hint() const { return m_hint; }
  [[nodiscard]] const std::vector<std::string>& contexts() const { return m_contexts; }
  [[nodiscard]] const char* what() const noexcept override { return m_what.c_str(); }

  /// Adds an outer context such as "cannot start job 17 on gpu1" and returns *this, for `throw
  /// e.within("…")`.
  Error& within(std::string context);

 private:
  void render();

  ErrorKind m_kind;
  std::string m_message;
  std::string m_hint;
  std::vector<std::string> m_contexts;
  std::string m_what;
};

/// An Error from errno: "cannot open /x: Permission denied".
/// \param action what was attempted, with the thing it was attempted on ("open /x")
Error errno_error(std::string_view action, int error_number);

}  // namespace re
