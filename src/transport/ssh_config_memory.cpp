#include "transport/ssh_config_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <cstddef>
#include <utility>

#include "re/base/error.hpp"
#include "re/base/sha256.hpp"
#include "re/base/strings.hpp"
#include "re/sys/child.hpp"
#include "re/sys/file.hpp"
#include "re/sys/paths.hpp"
#include "transport/ssh_config.hpp"

namespace re::transport {

namespace asio = boost::asio;

namespace {

// The file: "re-ssh-config 1 <SHA-256 of the rest>\n", then for each answer "<key> <size>\n<lines>".
constexpr std::string_view k_magic = "re-ssh-config 1 ";
constexpr std::size_t k_largest_file = std::size_t{1} << 20U;
constexpr std::size_t k_questions_at_once = 4;
constexpr std::string_view k_hostname = "hostname ";
constexpr std::string_view k_plain_characters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

std::string value_of(std::string_view lines, std::string_view key) {
  for (const auto line : split_lines(lines)) {
    if (line.starts_with(key)) return std::string(line.substr(key.size()));
  }
  return {};
}

std::string without_hostname(std::string_view lines) {
  std::string rest;
  for (const auto line : split_lines(lines)) {
    if (!line.starts_with(k_hostname)) rest += std::string(line) + "\n";
  }
  return rest;
}

// ssh takes others for "user@host" or a URI.
bool is_plain(std::string_view name) {
  return !name.empty() && name.find_first_not_of(k_plain_characters) == std::string_view::npos;
}

// Nothing unless it is a file of ours that nobody else may write.
std::string read_private(const std::filesystem::path& file) {
  struct stat facts{};
  const bool is_ours = ::lstat(file.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
                       facts.st_uid == ::geteuid() && (facts.st_mode & 022U) == 0;
  return is_ours ? sys::read_file(file, k_largest_file) : std::string();
}

std::string text_of(const std::map<std::string, std::string>& answers) {
  std::string text;
  for (const auto& [key, lines] : answers)
    text.append(key).append(" ").append(std::to_string(lines.size())).append("\n").append(lines);
  return text;
}

// Ends and reaps the child also where nobody waits for it any more.
struct Question {
  sys::Fd output{::memfd_create("ssh-output", MFD_CLOEXEC)};
  sys::Fd error{::memfd_create("ssh-error", MFD_CLOEXEC)};
  std::optional<sys::Child> ssh;

  Question() = default;
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;
  ~Question() {
    try {
      if (!ssh || ssh->poll()) return;
      ssh->send_signal(SIGKILL);
      ssh->wait();
    } catch (const std::exception&) {
      // it is init's then
    }
  }

  static std::string text_of(const sys::Fd& file) {
    std::string text(static_cast<std::size_t>(std::max<off_t>(0, ::lseek(file.get(), 0, SEEK_END))), '\0');
    const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
    return text;
  }
};

Async<std::string> ask_ssh(Target target, std::filesystem::path ssh) {
  Question question;
  sys::SpawnOptions options;
  options.arguments = ssh_question(target);
  options.arguments.front() = ssh;
  options.input = -1;
  options.output = question.output.get();
  options.error = question.error.get();
  question.ssh = sys::Child::spawn(options);
  const auto status = co_await question.ssh->wait_async();
  if (!status.succeeded()) {
    const std::string reasons = Question::text_of(question.error);
    const auto lines = split_lines(reasons);
    throw Error(ErrorKind::config, "ssh refuses its configuration for " + target.host + ": " +
                                       std::string(lines.empty() ? "no reason given" : lines.back()));
  }
  co_return known_ssh_config_lines(Question::text_of(question.output));
}

}  // namespace

std::vector<std::string> ssh_question(const Target& target) {
  std::vector<std::string> command = {"ssh", "-G", "-T"};
  if (target.ssh_config) command.insert(command.end(), {"-F", target.ssh_config->string()});
  if (target.port) command.insert(command.end(), {"-p", std::to_string(*target.port)});
  if (!target.user.empty()) command.insert(command.end(), {"-l", target.user});
  command.insert(command.end(), {"--", target.host});
  return command;
}

struct SshConfigMemory::Waiting {
  asio::steady_timer timer;
};

// The right to ask ssh.
class SshConfigMemory::Turn {
 public:
  Turn(SshConfigMemory& memory, std::string key) : m_memory(memory), m_key(std::move(key)) {
    m_memory.m_asking.insert(m_key);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    m_memory.m_asking.erase(m_key);
    for (auto* waiting : m_memory.m_waiting) waiting->timer.cancel();
  }

 private:
  SshConfigMemory& m_memory;
  std::string m_key;
};

SshConfigMemory::SshConfigMemory(std::filesystem::path file, std::chrono::milliseconds freshness)
    : m_file(std::move(file)), m_freshness(freshness) {}
SshConfigMemory::~SshConfigMemory() = default;

Async<void> SshConfigMemory::wait_for_an_answer() {
  const auto executor = co_await asio::this_coro::executor;
  Waiting waiting{asio::steady_timer(executor, Clock::time_point::max())};
  const auto place = m_waiting.insert(m_waiting.end(), &waiting);
  const std::shared_ptr<void> leave(nullptr, [this, place](void*) { m_waiting.erase(place); });
  boost::system::error_code ignored;
  co_await waiting.timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none)
    throw boost::system::system_error(asio::error::operation_aborted);
}

Async<std::string> SshConfigMemory::answer(Target target, std::filesystem::path ssh) {
  load();
  const SshConfigSources& before = sources(target, ssh);
  const std::string digest = before.digest;
  const Keys keys = keys_of(before, target);
  const std::string asked = keys.shared.value_or(keys.own.value_or(target.host));
  for (;;) {
    if (auto known = recall(keys, target)) {
      if (m_asking.empty() && m_waiting.empty()) save();
      co_return *known;
    }
    if (m_asking.size() < k_questions_at_once && !m_asking.contains(asked)) break;
    co_await wait_for_an_answer();
  }
  const Turn turn(*this, asked);
  ++m_questions;
  std::string answer = co_await ask_ssh(target, ssh);
  // Only if the files are still those that ssh has read.
  const SshConfigSources after = read_ssh_config_sources(ssh, target.ssh_config);
  if (after.digest == digest) remember(after, target, answer);
  if (m_asking.size() == 1 && m_waiting.empty()) save();
  co_return answer;
}

Surroundings SshConfigMemory::surroundings() {
  const auto now = Clock::now();
  if (!m_surroundings_at || now - *m_surroundings_at >= m_freshness) {
    const auto environment = sys::process_environment();
    m_surroundings = {sys::find_program("ssh", environment), sys::user_paths(environment).home,
                      sys::user_name(), sys::host_name()};
    m_surroundings_at = now;
  }
  return m_surroundings;
}

const SshConfigSources& SshConfigMemory::sources(const Target& target, const std::filesystem::path& ssh) {
  const std::string key = ssh.string() + '\0' + (target.ssh_config ? target.ssh_config->string() : "");
  const auto now = Clock::now();
  const auto known = m_sources.find(key);
  if (known != m_sources.end() && now - known->second.at < m_freshness) return known->second.sources;
  auto& read = m_sources[key];
  read = {read_ssh_config_sources(ssh, target.ssh_config), now};
  return read.sources;
}

SshConfigMemory::Keys SshConfigMemory::keys_of(const SshConfigSources& sources, const Target& target) {
  Keys keys;
  if (sources.recall == Recall::never) return keys;
  std::string question = sources.digest;
  for (const auto& word : {target.port ? std::to_string(*target.port) : std::string(), target.user})
    question += '\0' + word;
  keys.own = sha256_hex(question + '\0' + "name" + '\0' + target.host);
  if (sources.recall == Recall::by_patterns && is_plain(target.host))
    keys.shared = sha256_hex(question + '\0' + "matches" + '\0' + match_patterns(sources, target.host));
  return keys;
}

std::optional<std::string> SshConfigMemory::recall(const Keys& keys, const Target& target) {
  for (const auto& key : {keys.own, keys.shared}) {
    const auto known = key ? m_answers.find(*key) : m_answers.end();
    if (known == m_answers.end()) continue;
    m_used.insert(known->first);
    const bool has_hostname = !value_of(known->second, k_hostname).empty();
    return has_hostname ? known->second
                        : known->second + std::string(k_hostname) + to_lower(target.host) + "\n";
  }
  return std::nullopt;
}

// For all names with the same matches only what the name cannot be part of.
void SshConfigMemory::remember(const SshConfigSources& sources, const Target& target,
                               const std::string& answer) {
  const Keys keys = keys_of(sources, target);
  const std::string name = to_lower(target.host);
  const std::string hostname = value_of(answer, k_hostname);
  const bool is_set = std::find(sources.hostnames.begin(), sources.hostnames.end(), to_lower(hostname)) !=
                      sources.hostnames.end();
  const std::string rest = without_hostname(answer);
  const bool is_free_of_name = to_lower(rest).find(name) == std::string::npos;
  const auto keep = [this](const std::string& key, const std::string& lines) {
    m_answers[key] = lines;
    m_used.insert(key);
    m_has_news = true;
  };
  if (keys.shared && is_free_of_name && is_set != (hostname == name)) {
    keep(*keys.shared, is_set ? answer : rest);
  } else if (keys.own) {
    keep(*keys.own, answer);
  }
}

void SshConfigMemory::load() {
  if (std::exchange(m_is_loaded, true) || m_file.empty()) return;
  try {
    const std::string text = read_private(m_file);
    std::string_view rest = text;
    const auto line_end = rest.find('\n');
    if (!rest.starts_with(k_magic) || line_end == std::string_view::npos) return;
    const auto checksum = rest.substr(k_magic.size(), line_end - k_magic.size());
    rest.remove_prefix(line_end + 1);
    if (checksum != sha256_hex(rest)) return;
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      const auto words = split_words(rest.substr(0, end));
      const auto size = words.size() == 2 ? parse_number<std::size_t>(words[1]) : std::nullopt;
      if (!size || end == std::string_view::npos || rest.size() - end - 1 < *size) return;
      m_answers[std::string(words[0])] = rest.substr(end + 1, *size);
      rest.remove_prefix(end + 1 + *size);
    }
  } catch (const Error&) {
    m_answers.clear();  // ssh will say it again
  }
}

void SshConfigMemory::save() noexcept {
  if (m_file.empty() || !std::exchange(m_has_news, false)) return;
  try {
    constexpr std::size_t k_room = k_largest_file - 128;  // the first line
    std::string text = text_of(m_answers);
    if (text.size() > k_room) {
      std::erase_if(m_answers, [this](const auto& entry) { return !m_used.contains(entry.first); });
      text = text_of(m_answers);
    }
    if (text.size() > k_room) return;
    sys::ensure_private_directory(m_file.parent_path());
    sys::write_file_atomic(m_file, std::string(k_magic) + sha256_hex(text) + "\n" + text);
  } catch (const std::exception&) {
    // The next run asks again.
  }
}

}  // namespace re::transport
