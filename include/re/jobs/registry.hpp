// The local index of jobs, over all projects and instances. The job directories on the hosts are the truth:
// the index can be deleted, and is rebuilt from what they say. It never holds a password or a job's
// environment.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "re/base/clock.hpp"
#include "re/base/job_id.hpp"
#include "re/model/job.hpp"

namespace re::jobs {

using Time = std::chrono::system_clock::time_point;  ///< kept to the millisecond

struct RegistryRecord {
  JobId id;
  std::uint32_t index = 0;  ///< never changes; unique within the project
  std::string project_id = {};
  std::string project_name = {};
  std::string project_path = {};  ///< the project's directory on the host
  std::string instance = {};      ///< the key of the place it runs at: its destination
  std::string name = {};
  std::string command = {};
  model::JobState state = model::JobState::unknown;
  std::optional<int> exit_code = {};
  Time submitted = {};               ///< from the id
  std::optional<Time> started = {};  ///< by the host's clock
  std::optional<Time> ended = {};    ///< by the host's clock
  std::string git_commit = {};
  std::string snapshot = {};
  std::string submitted_from = {};  ///< user@host; empty for a job found on a host
};

/// What a job's state has become; what is absent stays as it was.
struct StateChange {
  model::JobState state = model::JobState::unknown;
  std::optional<int> exit_code;
  std::optional<Time> started;
  std::optional<Time> ended;
};

struct RegistryFilter {
  enum class Which { all, live, pending };  ///< pending: intent or unknown, to be reconciled
  Which which = Which::all;
  std::optional<std::string> project_id;
  std::optional<std::string> instance;
};

/// What to do when a name is borne by several jobs.
enum class SameName { newest, refuse };

/// Several processes may use one registry at the same time: a call waits up to ten seconds for another's
/// transaction. All calls block (milliseconds). Errors: io (also when the file is found damaged: the next
/// open() moves it aside), timeout (another process holds it).
class Registry {
 public:
  /// Opens the file, or makes it (0600, in a private directory that is made if missing). A damaged file is
  /// moved to <file>.corrupt-<time> and a new one begun. Throws Error: unsupported when a newer `re` has
  /// written it.
  static Registry open(const std::filesystem::path& file, const Clock& clock);
  /// The file as it is, for list() and find() only: nothing is made, moved or changed, and another's
  /// transaction is not waited for. Nothing when there is no file. Throws Error: io, also when the file is
  /// damaged or of another version.
  static std::optional<Registry> open_to_read(const std::filesystem::path& file);
  /// What is wrong with the file, in a line: SQLite's quick check of all of it, and what open_to_read()
  /// finds. Empty when it is sound, nothing when there is no file. Changes nothing. Throws Error (timeout)
  /// when another process holds it.
  static std::optional<std::string> fault_of(const std::filesystem::path& file);
  Registry(Registry&&) noexcept;
  Registry& operator=(Registry&&) noexcept;
  ~Registry();

  /// What open() has to tell the user ("… was damaged and is now …"); empty when all was well.
  [[nodiscard]] const std::string& note() const { return m_note; }

  /// An id for a new job, later than that of every job known here: the newest stays the newest when the clock
  /// was set back.
  [[nodiscard]] JobId make_id(const Clock& clock) const;
  /// The time of such an id; for many at once.
  [[nodiscard]] std::chrono::system_clock::time_point time_of_next(const Clock& clock) const;

  /// Writes down that `spec` is about to be submitted at `instance`, in state intent. With spec.index 0 the
  /// next free index of the project is taken; returns the index. It is on the disk before the return. Throws
  /// Error (conflict) when the id or the index is there already.
  std::uint32_t add_intent(const model::JobSpec& spec, std::string_view instance);

  /// The same for many in one transaction: all are there, or none. Gives each spec its index.
  void add_intents(std::vector<model::JobSpec>& specs, std::string_view instance);

  /// Throws Error (not_found) when there is no such job. A job that is done stays done.
  void set_state(const JobId& id, const StateChange& change);
  /// The same change for many, in one transaction.
  void set_states(std::span<const model::JobSpec> specs, const StateChange& change);
  /// remove() for many, in one transaction.
  void remove(std::span<const model::JobSpec> specs);

  /// Takes over what the host at `instance` says. A job from elsewhere keeps its index where that is free in
  /// its project, else it gets the next free one. Returns the record as it now is.
  RegistryRecord take_over(const model::JobStatus& status, std::string_view instance);
  /// The same for a whole listing, in one transaction.
  std::vector<RegistryRecord> take_over(const std::vector<model::JobStatus>& listing,
                                        std::string_view instance);

  /// By submission, oldest first.
  [[nodiscard]] std::vector<RegistryRecord> list(const RegistryFilter& filter) const;

  /// One job of a project. \param selector an index; an id or the beginning of one (four characters at least,
  /// any project's); a name; or "" for the newest. Throws Error: not_found (with the nearest name as a hint),
  /// conflict when it fits several (they are listed), usage for 0, which means all.
  [[nodiscard]] RegistryRecord find(std::string_view project_id, std::string_view selector,
                                    SameName same_name) const;
  [[nodiscard]] std::optional<RegistryRecord> find_id(const JobId& id) const;

  /// Forgets a job whose directory is gone. Its index may be given again only if no later one exists.
  void remove(const JobId& id);

 private:
  class Database;
  Registry(std::unique_ptr<Database> database, std::string note);
  std::unique_ptr<Database> m_database;
  std::string m_note;
};

}  // namespace re::jobs
