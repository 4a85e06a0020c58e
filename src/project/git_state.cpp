#include "re/project/git_state.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>

#include "re/base/error.hpp"
#include "re/base/strings.hpp"
#include "re/sys/child.hpp"
#include "re/sys/fd.hpp"

namespace re::project {

namespace {

using Clock = std::chrono::steady_clock;
using Variables = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t k_largest_answer = std::size_t{16} << 20U;

struct Answer {
  std::string output;
  bool succeeded = false;
  bool truncated = false;
};

// Runs git in one directory, all runs within one deadline.
class Git {
 public:
  Git(std::filesystem::path directory, Clock::time_point deadline)
      : m_directory(std::move(directory)), m_deadline(deadline) {}

  /// Nothing when the deadline passed.
  std::optional<Answer> ask(std::vector<std::string> arguments, std::size_t limit = k_largest_answer);
  /// Takes every filter that the repository's own configuration names out of force. False when the deadline
  /// passed.
  bool disarm_filters();

 private:
  bool read_answer(int fd, std::size_t limit, Answer& answer) const;
  void set_config(const std::string& key, const std::string& value);

  std::filesystem::path m_directory;
  Clock::time_point m_deadline;
  // A partial clone fetches what is missing, by any command that its remote's configuration names: no
  // protocol is allowed.
  Variables m_environment = {{"GIT_OPTIONAL_LOCKS", "0"},    {"GIT_TERMINAL_PROMPT", "0"},
                             {"GIT_ALLOW_PROTOCOL", "none"}, {"GIT_NO_LAZY_FETCH", "1"},
                             {"GIT_PAGER", "cat"},           {"LC_ALL", "C"}};
  Variables m_config;
};

// Passed by environment: a key given to -c could not hold a '='.
void Git::set_config(const std::string& key, const std::string& value) {
  m_config.emplace_back(key, value);
}

bool Git::read_answer(int fd, std::size_t limit, Answer& answer) const {
  std::array<char, 65536> buffer;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(m_deadline - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{fd, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<decltype(left)>(left, 60'000)));
    if (ready < 0 && errno != EINTR) return false;
    if (ready <= 0) continue;
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    answer.output.append(buffer.data(), static_cast<std::size_t>(got));
    if (answer.output.size() > limit) {
      answer.output.resize(limit);
      answer.truncated = true;
      return true;
    }
  }
}

std::optional<Answer> Git::ask(std::vector<std::string> arguments, std::size_t limit) {
  sys::SpawnOptions options;
  options.arguments = {"git",       "-C",
                       m_directory, "--no-pager",
                       "-c",        "core.fsmonitor=false",
                       "-c",        "core.hooksPath=/dev/null",
                       "-c",        "diff.external=",
                       "-c",        "submodule.recurse=false"};
  options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
  options.environment = m_environment;
  options.environment.emplace_back("GIT_CONFIG_COUNT", std::to_string(m_config.size()));
  for (std::size_t i = 0; i < m_config.size(); ++i) {
    options.environment.emplace_back("GIT_CONFIG_KEY_" + std::to_string(i), m_config[i].first);
    options.environment.emplace_back("GIT_CONFIG_VALUE_" + std::to_string(i), m_config[i].second);
  }
  sys::Pipe pipe = sys::make_pipe();
  const sys::Fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  options.input = -1;
  options.output = pipe.write_end.get();
  options.error = null.get();
  sys::Child child = sys::Child::spawn(options);
  pipe.write_end.reset();
  Answer answer;
  const bool in_time = read_answer(pipe.read_end.get(), limit, answer);
  if (!in_time || answer.truncated) child.send_signal(SIGKILL);
  answer.succeeded = child.wait().succeeded() || answer.truncated;
  if (!in_time) return std::nullopt;
  return answer;
}

bool Git::disarm_filters() {
  const auto answer = ask({"config", "--list", "--show-scope", "--name-only", "--null"});
  if (!answer) return false;
  const auto fields = split(answer->output, '\0');
  for (std::size_t i = 0; i + 1 < fields.size(); i += 2) {
    const bool is_own = fields[i] == "local" || fields[i] == "worktree";
    const std::string_view key = fields[i + 1];
    if (!is_own || !key.starts_with("filter.")) continue;
    const std::string driver(key.substr(0, key.rfind('.')));
    for (const char* leaf : {".clean", ".smudge", ".process"}) set_config(driver + leaf, "");
    set_config(driver + ".required", "false");
  }
  return true;
}

std::optional<GitState> read(Git& git) {
  // Of a repository without a commit the second word comes back as it is, with a failure.
  const auto answer = git.ask({"rev-parse", "--is-inside-work-tree", "HEAD^{commit}"});
  if (!answer) return std::nullopt;
  const auto lines = split_lines(answer->output);
  if (lines.empty() || lines.front() != "true") return std::nullopt;
  GitState state;
  if (!answer->succeeded || lines.size() < 2) return state;
  state.commit = lines[1];
  if (!git.disarm_filters()) return std::nullopt;
  const auto diff = git.ask({"diff", "--no-ext-diff", "--no-textconv", "--no-color", "--binary",
                             "--ignore-submodules=all", "HEAD", "--", "."},
                            k_largest_git_diff);
  if (!diff) return std::nullopt;
  state.diff = diff->output;
  state.diff_truncated = diff->truncated;
  return state;
}

// Most directories without a repository need no process to tell.
bool may_be_in_repository(const std::filesystem::path& directory) {
  if (std::getenv("GIT_DIR") != nullptr) return true;
  std::error_code error;
  for (auto at = std::filesystem::absolute(directory); !at.empty(); at = at.parent_path()) {
    if (std::filesystem::exists(at / ".git", error) || error) return true;
    if (at == at.root_path()) break;
  }
  return false;
}

}  // namespace

std::optional<GitState> read_git_state(const std::filesystem::path& directory,
                                       std::chrono::milliseconds deadline) {
  if (!may_be_in_repository(directory)) return std::nullopt;
  Git git(directory, Clock::now() + deadline);
  try {
    return read(git);
  } catch (const Error&) {
    return std::nullopt;  // no git here
  }
}

}  // namespace re::project
