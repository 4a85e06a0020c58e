// delay_proxy: a TCP line of a chosen length, for measuring what round trips cost.
//
//   delay_proxy TARGET_PORT ONE_WAY_MS ADDRESS...
//
// It listens on one port of every ADDRESS (IPv4, meant for 127.x.y.z), prints that port, and leads each
// connection to 127.0.0.1:TARGET_PORT. Every byte arrives ONE_WAY_MS after it was sent, in either direction,
// order is kept, and bandwidth has no limit but the machine's. A connection costs its round trip as on a real
// line: the kernel accepts at once, so what the client sends is taken one round trip later, and the far end
// is asked half a round trip after that. Small segments are acknowledged at once and sent on at once: no
// delayed acknowledgement and no Nagle of the proxy's own are in the times. Not modelled: slow start, loss,
// and a TCP window that is too small for the line.
//
// It ends by SIGTERM or with its parent (whoever starts it sees to that). One thread.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <queue>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

constexpr std::size_t k_chunk_size = 128UL * 1024;
// Reading stops when this much is on its way: 256 MB in 12.5 ms are 20 GB/s, more than any machine here
// carries.
constexpr std::size_t k_on_the_way_max = 256UL * 1024 * 1024;
constexpr int k_reads_at_once = 8;
constexpr int k_events_at_once = 256;

using Ready = std::array<epoll_event, k_events_at_once>;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class Fd {
 public:
  explicit Fd(int number = -1) : m_number(number) {}
  Fd(Fd&& other) noexcept : m_number(std::exchange(other.m_number, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(m_number, other.m_number);
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (m_number >= 0) {
      close(m_number);
    }
  }
  int get() const { return m_number; }

 private:
  int m_number;
};

using Buffer = std::array<char, k_chunk_size>;

// What was read in one go; empty for the end of the stream.
struct Chunk {
  Time due;
  std::unique_ptr<Buffer> data;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// A stream's writing end and what is on its way to it.
struct End {
  Fd fd;
  std::deque<Chunk> coming;
  std::size_t bytes_coming = 0;
  std::uint32_t watched = 0;
  bool is_connected = false;
  bool is_reading = false;    // as far as the line is concerned; false also while too much is on its way
  bool has_read_end = false;  // its peer has said all
  bool was_told_end = false;  // it has been told all
  bool is_blocked = false;    // the kernel takes no more for now
};

enum Side : std::uint8_t { near = 0, far = 1 };

constexpr Side other(Side side) {
  return side == near ? far : near;
}

struct Connection {
  std::array<End, 2> ends;
};

enum class What : std::uint8_t { start_reading, connect_far, deliver_near, deliver_far };

struct Event {
  Time due;
  std::uint64_t connection;
  What what;
  bool operator>(const Event& event) const { return due > event.due; }
};

sockaddr_in address_of(const std::string& text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, text.c_str(), &address.sin_addr) != 1) {
    throw std::invalid_argument("not an IPv4 address: " + text);
  }
  return address;
}

// The socket functions take any address by the type that all of them begin with.
const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

void set_now(int fd, int option) {
  constexpr int k_on = 1;
  setsockopt(fd, IPPROTO_TCP, option, &k_on, sizeof k_on);
}

class Proxy {
 public:
  Proxy(std::uint16_t target_port, std::chrono::nanoseconds one_way);
  std::uint16_t listen(const std::vector<std::string>& addresses);
  [[noreturn]] void run();

 private:
  void watch(std::uint64_t id, Side side, std::uint32_t wanted);
  void refresh(std::uint64_t id, Side side);
  void adopt(std::uint64_t id, Side side, Fd fd);
  void accept_all(int listener);
  bool reach_target(const Fd& from, const Fd& fd) const;
  void connect_far(std::uint64_t id);
  void finish_connect(std::uint64_t id);
  void read_from(std::uint64_t id, Side side);
  bool take(std::uint64_t id, Side side);
  void write_to(std::uint64_t id, Side side);
  bool write_first(End& end);
  void happen(const Event& event);
  void happen_due();
  void react(std::uint64_t key, std::uint32_t events);
  int wait(Ready& events);

  sockaddr_in m_target;
  std::chrono::nanoseconds m_one_way;
  Fd m_epoll{epoll_create1(EPOLL_CLOEXEC)};
  std::vector<Fd> m_listeners;
  // Ids are even, so that id + side is a key for epoll; those below k_first_id are listeners' descriptors.
  static constexpr std::uint64_t k_first_id = std::uint64_t{1} << 32;
  std::uint64_t m_next_id = k_first_id;
  std::unordered_map<std::uint64_t, Connection> m_connections;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> m_events;
  std::vector<std::unique_ptr<Buffer>> m_spare;
};

Proxy::Proxy(std::uint16_t target_port, std::chrono::nanoseconds one_way)
    : m_target(address_of("127.0.0.1", target_port)), m_one_way(one_way) {}

// Listens on one free port of all ADDRESSES, and returns it.
std::uint16_t Proxy::listen(const std::vector<std::string>& addresses) {
  constexpr int k_on = 1;
  std::uint16_t port = 0;
  for (const std::string& text : addresses) {
    Fd listener(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &k_on, sizeof k_on);
    sockaddr_in address = address_of(text, port);
    if (bind(listener.get(), generic(address), sizeof address) != 0 || ::listen(listener.get(), 4096) != 0) {
      fail("cannot listen on " + text);
    }
    socklen_t length = sizeof address;
    getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port = ntohs(address.sin_port);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = static_cast<std::uint64_t>(listener.get());
    epoll_ctl(m_epoll.get(), EPOLL_CTL_ADD, listener.get(), &event);
    m_listeners.push_back(std::move(listener));
  }
  return port;
}

void Proxy::watch(std::uint64_t id, Side side, std::uint32_t wanted) {
  End& end = m_connections.at(id).ends[side];
  if (end.watched == wanted) {
    return;
  }
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = id + side;
  epoll_ctl(m_epoll.get(), EPOLL_CTL_MOD, end.fd.get(), &event);
  end.watched = wanted;
}

// Watches an end for what it is ready for.
void Proxy::refresh(std::uint64_t id, Side side) {
  const End& end = m_connections.at(id).ends[side];
  if (end.fd.get() < 0) {
    return;
  }
  const bool reads = end.is_reading && !end.has_read_end;
  const bool writes = end.is_blocked || !end.is_connected;
  watch(id, side, (reads ? std::uint32_t{EPOLLIN} : 0) | (writes ? std::uint32_t{EPOLLOUT} : 0));
}

void Proxy::adopt(std::uint64_t id, Side side, Fd fd) {
  End& end = m_connections.at(id).ends[side];
  set_now(fd.get(), TCP_NODELAY);
  epoll_event event{};
  event.data.u64 = id + side;
  epoll_ctl(m_epoll.get(), EPOLL_CTL_ADD, fd.get(), &event);
  end.fd = std::move(fd);
}

void Proxy::accept_all(int listener) {
  for (;;) {
    Fd fd(accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() < 0) {
      return;
    }
    const std::uint64_t id = m_next_id;
    m_next_id += 2;
    m_connections[id].ends[near].is_connected = true;
    adopt(id, near, std::move(fd));
    const Time now = Clock::now();
    m_events.push({now + 2 * m_one_way, id, What::start_reading});
    m_events.push({now + 3 * m_one_way, id, What::connect_far});
  }
}

// The kernel chooses the port at the connect, when it knows the target: an address has more of them so.
bool Proxy::reach_target(const Fd& from, const Fd& fd) const {
  sockaddr_in source{};
  socklen_t length = sizeof source;
  constexpr int k_on = 1;
  getsockname(from.get(), reinterpret_cast<sockaddr*>(&source), &length);
  source.sin_port = 0;
  setsockopt(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &k_on, sizeof k_on);
  return bind(fd.get(), generic(source), sizeof source) == 0 &&
         (connect(fd.get(), generic(m_target), sizeof m_target) == 0 || errno == EINPROGRESS);
}

void Proxy::connect_far(std::uint64_t id) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0 || !reach_target(m_connections.at(id).ends[near].fd, fd)) {
    m_connections.erase(id);
    return;
  }
  adopt(id, far, std::move(fd));
  refresh(id, far);
}

void Proxy::finish_connect(std::uint64_t id) {
  End& end = m_connections.at(id).ends[far];
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(end.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) {
    m_connections.erase(id);
    return;
  }
  end.is_connected = true;
  end.is_reading = true;
  write_to(id, far);
}

// Takes one chunk from an end; false where there is no more for now.
bool Proxy::take(std::uint64_t id, Side side) {
  Connection& connection = m_connections.at(id);
  End& source = connection.ends[side];
  End& sink = connection.ends[other(side)];
  if (m_spare.empty()) {
    m_spare.push_back(std::make_unique_for_overwrite<Buffer>());
  }
  const ssize_t got = recv(source.fd.get(), m_spare.back()->data(), k_chunk_size, 0);
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR) {
      m_connections.erase(id);
    }
    return false;
  }
  set_now(source.fd.get(), TCP_QUICKACK);
  Chunk chunk{Clock::now() + m_one_way, std::move(m_spare.back()), 0, static_cast<std::size_t>(got)};
  m_spare.pop_back();
  m_events.push({chunk.due, id, side == near ? What::deliver_far : What::deliver_near});
  sink.bytes_coming += chunk.end;
  sink.coming.push_back(std::move(chunk));
  source.has_read_end = got == 0;
  source.is_reading = sink.bytes_coming < k_on_the_way_max;
  return got == static_cast<ssize_t>(k_chunk_size) && source.is_reading;
}

void Proxy::read_from(std::uint64_t id, Side side) {
  for (int read = 0; read < k_reads_at_once; ++read) {
    if (!take(id, side)) {
      break;
    }
  }
  if (m_connections.contains(id)) {
    refresh(id, side);
  }
}

// Writes of the first chunk what the kernel takes; false where the connection is broken.
bool Proxy::write_first(End& end) {
  Chunk& chunk = end.coming.front();
  if (chunk.end == 0) {
    shutdown(end.fd.get(), SHUT_WR);
    end.was_told_end = true;
  } else {
    const ssize_t sent =
        send(end.fd.get(), chunk.data->data() + chunk.begin, chunk.end - chunk.begin, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
      return false;
    }
    chunk.begin += static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    end.bytes_coming -= static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
    end.is_blocked = chunk.begin < chunk.end;
    if (end.is_blocked) {
      return true;
    }
  }
  m_spare.push_back(std::move(chunk.data));
  end.coming.pop_front();
  return true;
}

// Writes to an end what has arrived there by now.
void Proxy::write_to(std::uint64_t id, Side side) {
  Connection& connection = m_connections.at(id);
  End& end = connection.ends[side];
  if (end.is_connected) {
    end.is_blocked = false;
    const Time now = Clock::now();
    while (!end.is_blocked && !end.coming.empty() && end.coming.front().due <= now) {
      if (!write_first(end)) {
        m_connections.erase(id);
        return;
      }
    }
  }
  End& source = connection.ends[other(side)];
  if (connection.ends[near].was_told_end && connection.ends[far].was_told_end) {
    m_connections.erase(id);
    return;
  }
  if (source.is_connected && !source.is_reading && connection.ends[far].is_connected) {
    source.is_reading = end.bytes_coming < k_on_the_way_max / 2;
    refresh(id, other(side));
  }
  refresh(id, side);
}

void Proxy::happen(const Event& event) {
  if (!m_connections.contains(event.connection)) {
    return;
  }
  switch (event.what) {
    case What::start_reading:
      m_connections.at(event.connection).ends[near].is_reading = true;
      refresh(event.connection, near);
      break;
    case What::connect_far:
      connect_far(event.connection);
      break;
    case What::deliver_near:
      write_to(event.connection, near);
      break;
    case What::deliver_far:
      write_to(event.connection, far);
      break;
  }
}

void Proxy::happen_due() {
  while (!m_events.empty() && m_events.top().due <= Clock::now()) {
    const Event event = m_events.top();
    m_events.pop();
    happen(event);
  }
}

void Proxy::react(std::uint64_t key, std::uint32_t events) {
  if (key < k_first_id) {
    accept_all(static_cast<int>(key));
    return;
  }
  const std::uint64_t id = key & ~std::uint64_t{1};
  const Side side = (key & 1) == 0 ? near : far;
  if (!m_connections.contains(id)) {
    return;
  }
  if (!m_connections.at(id).ends[side].is_connected) {
    finish_connect(id);
    return;
  }
  if ((events & EPOLLOUT) != 0) {
    write_to(id, side);
  }
  if (m_connections.contains(id) && (events & EPOLLIN) != 0) {
    read_from(id, side);
  } else if (m_connections.contains(id) && (events & (EPOLLERR | EPOLLHUP)) != 0) {
    // Reset; or closed both ways, and then what the other end was sent still has to reach it.
    End& end = m_connections.at(id).ends[side];
    if ((events & EPOLLERR) != 0 || !end.has_read_end) {
      m_connections.erase(id);
    } else {
      epoll_ctl(m_epoll.get(), EPOLL_CTL_DEL, end.fd.get(), nullptr);
    }
  }
}

int Proxy::wait(Ready& events) {
  if (m_events.empty()) {
    return epoll_pwait2(m_epoll.get(), events.data(), k_events_at_once, nullptr, nullptr);
  }
  const auto left = std::max(m_events.top().due - Clock::now(), Clock::duration::zero());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  timespec time{};
  time.tv_sec = seconds.count();
  time.tv_nsec = (left - seconds).count();
  return epoll_pwait2(m_epoll.get(), events.data(), k_events_at_once, &time, nullptr);
}

void Proxy::run() {
  Ready events{};
  for (;;) {
    happen_due();
    const int count = wait(events);
    for (int index = 0; index < count; ++index) {
      const epoll_event& event = events[static_cast<std::size_t>(index)];
      react(event.data.u64, event.events);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 3) {
    std::fputs("usage: delay_proxy TARGET_PORT ONE_WAY_MS ADDRESS...\n", stderr);
    return 2;
  }
  try {
    prctl(PR_SET_TIMERSLACK, 1000UL);
    std::signal(SIGPIPE, SIG_IGN);
    const std::chrono::duration<double, std::milli> one_way(std::stod(arguments[1]));
    Proxy proxy(static_cast<std::uint16_t>(std::stoul(arguments[0])),
                std::chrono::duration_cast<std::chrono::nanoseconds>(one_way));
    std::printf("%u\n", unsigned{proxy.listen({arguments.begin() + 2, arguments.end()})});
    std::fflush(stdout);
    proxy.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "delay_proxy: %s\n", error.what());
    return 1;
  }
}
