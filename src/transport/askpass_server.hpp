// The side of ssh's questions that knows the answers: a private unix socket that only processes of one ssh
// may use.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "re/base/error.hpp"
#include "re/base/progress.hpp"
#include "re/sys/fd.hpp"
#include "re/sys/secret.hpp"
#include "re/transport/target.hpp"

namespace re::transport {

/// Names the socket to the askpass program.
inline constexpr const char* k_askpass_socket_variable = "RE_ASKPASS_SOCKET";
/// On the socket the client sends "<hint>\n<prompt>" and ends; the server sends this byte and the answer, or
/// nothing.
inline constexpr char k_askpass_answered = '+';
inline constexpr std::size_t k_askpass_answer_limit =
    1022;  ///< ssh's buffer (readpass.c) less newline and NUL

struct AskpassQuestion {
  std::string hint;    ///< SSH_ASKPASS_PROMPT: "", "confirm" or "none" (ssh-add(1), ssh(1))
  std::string prompt;  ///< as ssh words it
};

/// Answers one connection's questions through its Prompter and its configured password.
class AskpassAnswers {
 public:
  struct Login {
    std::string user;
    std::vector<std::string> hosts;  ///< the names that ssh may call the target by; not its jump hosts
  };
  AskpassAnswers(Login login, const Target& target, const ConnectContext& context);

  /// Nothing is a refusal. Throws Error (interrupted) only; another Error of a Prompter or of the password's
  /// source is kept as refusal(), for ssh may still get in by another way.
  std::optional<sys::Secret> answer(const AskpassQuestion& question);
  [[nodiscard]] const std::optional<Error>& refusal() const { return m_refusal; }
  /// How often the server has refused a login so far.
  void set_refusals(std::size_t count) { m_refusals = count; }

 private:
  std::optional<sys::Secret> ask(const AskpassQuestion& question);
  [[nodiscard]] bool asks_for_our_password(std::string_view prompt) const;

  Login m_login;
  const Target& m_target;
  const ConnectContext& m_context;
  bool m_password_given = false;
  std::optional<Error> m_refusal;
  std::size_t m_refusals = 0;
  std::map<std::string, std::size_t> m_asked;  ///< prompts, and the refusals when each was asked last
};

class AskpassServer {
 public:
  /// Listens at `path`, in a directory that only we can enter. Throws Error (io).
  explicit AskpassServer(const std::filesystem::path& path);

  /// Readable when a question waits.
  [[nodiscard]] int fd() const { return m_listener.get(); }
  [[nodiscard]] bool has_question() const;
  /// Takes one question and answers it; blocks as long as the answers block. A process of another user, or
  /// outside the session `session` (which is the ssh we started and its children), gets no answer.
  void serve(pid_t session, AskpassAnswers& answers) const;

 private:
  sys::Fd m_listener;
};

}  // namespace re::transport
