#include "remote/shell_server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>

#include "remote/background.hpp"
#include "remote/scripts.hpp"
#include "remote/shell_frames.hpp"

namespace re::remote {

namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;
using transport::Chunk;

constexpr std::size_t k_chunk = std::size_t{64} << 10U;
constexpr std::size_t k_error_limit = std::size_t{64} << 10U;
constexpr std::chrono::seconds k_start_deadline{60};
constexpr int k_connection_lost = 255;

// What rsync reads is what came from the host; what it wrote goes there.
Async<void> upload(ScriptRun& run, Descriptor& from) {
  std::string buffer(k_chunk, '\0');
  for (;;) {
    boost::system::error_code error;
    const std::size_t got =
        co_await from.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) co_return;
    if (error) break;
    const std::string_view data(buffer.data(), got);
    co_await run.write(data);
  }
  co_await run.close_input();
}

// Descriptors that a message carries, at most three; more or other control data is refused.
bool take_descriptors(msghdr& message, std::array<sys::Fd, 3>& into) {
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr) return true;
  const bool expected = header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
                        header->cmsg_len == CMSG_LEN(sizeof(int) * into.size());
  if (!expected || (message.msg_flags & MSG_CTRUNC) != 0 || into[0].is_open()) return false;
  std::array<int, 3> numbers{};
  std::memcpy(numbers.data(), CMSG_DATA(header), sizeof numbers);
  for (std::size_t index = 0; index < into.size(); ++index) into.at(index).reset(numbers.at(index));
  return true;
}

}  // namespace

struct ShellServer::Streams {
  Descriptor input;   // what the child's rsync writes
  Descriptor output;  // what it reads
};

ShellServer::ShellServer(Host& host, const asio::any_io_executor& executor, RsyncPlace place)
    : m_host(host), m_executor(executor), m_place(std::move(place)), m_socket(executor) {
  auto [ours, childs] = sys::make_socket_pair();
  m_socket.assign(ours.release());
  m_child_end = std::move(childs);
}

ShellServer::~ShellServer() = default;

// False when the other side has gone. What arrives is put together in m_received and m_passed.
bool ShellServer::take_message() {
  std::array<char, 4096> buffer{};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 3)> control{};
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t got = ::recvmsg(m_socket.native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  if (!take_descriptors(message, m_passed)) {
    throw Error(ErrorKind::protocol, "a remote shell request carries other descriptors than three");
  }
  m_received.assign(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

Async<std::optional<std::string>> ShellServer::receive_request() {
  FrameBuffer frames;
  for (;;) {
    co_await wait_readable(m_socket);
    m_received.clear();
    if (!take_message()) co_return std::nullopt;
    frames.feed(m_received);
    auto payload = frames.next();
    if (payload && !m_passed[0].is_open()) {
      throw Error(ErrorKind::protocol, "a remote shell request came without descriptors");
    }
    if (payload) co_return payload;
  }
}

// Every option is one of ours and a constant: the place is given by the directory. What our rsync asks for is
// a pattern for a shell, while no shell reads it there: the name itself stands in its place.
std::vector<std::string> ShellServer::check(std::vector<std::string> words) const {
  const bool is_server = words.size() > 4 && words[0] == "rsync" && words[1] == "--server" &&
                         words[words.size() - 2] == "." && words.back().starts_with("./");
  const bool is_sender = std::find(words.begin(), words.end(), "--sender") != words.end();
  if (!is_server || is_sender != (m_place.direction == Direction::pull)) {
    throw Error(ErrorKind::protocol, "rsync asked for another command than rsync --server",
                "is there an option in ~/.popt or a strange rsync first in PATH?");
  }
  words.erase(words.begin());
  words.back() = is_sender ? "./" + m_place.argument : "./";
  return words;
}

Async<void> ShellServer::download(ScriptRun& run, Streams& streams) {
  bool is_open = true;
  for (;;) {
    const Chunk chunk = co_await run.read();
    if (chunk.stream == Chunk::Stream::end) break;
    if (chunk.stream == Chunk::Stream::error) {
      m_error_text += chunk.data.substr(0, k_error_limit - std::min(k_error_limit, m_error_text.size()));
      continue;
    }
    if (!is_open) continue;  // rsync has gone: the far side is heard to its end all the same
    boost::system::error_code error;
    co_await asio::async_write(streams.output, asio::buffer(chunk.data),
                               asio::redirect_error(asio::use_awaitable, error));
    is_open = !error;
  }
  m_outcome = run.outcome();
}

Async<void> ShellServer::carry(ScriptRun& run, Streams& streams) {
  Background sending(m_executor, upload(run, streams.input));
  std::exception_ptr failure;
  try {
    co_await download(run, streams);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  sending.cancel();
  co_await sending.join();
  co_await run.close();
  if (failure) std::rethrow_exception(failure);
}

void ShellServer::reply(int code) {
  const std::string frame = encode_exit(code);
  // A few bytes into an empty socket: it cannot block, and when the child has gone nobody misses them.
  [[maybe_unused]] const ssize_t sent =
      ::send(m_socket.native_handle(), frame.data(), frame.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

Async<void> ShellServer::serve() {
  const auto payload = co_await receive_request();
  if (!payload) co_return;
  std::exception_ptr failure;
  try {
    const std::vector<std::string> words = check(parse_request(*payload));
    ScriptCall call;
    call.library = scripts::transfer;
    const bool is_pull = m_place.direction == Direction::pull;
    call.function = is_pull ? "re_rsync_sender" : "re_rsync_receiver";
    call.arguments = {m_place.argument};
    if (is_pull) call.arguments.push_back(std::to_string(m_place.directories.size()));
    call.arguments.insert(call.arguments.end(), m_place.directories.begin(), m_place.directories.end());
    call.arguments.insert(call.arguments.end(), words.begin(), words.end());
    Streams streams{Descriptor(m_executor, m_passed[0].release()),
                    Descriptor(m_executor, m_passed[1].release())};
    auto run = co_await m_host.start(std::move(call), k_start_deadline);
    co_await carry(*run, streams);
  } catch (...) {
    failure = std::current_exception();
  }
  for (auto& fd : m_passed) fd.reset();
  reply(m_outcome ? std::clamp(m_outcome->code, 0, k_connection_lost) : k_connection_lost);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace re::remote
