#include "re/engine/notebook.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>

#include "re/base/strings.hpp"
#include "re/sys/deadline.hpp"

namespace re::engine {

namespace {

using transport::Chunk;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds k_pause = 100ms;
constexpr int k_ok = 200;

enum class Token { with, without };

std::string request_text(const jobs::JupyterServer& server, Token token) {
  // HTTP/1.0 (RFC 1945): the answer ends with the connection.
  std::string text = "GET " + server.base_url +
                     "api/status HTTP/1.0\r\nHost: 127.0.0.1:" + std::to_string(server.port) + "\r\n";
  if (token == Token::with) text += "Authorization: token " + server.token + "\r\n";
  return text + "\r\n";
}

// 0: nobody answers, or not in HTTP.
Async<int> ask(remote::Host& host, const jobs::JupyterServer& server, Token token) {
  std::unique_ptr<transport::Channel> channel;
  try {
    std::string there = "127.0.0.1";
    channel = co_await host.connection().open_forward(std::move(there), server.port);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::remote) throw;
  }
  if (!channel) co_return 0;
  const std::string request = request_text(server, token);
  co_await channel->write(request);
  std::string answer;
  std::optional<int> status;
  while (!status) {
    const Chunk chunk = co_await channel->read();
    if (chunk.stream == Chunk::Stream::end) break;
    answer += chunk.data;
    status = parse_http_status(answer);
  }
  co_await channel->close();
  co_return status.value_or(0);
}

Async<void> ask_until_answered(remote::Host& host, const jobs::JupyterServer& server) {
  boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor);
  int status = co_await ask(host, server, Token::with);
  while (status == 0) {
    pause.expires_after(k_pause);
    co_await pause.async_wait(boost::asio::use_awaitable);
    status = co_await ask(host, server, Token::with);
  }
  const std::string hint = "see c.ServerApp and c.NotebookApp in ~/.jupyter there";
  if (status != k_ok) {
    throw Error(ErrorKind::remote,
                "the notebook server refuses its own token (HTTP " + std::to_string(status) + ")", hint);
  }
  const int stranger = co_await ask(host, server, Token::without);
  if (stranger == k_ok)
    throw Error(ErrorKind::remote, "the notebook server serves whoever comes, without its token", hint);
}

}  // namespace

std::optional<int> parse_http_status(std::string_view answer) {
  const auto end = answer.find('\n');
  constexpr std::size_t k_longest_line = 1024;
  if (end == std::string_view::npos && answer.size() < k_longest_line) return std::nullopt;
  const auto words = split_words(trim(answer.substr(0, end)));
  if (words.size() < 2 || !words[0].starts_with("HTTP/1.")) return 0;
  const auto status = parse_number<int>(words[1]);
  return status && *status >= 100 && *status < 600 ? *status : 0;
}

Async<void> check_jupyter(remote::Host& host, jobs::JupyterServer server, std::chrono::milliseconds limit) {
  if (server.is_secure) co_return;  // its certificate is between the browser and the user
  std::function<Async<void>()> task = [&]() -> Async<void> { co_await ask_until_answered(host, server); };
  co_await sys::with_deadline(limit, "the notebook server's answer", std::move(task));
}

}  // namespace re::engine
