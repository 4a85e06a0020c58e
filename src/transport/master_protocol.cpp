#include "transport/master_protocol.hpp"

#include <limits>

#include "transport/ssh2_wire.hpp"

namespace re::transport::master {

namespace {

constexpr std::uint32_t k_absent = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint32_t k_most_items = 1000;

// Reads fields one after the other; one that is missing makes all of it void.
class Fields {
 public:
  explicit Fields(std::string_view body) : m_reader(body) {}

  std::string text() {
    const auto value = m_reader.text();
    m_is_whole &= value.has_value();
    return std::string(value.value_or(std::string_view()));
  }
  std::uint32_t number(std::uint32_t limit = k_absent) {
    const auto value = m_reader.number();
    m_is_whole &= value.has_value() && *value <= limit;
    return m_is_whole ? *value : 0;
  }
  template <class Enum>
  Enum choice(Enum last) {
    return static_cast<Enum>(number(static_cast<std::uint32_t>(last)));
  }
  /// A number that may be absent.
  std::optional<std::uint32_t> optional_number(std::uint32_t limit) {
    const auto value = m_reader.number();
    m_is_whole &= value.has_value() && (*value == k_absent || *value <= limit);
    return m_is_whole && *value != k_absent ? value : std::nullopt;
  }
  std::optional<std::string> optional_text() {
    const bool is_there = number(1) == 1;
    std::string value = text();
    return is_there ? std::optional(std::move(value)) : std::nullopt;
  }
  [[nodiscard]] bool is_whole() const { return m_is_whole; }
  [[nodiscard]] bool is_complete() const { return m_is_whole && m_reader.is_at_end(); }

 private:
  WireReader m_reader;
  bool m_is_whole = true;
};

void append_optional(std::string& out, const std::optional<std::string>& text) {
  append_number(out, text ? 1 : 0);
  append_text(out, text.value_or(""));
}

template <class Value>
std::optional<Value> when_complete(const Fields& fields, Value value) {
  return fields.is_complete() ? std::optional<Value>(std::move(value)) : std::nullopt;
}

void append_target(std::string& out, const Target& target) {
  append_text(out, target.host);
  append_text(out, target.user);
  append_number(out, target.port ? *target.port : k_absent);
  append_number(out, static_cast<std::uint32_t>(target.kind));
  append_number(out, static_cast<std::uint32_t>(target.unknown_host));
  append_optional(out, target.ssh_config ? std::optional(target.ssh_config->string()) : std::nullopt);
  append_optional(out, target.agent_socket);
  append_number(out, static_cast<std::uint32_t>(target.identity_files.size()));
  for (const auto& file : target.identity_files) append_text(out, file.string());
  append_number(
      out, target.connect_timeout ? static_cast<std::uint32_t>(target.connect_timeout->count()) : k_absent);
}

void read_target(Fields& fields, Target& target) {
  target.host = fields.text();
  target.user = fields.text();
  if (const auto port = fields.optional_number(65'535)) target.port = static_cast<unsigned short>(*port);
  target.kind = fields.choice(Kind::local);
  target.unknown_host = fields.choice(UnknownHost::refuse);
  if (const auto file = fields.optional_text()) target.ssh_config = *file;
  target.agent_socket = fields.optional_text();
  for (std::uint32_t left = fields.number(k_most_items); left > 0 && fields.is_whole(); --left) {
    target.identity_files.emplace_back(fields.text());
  }
  if (const auto timeout = fields.optional_number(std::numeric_limits<int>::max()))
    target.connect_timeout = std::chrono::milliseconds(*timeout);
}

void append_size(std::string& out, sys::WindowSize size) {
  append_number(out, size.columns);
  append_number(out, size.rows);
}

sys::WindowSize read_size(Fields& fields) {
  sys::WindowSize size;
  size.columns = static_cast<unsigned short>(fields.number(65'535));
  size.rows = static_cast<unsigned short>(fields.number(65'535));
  return size;
}

void append_question(std::string& out, const Question& question) {
  append_number(out, static_cast<std::uint32_t>(question.kind));
  append_text(out, question.prompt);
  append_text(out, question.answer);
  append_number(out, question.standing);
  append_number(out, question.is_of_changing_prompts ? 1 : 0);
}

Question read_question(Fields& fields) {
  Question question;
  question.kind = fields.choice(QuestionKind::confirm);
  question.prompt = fields.text();
  question.answer = fields.text();
  question.standing = fields.number();
  question.is_of_changing_prompts = fields.number(1) == 1;
  return question;
}

}  // namespace

std::optional<Frame> take_frame(std::string& received) {
  WireReader reader(received);
  const auto size = reader.number();
  if (!size) return std::nullopt;
  if (*size == 0 || *size > k_frame_limit)
    throw Error(ErrorKind::protocol, "a frame of " + std::to_string(*size) + " bytes came");
  if (received.size() - 4 < *size) return std::nullopt;
  Frame frame{static_cast<Type>(received[4]), received.substr(5, *size - 1)};
  received.erase(0, 4 + std::size_t{*size});
  return frame;
}

std::string frame(Type type, std::string_view body) {
  std::string out;
  append_number(out, static_cast<std::uint32_t>(body.size() + 1));
  out.push_back(static_cast<char>(type));
  out.append(body);
  return out;
}

std::string to_body(const Question& question) {
  std::string out;
  append_question(out, question);
  return out;
}

std::optional<Question> parse_question(std::string_view body) {
  Fields fields(body);
  return when_complete(fields, read_question(fields));
}

std::string to_body(const ConnectRequest& request) {
  std::string out;
  append_text(out, request.target.name);
  append_target(out, request.target);
  append_number(out, request.has_password ? 1 : 0);
  append_number(out, static_cast<std::uint32_t>(request.reuse));
  append_text(out, request.why_not_ask);
  append_number(out, request.refusals);
  append_number(out, static_cast<std::uint32_t>(request.answers.size()));
  for (const auto& answer : request.answers) append_question(out, answer);
  return out;
}

std::optional<ConnectRequest> parse_connect(std::string_view body) {
  Fields fields(body);
  ConnectRequest request;
  request.target.name = fields.text();
  read_target(fields, request.target);
  request.has_password = fields.number(1) == 1;
  request.reuse = fields.choice(Reuse::none);
  request.why_not_ask = fields.text();
  request.refusals = fields.number();
  for (std::uint32_t left = fields.number(k_most_items); left > 0 && fields.is_whole(); --left) {
    request.answers.push_back(read_question(fields));
  }
  return when_complete(fields, std::move(request));
}

std::string connection_key(const Target& target) {
  std::string out;
  append_target(out, target);
  return out;
}

std::string to_body(const ConnectionInfo& info) {
  std::string out;
  append_text(out, info.destination);
  append_text(out, info.transport);
  append_text(out, info.host_key);
  return out;
}

std::optional<ConnectionInfo> parse_info(std::string_view body) {
  Fields fields(body);
  ConnectionInfo info;
  info.destination = fields.text();
  info.transport = fields.text();
  info.host_key = fields.text();
  return when_complete(fields, std::move(info));
}

std::string to_body(const Error& error) {
  std::string out;
  append_number(out, static_cast<std::uint32_t>(error.kind()));
  append_text(out, error.message());
  append_text(out, error.hint());
  append_number(out, static_cast<std::uint32_t>(error.contexts().size()));
  for (const auto& context : error.contexts()) append_text(out, context);
  return out;
}

std::optional<Error> parse_error(std::string_view body) {
  Fields fields(body);
  const auto kind = fields.choice(ErrorKind::interrupted);
  std::string message = fields.text();
  std::string hint = fields.text();
  Error error(kind, std::move(message), std::move(hint));
  for (std::uint32_t left = fields.number(k_most_items); left > 0 && fields.is_whole(); --left) {
    error.within(fields.text());
  }
  return when_complete(fields, std::move(error));
}

std::string to_body(const ExecCall& call) {
  std::string out;
  append_text(out, call.key);
  append_text(out, call.request.command);
  append_optional(out, call.request.pty ? std::optional(call.request.pty->term) : std::nullopt);
  append_size(out, call.request.pty ? call.request.pty->size : sys::WindowSize{});
  append_text(out, call.request.preamble);
  return out;
}

std::optional<ExecCall> parse_exec(std::string_view body) {
  Fields fields(body);
  ExecCall call;
  call.key = fields.text();
  call.request.command = fields.text();
  const auto term = fields.optional_text();
  const auto size = read_size(fields);
  if (term) call.request.pty = PtyRequest{*term, size};
  call.request.preamble = fields.text();
  return when_complete(fields, std::move(call));
}

std::string to_body(const ForwardCall& call) {
  std::string out;
  append_text(out, call.key);
  append_text(out, call.host);
  append_number(out, call.port);
  return out;
}

std::optional<ForwardCall> parse_forward(std::string_view body) {
  Fields fields(body);
  ForwardCall call;
  call.key = fields.text();
  call.host = fields.text();
  call.port = static_cast<unsigned short>(fields.number(65'535));
  return when_complete(fields, std::move(call));
}

std::string to_body(sys::WindowSize size) {
  std::string out;
  append_size(out, size);
  return out;
}

std::optional<sys::WindowSize> parse_size(std::string_view body) {
  Fields fields(body);
  return when_complete(fields, read_size(fields));
}

std::string to_body(const sys::ExitStatus& status) {
  std::string out;
  append_number(out, status.code ? static_cast<std::uint32_t>(*status.code) : k_absent);
  append_number(out, status.signal ? static_cast<std::uint32_t>(*status.signal) : k_absent);
  return out;
}

std::optional<sys::ExitStatus> parse_status(std::string_view body) {
  Fields fields(body);
  sys::ExitStatus status;
  if (const auto code = fields.optional_number(255)) status.code = static_cast<int>(*code);
  if (const auto signal = fields.optional_number(255)) status.signal = static_cast<int>(*signal);
  return when_complete(fields, status);
}

}  // namespace re::transport::master
