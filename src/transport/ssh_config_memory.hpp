// What ssh has said of hosts (`ssh -G`), so that it is not asked again where its answer must be the same:
// ssh costs more than a whole connection. Kept in memory and in a file between runs.
#pragma once

#include <chrono>
#include <filesystem>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "re/sys/async.hpp"
#include "re/transport/target.hpp"
#include "transport/ssh_config_sources.hpp"

namespace re::transport {

/// The arguments of `ssh -G` for the target.
std::vector<std::string> ssh_question(const Target& target);

/// What the machine says of itself and of the user.
struct Surroundings {
  std::optional<std::filesystem::path> ssh;  ///< the program; nothing: there is none
  std::string home;
  std::string user;
  std::string host;
};

class SshConfigMemory {
 public:
  using Clock = std::chrono::steady_clock;

  /// \param file       of the answers; empty: none is kept. One that is damaged, or that others may write, is
  ///                   ignored, and one that cannot be written is not.
  /// \param freshness  how long what was read of the configuration's files is taken for what they are
  SshConfigMemory(std::filesystem::path file, std::chrono::milliseconds freshness);
  ~SshConfigMemory();
  SshConfigMemory(const SshConfigMemory&) = delete;
  SshConfigMemory& operator=(const SshConfigMemory&) = delete;

  /// The lines that parse_ssh_config() understands of what `ssh -G` says of the target. Waits without
  /// blocking the thread; few ssh run at the same time. Throws Error (config) as ssh refuses.
  /// \param ssh  the program's path
  Async<std::string> answer(Target target, std::filesystem::path ssh);
  /// Found once for all connections of a run. Throws Error (config) as sys::user_paths().
  Surroundings surroundings();
  /// How often ssh was asked by this object.
  [[nodiscard]] std::size_t questions() const { return m_questions; }

 private:
  /// Under which an answer is kept, the most general first.
  struct Keys {
    std::optional<std::string> shared;  ///< for all names with the same matches
    std::optional<std::string> own;     ///< for this name
  };
  class Turn;
  struct Waiting;

  const SshConfigSources& sources(const Target& target, const std::filesystem::path& ssh);
  [[nodiscard]] static Keys keys_of(const SshConfigSources& sources, const Target& target);
  [[nodiscard]] std::optional<std::string> recall(const Keys& keys, const Target& target);
  Async<void> wait_for_an_answer();
  void remember(const SshConfigSources& sources, const Target& target, const std::string& answer);
  void load();
  void save() noexcept;

  struct Read {
    SshConfigSources sources;
    Clock::time_point at;
  };
  std::filesystem::path m_file;
  std::chrono::milliseconds m_freshness;
  Surroundings m_surroundings;
  std::optional<Clock::time_point> m_surroundings_at;
  std::map<std::string, Read> m_sources;         ///< by ssh and the `-F` file
  std::map<std::string, std::string> m_answers;  ///< by key
  bool m_is_loaded = false;
  bool m_has_news = false;
  std::set<std::string> m_used;  ///< the keys of this run's answers
  std::size_t m_questions = 0;
  std::set<std::string> m_asking;  ///< what is being asked, by key
  std::list<Waiting*> m_waiting;   ///< for their turn to ask
};

}  // namespace re::transport
