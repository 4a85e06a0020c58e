#include "re/jobs/registry.hpp"

#include <algorithm>
#include <utility>

#include "jobs/registry_schema.hpp"
#include "re/base/strings.hpp"
#include "re/sys/failpoint.hpp"
#include "re/sys/random.hpp"

namespace re::jobs {

namespace {

using model::JobState;
using sqlite::Statement;

constexpr std::size_t k_shortest_prefix = 4;
constexpr std::size_t k_most_listed = 8;

// The order in which read_record() finds them and insert() binds them.
constexpr std::string_view k_columns =
    "id, project_id, idx, instance, name, command, state, exit_code, submitted, started, ended, git_commit, "
    "snapshot, project_name, project_path, submitted_from";

std::int64_t to_number(Time time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::optional<std::int64_t> to_number(const std::optional<Time>& time) {
  return time ? std::optional(to_number(*time)) : std::nullopt;
}

std::optional<std::int64_t> to_number(const std::optional<int>& value) {
  return value ? std::optional<std::int64_t>(*value) : std::nullopt;
}

// A damaged file may hold any number; the clock counts nanoseconds in 64 bits.
Time time_of(std::int64_t milliseconds) {
  constexpr std::int64_t k_most = 9'000'000'000'000;
  return Time(std::chrono::milliseconds(std::clamp(milliseconds, -k_most, k_most)));
}

std::optional<Time> to_time(const std::optional<std::int64_t>& number) {
  if (!number) return std::nullopt;
  return time_of(*number);
}

std::string_view state_name(JobState state) {
  return model::to_string(state);
}

std::string columns_from(std::string_view rest) {
  return "SELECT " + std::string(k_columns) + " FROM jobs " + std::string(rest);
}

RegistryRecord read_record(const Statement& row) {
  const auto id = JobId::parse(row.text(0));
  if (!id) throw sqlite::Damaged(ErrorKind::io, "the registry holds '" + row.text(0) + "' as a job's id");
  RegistryRecord record{.id = *id, .submitted = time_of(row.number(8))};
  record.project_id = row.text(1);
  record.index = static_cast<std::uint32_t>(row.number(2));
  record.instance = row.text(3);
  record.name = row.text(4);
  record.command = row.text(5);
  record.state = model::parse_job_state(row.text(6)).value_or(JobState::unknown);
  if (const auto code = row.optional_number(7)) record.exit_code = static_cast<int>(*code);
  record.started = to_time(row.optional_number(9));
  record.ended = to_time(row.optional_number(10));
  record.git_commit = row.text(11);
  record.snapshot = row.text(12);
  record.project_name = row.text(13);
  record.project_path = row.text(14);
  record.submitted_from = row.text(15);
  return record;
}

std::vector<RegistryRecord> read_all(Statement& rows) {
  std::vector<RegistryRecord> records;
  while (rows.step()) records.push_back(read_record(rows));
  return records;
}

bool is_all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Error ambiguous(std::string_view selector, const std::vector<RegistryRecord>& found) {
  std::string listed;
  for (std::size_t at = 0; at < std::min(found.size(), k_most_listed); ++at) {
    const auto& job = found[at];
    listed += (listed.empty() ? "" : ", ") + std::to_string(job.index) + " (" + job.id.text() + ", " +
              std::string(state_name(job.state)) + ")";
  }
  if (found.size() > k_most_listed) listed += ", …";
  return {ErrorKind::conflict, "'" + std::string(selector) + "' fits several jobs: " + listed,
          "name one by its index or id"};
}

}  // namespace

class Registry::Database {
 public:
  explicit Database(std::unique_ptr<sqlite::Connection> connection) : m_connection(std::move(connection)) {}

  [[nodiscard]] const sqlite::Connection& connection() const { return *m_connection; }

  [[nodiscard]] std::optional<RegistryRecord> find(const JobId& id) const {
    Statement rows(*m_connection, columns_from("WHERE id = ?1"));
    rows.bind(1, id.text());
    if (!rows.step()) return std::nullopt;
    return read_record(rows);
  }

  // Within a write transaction: nobody else takes it meanwhile.
  [[nodiscard]] std::uint32_t next_index(std::string_view project) const {
    Statement row(*m_connection, "SELECT ifnull(max(idx), 0) + 1 FROM jobs WHERE project_id = ?1");
    row.bind(1, project);
    return row.step() ? static_cast<std::uint32_t>(row.number(0)) : 1;
  }

  [[nodiscard]] bool is_taken(std::string_view project, std::uint32_t index) const {
    Statement row(*m_connection, "SELECT 1 FROM jobs WHERE project_id = ?1 AND idx = ?2");
    return row.bind(1, project).bind(2, std::int64_t{index}).step();
  }

  void insert(const RegistryRecord& job) const {
    Statement row(*m_connection, "INSERT INTO jobs (" + std::string(k_columns) +
                                     ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)");
    row.bind(1, job.id.text()).bind(2, job.project_id).bind(3, std::int64_t{job.index});
    row.bind(4, job.instance).bind(5, job.name).bind(6, job.command).bind(7, state_name(job.state));
    row.bind(8, to_number(job.exit_code)).bind(9, to_number(job.submitted)).bind(10, to_number(job.started));
    row.bind(11, to_number(job.ended)).bind(12, job.git_commit).bind(13, job.snapshot);
    row.bind(14, job.project_name).bind(15, job.project_path).bind(16, job.submitted_from);
    row.run();
  }

  // What is done stays done: of two listings the older one may come in later.
  void update(const JobId& id, const StateChange& change) const {
    Statement row(
        *m_connection,
        "UPDATE jobs SET state = CASE state WHEN 'done' THEN state ELSE ?2 END,"
        " exit_code = ifnull(?3, exit_code), started = ifnull(?4, started), ended = ifnull(?5, ended)"
        " WHERE id = ?1");
    row.bind(1, id.text()).bind(2, state_name(change.state)).bind(3, to_number(change.exit_code));
    row.bind(4, to_number(change.started)).bind(5, to_number(change.ended));
    row.run();
    if (m_connection->changes() == 0)
      throw Error(ErrorKind::not_found, "the registry has no job " + id.text());
  }

  [[nodiscard]] RegistryRecord take_over(const model::JobStatus& status, std::string_view instance) const {
    const StateChange change{status.state, status.exit_code, status.started, status.ended};
    if (const auto known = find(status.id)) {
      if (is_known(*known, change))
        return *known;  // a transaction that writes nothing need not reach the disk
      update(status.id, change);
      return *find(status.id);
    }
    RegistryRecord job{.id = status.id, .submitted = status.id.time()};
    job.project_id = status.project_id;
    job.project_name = status.project_name;
    job.instance = instance;
    job.name = status.name;
    job.command = status.command;
    job.state = status.state;
    job.exit_code = status.exit_code;
    job.started = status.started;
    job.ended = status.ended;
    const bool keeps = status.index != 0 && !is_taken(status.project_id, status.index);
    job.index = keeps ? status.index : next_index(status.project_id);
    insert(job);
    return job;
  }

  [[nodiscard]] std::vector<RegistryRecord> of_project(std::string_view project, std::string_view condition,
                                                       std::string_view value) const {
    const std::string where = "WHERE project_id = ?1 AND " + std::string(condition) + " ORDER BY id DESC";
    Statement rows(*m_connection, columns_from(where));
    rows.bind(1, project).bind(2, value);
    return read_all(rows);
  }

  // Ids are in lower case and hold no character that GLOB would read as a pattern.
  [[nodiscard]] std::vector<RegistryRecord> by_prefix(std::string_view prefix) const {
    Statement rows(*m_connection, columns_from("WHERE id >= ?1 AND id < ?1 || '~' ORDER BY id DESC"));
    rows.bind(1, prefix);
    return read_all(rows);
  }

  [[nodiscard]] std::vector<std::string> names(std::string_view project) const {
    Statement rows(*m_connection, "SELECT DISTINCT name FROM jobs WHERE project_id = ?1");
    rows.bind(1, project);
    std::vector<std::string> names;
    while (rows.step()) names.push_back(rows.text(0));
    return names;
  }

 private:
  // Whether update() would leave the row as it is.
  static bool is_known(const RegistryRecord& job, const StateChange& change) {
    const auto adds_nothing = [](const auto& now, const auto& told) { return !told || now == told; };
    return (job.state == change.state || job.state == JobState::done) &&
           adds_nothing(job.exit_code, change.exit_code) && adds_nothing(job.started, change.started) &&
           adds_nothing(job.ended, change.ended);
  }

  std::unique_ptr<sqlite::Connection> m_connection;
};

Registry::Registry(std::unique_ptr<Database> database, std::string note)
    : m_database(std::move(database)), m_note(std::move(note)) {}
Registry::Registry(Registry&&) noexcept = default;
Registry& Registry::operator=(Registry&&) noexcept = default;
Registry::~Registry() = default;

Registry Registry::open(const std::filesystem::path& file, const Clock& clock) {
  OpenedRegistry opened = open_registry_file(file, clock);
  return {std::make_unique<Database>(std::move(opened.connection)), std::move(opened.note)};
}

std::optional<Registry> Registry::open_to_read(const std::filesystem::path& file) {
  auto connection = open_registry_to_read(file);
  if (!connection) return std::nullopt;
  return Registry(std::make_unique<Database>(std::move(connection)), {});
}

std::optional<std::string> Registry::fault_of(const std::filesystem::path& file) {
  try {
    const auto connection = open_registry_to_read(file);
    if (!connection) return std::nullopt;
    Statement row(*connection, "PRAGMA quick_check(1)");
    const std::string verdict = row.step() ? row.text(0) : "no answer";
    return verdict == "ok" ? std::string() : verdict;
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::timeout) throw;
    return error.message();
  }
}

JobId Registry::make_id(const Clock& clock) const {
  return sys::make_job_id(time_of_next(clock));
}

Time Registry::time_of_next(const Clock& clock) const {
  Statement row(m_database->connection(), "SELECT max(id) FROM jobs");
  const auto newest = row.step() ? JobId::parse(row.text(0)) : std::nullopt;
  return newest ? std::max(clock.now(), newest->time() + std::chrono::milliseconds(1)) : clock.now();
}

std::uint32_t Registry::add_intent(const model::JobSpec& spec, std::string_view instance) {
  std::vector<model::JobSpec> specs = {spec};
  add_intents(specs, instance);
  return specs.front().index;
}

void Registry::add_intents(std::vector<model::JobSpec>& specs, std::string_view instance) {
  sqlite::Transaction transaction(m_database->connection(), sqlite::Durability::now);
  for (auto& spec : specs) {
    RegistryRecord job{.id = spec.id, .submitted = spec.id.time()};
    job.index = spec.index != 0 ? spec.index : m_database->next_index(spec.project_id);
    job.project_id = spec.project_id;
    job.project_name = spec.project_name;
    job.project_path = spec.project_path;
    job.instance = instance;
    job.name = spec.name;
    job.command = spec.command;
    job.state = JobState::intent;
    job.git_commit = spec.git_commit;
    job.snapshot = spec.snapshot;
    job.submitted_from = spec.submitted_from;
    m_database->insert(job);
    spec.index = job.index;
  }
  sys::failpoint("registry.intent");
  transaction.commit();
  sys::failpoint("registry.intent");
}

void Registry::set_state(const JobId& id, const StateChange& change) {
  sqlite::Transaction transaction(m_database->connection(), sqlite::Durability::later);
  m_database->update(id, change);
  transaction.commit();
}

void Registry::set_states(std::span<const model::JobSpec> specs, const StateChange& change) {
  sqlite::Transaction transaction(m_database->connection(), sqlite::Durability::later);
  for (const auto& spec : specs) m_database->update(spec.id, change);
  transaction.commit();
}

RegistryRecord Registry::take_over(const model::JobStatus& status, std::string_view instance) {
  return take_over(std::vector<model::JobStatus>{status}, instance).front();
}

std::vector<RegistryRecord> Registry::take_over(const std::vector<model::JobStatus>& listing,
                                                std::string_view instance) {
  if (listing.empty()) return {};
  // Oldest first, so that indices that must be given anew follow the order of submission.
  std::vector<const model::JobStatus*> order;
  order.reserve(listing.size());
  for (const auto& status : listing) order.push_back(&status);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->id < b->id; });
  sqlite::Transaction transaction(m_database->connection(), sqlite::Durability::later);
  for (const auto* status : order) (void)m_database->take_over(*status, instance);
  std::vector<RegistryRecord> records;
  records.reserve(listing.size());
  for (const auto& status : listing) records.push_back(*m_database->find(status.id));
  transaction.commit();
  return records;
}

std::vector<RegistryRecord> Registry::list(const RegistryFilter& filter) const {
  Statement rows(m_database->connection(),
                 columns_from("WHERE (?1 IS NULL OR project_id = ?1) AND (?2 IS NULL OR instance = ?2)"
                              " ORDER BY id"));
  if (filter.project_id) rows.bind(1, std::string_view(*filter.project_id));
  if (filter.instance) rows.bind(2, std::string_view(*filter.instance));
  auto records = read_all(rows);
  std::erase_if(records, [&filter](const RegistryRecord& job) {
    const bool is_pending = job.state == JobState::intent || job.state == JobState::unknown;
    switch (filter.which) {
      case RegistryFilter::Which::live:
        return !is_pending && !model::is_live(job.state);
      case RegistryFilter::Which::pending:
        return !is_pending;
      default:
        return false;
    }
  });
  return records;
}

RegistryRecord Registry::find(std::string_view project_id, std::string_view selector,
                              SameName same_name) const {
  if (selector == "0")
    throw Error(ErrorKind::usage, "0 means all jobs; one is wanted here", "give a job's index");
  if (selector.empty()) {
    auto newest = m_database->of_project(project_id, "?2 = ''", "");
    if (newest.empty()) throw Error(ErrorKind::not_found, "this project has no jobs yet");
    return newest.front();
  }
  if (is_all_digits(selector) && selector.size() < JobId::k_length) {
    auto found = m_database->of_project(project_id, "idx = CAST(?2 AS INTEGER)", selector);
    if (!found.empty()) return found.front();
  }
  auto named = m_database->of_project(project_id, "name = ?2", selector);
  if (named.size() > 1 && same_name == SameName::refuse) throw ambiguous(selector, named);
  if (!named.empty()) return named.front();
  std::vector<RegistryRecord> found;
  if (selector.size() >= k_shortest_prefix) found = m_database->by_prefix(to_lower(selector));
  if (found.size() > 1) throw ambiguous(selector, found);
  if (!found.empty()) return found.front();
  const auto names = m_database->names(project_id);
  throw Error(ErrorKind::not_found, "no job '" + std::string(selector) + "' in this project",
              suggestion(selector, names));
}

std::optional<RegistryRecord> Registry::find_id(const JobId& id) const {
  return m_database->find(id);
}

void Registry::remove(std::span<const model::JobSpec> specs) {
  sqlite::Transaction transaction(m_database->connection(), sqlite::Durability::later);
  for (const auto& spec : specs) remove(spec.id);
  transaction.commit();
}

void Registry::remove(const JobId& id) {
  Statement row(m_database->connection(), "DELETE FROM jobs WHERE id = ?1");
  row.bind(1, id.text()).run();
}

}  // namespace re::jobs
