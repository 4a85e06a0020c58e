#include "jobs/registry_schema.hpp"

#include <fcntl.h>

#include <array>
#include <chrono>
#include <string_view>

#include "re/sys/file.hpp"
#include "re/sys/lock.hpp"

namespace re::jobs {

namespace {

namespace fs = std::filesystem;

// user_version N means that the first N of these were applied. A line is never changed once it was released;
// tests/data/registry keeps a file of each version, and all must load for ever. Times are milliseconds since
// the epoch; states are spelled as model::to_string() does.
constexpr std::array<std::string_view, 2> k_migrations = {
    "CREATE TABLE jobs ("
    " id TEXT PRIMARY KEY NOT NULL, project_id TEXT NOT NULL, idx INTEGER NOT NULL, instance TEXT NOT NULL,"
    " name TEXT NOT NULL, command TEXT NOT NULL, state TEXT NOT NULL, exit_code INTEGER, submitted INTEGER "
    "NOT NULL,"
    " started INTEGER, ended INTEGER, git_commit TEXT NOT NULL, snapshot TEXT NOT NULL,"
    " UNIQUE (project_id, idx)) WITHOUT ROWID;",
    "ALTER TABLE jobs ADD COLUMN project_name TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE jobs ADD COLUMN project_path TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE jobs ADD COLUMN submitted_from TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX jobs_by_state ON jobs (state);",
};
constexpr auto k_version = static_cast<std::int64_t>(k_migrations.size());

void migrate(const sqlite::Connection& connection, const fs::path& file) {
  if (connection.number("PRAGMA user_version") == k_version) return;
  sqlite::Transaction transaction(connection, sqlite::Durability::now);
  const auto version = connection.number("PRAGMA user_version");  // another process may have been first
  if (version < 0) throw sqlite::Damaged(ErrorKind::io, "the registry has no sensible version");
  if (version > k_version) {
    throw Error(ErrorKind::unsupported, "the registry " + file.string() + " was written by a newer re",
                "use that one, or move the file away: it is rebuilt from the hosts");
  }
  for (auto next = version; next < k_version; ++next) {
    connection.execute(std::string(k_migrations.at(static_cast<std::size_t>(next))));
  }
  connection.execute("PRAGMA user_version = " + std::to_string(k_version));
  transaction.commit();
}

// All of it is read: what is damaged must not be found later, in the middle of a launch.
void require_sound(const sqlite::Connection& connection) {
  sqlite::Statement check(connection, "PRAGMA integrity_check(1)");
  const std::string verdict = check.step() ? check.text(0) : "no answer";
  if (verdict != "ok") throw sqlite::Damaged(ErrorKind::io, "the registry is damaged: " + verdict);
}

// SQLite would take the umask's mode. What is there is not opened: at the close the process's other locks on
// it would go. The log and index of a file that was removed are not the new one's.
void make_file(const fs::path& file) {
  if (fs::exists(file)) return;
  for (const char* suffix : {"-wal", "-shm"}) fs::remove(file.string() + suffix);
  sys::open_file(file, O_RDWR | O_CREAT, 0600);
}

// With a write-ahead log a durable commit is one sync where a rollback journal takes five. Its index is
// shared memory, which a file system of another machine has not: homes are on NFS as well. The log is never
// long, as each start reads it. https://www.sqlite.org/wal.html
std::unique_ptr<sqlite::Connection> open_sound(const fs::path& file) {
  auto connection = std::make_unique<sqlite::Connection>(file);
  const bool has_log = sys::is_on_local_disk(file);
  connection->execute(has_log ? "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 64"
                              : "PRAGMA journal_mode = DELETE");
  require_sound(*connection);
  migrate(*connection, file);
  return connection;
}

std::string time_stamp(const Clock& clock) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(clock.now().time_since_epoch());
  return std::to_string(seconds.count());
}

// The journal belongs to the damaged file: beside a new one it would be rolled back into that. Nobody opens
// the file meanwhile (open_registry_file); who has it open goes on with what is aside, or is refused.
fs::path move_aside(const fs::path& file, const Clock& clock) {
  fs::path aside = file.string() + ".corrupt-" + time_stamp(clock);
  for (int copy = 2; fs::exists(aside); ++copy) {
    aside = file.string() + ".corrupt-" + time_stamp(clock) + "." + std::to_string(copy);
  }
  for (const char* suffix : {"-journal", "-wal"}) {
    const fs::path companion = file.string() + suffix;
    if (fs::exists(companion)) fs::rename(companion, aside.string() + suffix);
  }
  fs::remove(file.string() + "-shm");  // only an index of the log
  fs::rename(file, aside);
  return aside;
}

}  // namespace

OpenedRegistry open_registry_file(const fs::path& file, const Clock& clock) {
  if (const auto parent = file.parent_path(); !parent.empty()) sys::ensure_private_directory(parent);
  const fs::path lock_file = file.string() + ".lock";
  if (!fs::exists(file)) {
    const auto lock = sys::FileLock::wait(lock_file);
    make_file(file);
  }
  try {
    const auto lock = sys::FileLock::share(lock_file);
    return {open_sound(file), {}};
  } catch (const sqlite::Damaged&) {
    // Another process may have found it damaged, too: only one moves the file, the others find a sound one.
  }
  const auto lock = sys::FileLock::wait(lock_file);
  try {
    return {open_sound(file), {}};
  } catch (const sqlite::Damaged& damage) {
    const fs::path aside = move_aside(file, clock);
    make_file(file);
    return {open_sound(file), "the registry of jobs was damaged and is now " + aside.string() +
                                  "; a new one is rebuilt from the hosts (" + damage.message() + ")"};
  }
}

std::unique_ptr<sqlite::Connection> open_registry_to_read(const fs::path& file) {
  if (!fs::exists(file)) return nullptr;
  auto connection = std::make_unique<sqlite::Connection>(file, sqlite::Access::read);
  if (connection->number("PRAGMA user_version") != k_version) {
    throw Error(ErrorKind::io, "the registry " + file.string() + " is of another version");
  }
  return connection;
}

}  // namespace re::jobs
