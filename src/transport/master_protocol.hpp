// The messages between a client and the connection master (ours, version 1; the same user on both sides). A
// frame is a length (the rest of it, at most k_frame_limit), a type byte and fields as RFC 4251 section 5
// writes them; every function here is pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "re/transport/connection.hpp"
#include "re/transport/target.hpp"

namespace re::transport::master {

enum class Type : std::uint8_t {
  // from the client
  hello = 1,
  connect,
  exec,
  forward,
  resize,
  status,
  stop,
  // from the master
  welcome = 65,
  connected,
  question,  ///< the connection needs an answer of the user: connect again with it
  note,
  banner,
  failed,
  opened,  ///< beside it the descriptors: input, output, and of a process error; empty or k_with_preamble
  ended,   ///< the process's exit status
  standing,
};

inline constexpr std::uint32_t k_frame_limit = 1U << 20U;
/// What an opened channel's frame says of a process that has the request's preamble already.
inline constexpr std::string_view k_with_preamble = "preamble";

struct Frame {
  Type type = Type::hello;
  std::string body;
};

/// Takes the first whole frame from the front of `received`; nothing while there is none. Throws Error
/// (protocol).
std::optional<Frame> take_frame(std::string& received);
std::string frame(Type type, std::string_view body = {});

enum class QuestionKind : std::uint8_t { password, secret, visible, confirm };

/// What the user was asked, and what they said (empty while it is only asked).
struct Question {
  QuestionKind kind = QuestionKind::secret;
  std::string prompt;
  std::string answer;
  /// Of a question: how many of the answers that came with the request stand; what follows them was refused.
  std::uint32_t standing = 0;
  /// Of a question: answers that came with the request were asked for no more, as where each attempt has a
  /// challenge of its own.
  bool is_of_changing_prompts = false;
};
std::string to_body(const Question& question);
std::optional<Question> parse_question(std::string_view body);

struct ConnectRequest {
  Target target;  ///< without its password function
  bool has_password = false;
  Reuse reuse = Reuse::allowed;
  std::string why_not_ask;     ///< why nobody can be asked; empty: somebody can
  std::uint32_t refusals = 0;  ///< of answers so far
  std::vector<Question> answers;
};
std::string to_body(const ConnectRequest& request);
std::optional<ConnectRequest> parse_connect(std::string_view body);
/// What makes two targets one connection: everything but names and answers.
std::string connection_key(const Target& target);

std::string to_body(const ConnectionInfo& info);
std::optional<ConnectionInfo> parse_info(std::string_view body);

std::string to_body(const Error& error);
std::optional<Error> parse_error(std::string_view body);

struct ExecCall {
  std::string key;  ///< of the connection
  ExecRequest request;
};
std::string to_body(const ExecCall& call);
std::optional<ExecCall> parse_exec(std::string_view body);

struct ForwardCall {
  std::string key;
  std::string host;
  unsigned short port = 0;
};
std::string to_body(const ForwardCall& call);
std::optional<ForwardCall> parse_forward(std::string_view body);

std::string to_body(sys::WindowSize size);
std::optional<sys::WindowSize> parse_size(std::string_view body);

std::string to_body(const sys::ExitStatus& status);
std::optional<sys::ExitStatus> parse_status(std::string_view body);

}  // namespace re::transport::master
