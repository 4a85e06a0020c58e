#include "transport/ssh2_agent.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "re/base/error.hpp"
#include "transport/ssh2_alarm.hpp"
#include "transport/ssh2_wire.hpp"

namespace re::transport {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr auto k_as_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t k_longest_answer = std::size_t{256} << 10U;  // OpenSSH's own limit
// draft-miller-ssh-agent section 5.1
constexpr char k_request_identities = 11;
constexpr std::uint8_t k_identities_answer = 12;
constexpr char k_sign_request = 13;
constexpr std::uint8_t k_sign_response = 14;

Error broken(const std::string& reason) {
  return {ErrorKind::io, "cannot talk to the ssh agent: " + reason};
}
Error nonsense() {
  return {ErrorKind::protocol, "the ssh agent's answer cannot be understood"};
}

}  // namespace

Ssh2Agent::Ssh2Agent(const asio::any_io_executor& executor, const std::filesystem::path& socket)
    : m_socket(std::make_shared<asio::local::stream_protocol::socket>(executor)) {
  error_code error;
  m_socket->connect(socket.string(), error);
  if (error) throw broken(error.message());
}

Async<std::string> Ssh2Agent::ask(std::string request, TimePoint deadline) {
  const Alarm alarm(co_await asio::this_coro::executor, deadline, m_socket);
  std::string framed;
  append_text(framed, request);
  const auto [write_error, written] = co_await asio::async_write(*m_socket, asio::buffer(framed), k_as_tuple);
  if (write_error) throw broken(write_error.message());
  std::string header(4, '\0');
  const auto [header_error, header_size] =
      co_await asio::async_read(*m_socket, asio::buffer(header), k_as_tuple);
  if (alarm.has_rung()) throw Error(ErrorKind::timeout, "the ssh agent does not answer");
  if (header_error) throw broken(header_error.message());
  const std::size_t size = WireReader(header).number().value_or(0);
  if (size == 0 || size > k_longest_answer) throw nonsense();
  std::string answer(size, '\0');
  const auto [answer_error, answer_size] =
      co_await asio::async_read(*m_socket, asio::buffer(answer), k_as_tuple);
  if (alarm.has_rung()) throw Error(ErrorKind::timeout, "the ssh agent does not answer");
  if (answer_error) throw broken(answer_error.message());
  co_return answer;
}

Async<std::vector<AgentIdentity>> Ssh2Agent::identities(TimePoint deadline) {
  std::string request(1, k_request_identities);
  const std::string answer = co_await ask(std::move(request), deadline);
  WireReader reader(answer);
  if (reader.byte() != k_identities_answer) throw nonsense();
  const auto count = reader.number();
  if (!count) throw nonsense();
  std::vector<AgentIdentity> found;
  for (std::uint32_t index = 0; index < *count; ++index) {
    const auto blob = reader.text();
    const auto comment = reader.text();
    if (!blob || !comment) throw nonsense();
    found.push_back({std::string(*blob), std::string(*comment)});
  }
  co_return found;
}

Async<std::string> Ssh2Agent::sign(std::string public_blob, std::string data, std::uint32_t flags,
                                   TimePoint deadline) {
  std::string request(1, k_sign_request);
  append_text(request, public_blob);
  append_text(request, data);
  append_number(request, flags);
  const std::string answer = co_await ask(std::move(request), deadline);
  WireReader reader(answer);
  if (reader.byte() != k_sign_response) throw Error(ErrorKind::auth, "the ssh agent refuses to sign");
  WireReader signature(reader.text().value_or(std::string_view()));
  signature.text();  // the algorithm: libssh2 writes it itself
  const auto bytes = signature.text();
  if (!bytes) throw nonsense();
  co_return std::string(*bytes);
}

}  // namespace re::transport
