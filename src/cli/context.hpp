// The composition root: what a command needs, made when it is first asked for.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "re/config/settings.hpp"
#include "re/engine/fleet.hpp"
#include "re/jobs/registry.hpp"
#include "re/project/root.hpp"
#include "re/sys/async.hpp"
#include "re/sys/random.hpp"
#include "re/ui/console.hpp"

namespace re::cli {

enum class OutputMode { human, json, quiet };

class Context {
 public:
  /// Throws Error (usage) for a bad --color, (config) without a home directory.
  explicit Context(const Parsed& parsed);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] OutputMode mode() const { return m_mode; }
  [[nodiscard]] bool is_json() const { return m_mode == OutputMode::json; }
  [[nodiscard]] ui::Colour colour() const { return m_colour; }
  ui::Console& console();
  Progress& progress();
  transport::Prompter& prompter();
  IoContext& io();
  const Clock& clock() const { return m_clock; }
  /// Opens the registry.
  JobId new_job_id() { return registry().make_id(m_clock); }
  const sys::UserPaths& paths() const { return m_paths; }

  const config::Settings& settings();
  config::Sources sources();
  /// The project that the working directory is in, or nothing.
  const std::optional<project::Project>& project();
  /// The same; throws Error (not_found) telling to run `re init`.
  const project::Project& require_project();
  /// After `re init` made one.
  void forget_project();
  jobs::Registry& registry();
  engine::Fleet& fleet();

  /// The places that -i (given once or several times) or --instance-idx name: one, or several for "all", a
  /// tag or a list; without them the default instance.
  std::vector<engine::Place> places(const Parsed& parsed);
  /// Exactly one, by the last -i. Throws Error (usage) where that names several.
  engine::Place place(const Parsed& parsed);
  /// Every configured instance, and `local` when there is none.
  std::vector<engine::Place> all_places(const Parsed& parsed);
  /// The place with this registry key: a configured instance, else the destination itself.
  engine::Place place_of(const std::string& key, const Parsed& parsed);
  /// The same for each of them.
  std::vector<engine::Place> places_of(const std::vector<std::string>& keys, const Parsed& parsed);
  std::chrono::milliseconds deadline(const Parsed& parsed);

  /// Runs a command's coroutine to its end. SIGINT, SIGTERM and SIGHUP cancel it (it then ends with Error
  /// (interrupted)) unless `on_signal` takes them; a second one while cancelling ends the program at once.
  int run(std::function<Async<int>()> task, const std::function<bool(int)>& on_signal = {});

 private:
  struct Parts;
  engine::Place to_place(const config::InstanceSettings& instance, const Parsed& parsed);
  std::vector<engine::Place> places_named(const std::vector<std::string>& names, const Parsed& parsed);

  OutputMode m_mode = OutputMode::human;
  ui::Colour m_colour = ui::Colour::off;
  bool m_use_master = true;
  std::optional<std::string> m_config_file;
  sys::UserPaths m_paths;
  sys::SystemClock m_clock;
  std::unique_ptr<Parts> m_parts;
};

/// Where a project lies on the host: absolute, or relative to the home there.
std::string project_path(const engine::Place& place, const std::string& name);

}  // namespace re::cli
