#include "transport/mux_protocol.hpp"

#include "transport/ssh2_wire.hpp"

namespace re::transport::mux {

namespace {

constexpr std::uint32_t k_version = 4;
// One request per control connection, so that the number need not tell requests apart.
constexpr std::uint32_t k_request_id = 0;
constexpr std::uint32_t k_no_escape_character = 0xffffffffU;

std::string begin(Type type) {
  std::string payload;
  append_number(payload, static_cast<std::uint32_t>(type));
  return payload;
}

std::string framed(std::string_view payload) {
  std::string message;
  append_text(message, payload);
  return message;
}

}  // namespace

std::string hello() {
  std::string payload = begin(Type::hello);
  append_number(payload, k_version);
  return framed(payload);
}

std::string alive_check() {
  std::string payload = begin(Type::alive_check);
  append_number(payload, k_request_id);
  return framed(payload);
}

std::string new_session(const SessionRequest& request) {
  std::string payload = begin(Type::new_session);
  append_number(payload, k_request_id);
  append_text(payload, "");  // reserved
  append_number(payload, request.wants_tty ? 1 : 0);
  append_number(payload, 0);  // X11 forwarding
  append_number(payload, 0);  // agent forwarding
  append_number(payload, 0);  // a subsystem
  append_number(payload, k_no_escape_character);
  append_text(payload, request.term);
  append_text(payload, request.command);
  return framed(payload);
}

std::string stdio_forward(std::string_view host, unsigned short port) {
  std::string payload = begin(Type::new_stdio_forward);
  append_number(payload, k_request_id);
  append_text(payload, "");  // reserved
  append_text(payload, host);
  append_number(payload, port);
  return framed(payload);
}

std::optional<Reply> parse_reply(std::string_view payload) {
  WireReader reader(payload);
  const auto type = reader.number();
  if (!type) return std::nullopt;
  Reply reply;
  reply.type = static_cast<Type>(*type);
  const auto first = reader.number();  // the request's or the session's number; hello: the version
  if (!first) return std::nullopt;
  switch (reply.type) {
    case Type::hello:
      reply.value = *first;
      return reply;
    case Type::failure:
    case Type::permission_denied: {
      const auto reason = reader.text();
      if (!reason) return std::nullopt;
      reply.reason = *reason;
      return reply;
    }
    case Type::exit_message:
    case Type::alive: {
      const auto value = reader.number();
      if (!value) return std::nullopt;
      reply.value = *value;
      return reply;
    }
    default:
      return reply;
  }
}

}  // namespace re::transport::mux
