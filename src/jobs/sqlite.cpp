#include "jobs/sqlite.hpp"

#include "re/base/strings.hpp"

namespace re::jobs::sqlite {

namespace {

constexpr int k_busy_timeout_ms = 10'000;
constexpr int k_brief_timeout_ms = 100;  // who comes first after a crash has a log to read

// Not even the log's index is written to. https://www.sqlite.org/uri.html
std::string reader_uri(const std::string& file) {
  const std::string escaped = replace_all(replace_all(replace_all(file, "%", "%25"), "?", "%3f"), "#", "%23");
  return "file:" + escaped + "?readonly_shm=1";
}

}  // namespace

void raise(sqlite3* database, int code) {
  const std::string cause = database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code);
  const char* file = database != nullptr ? sqlite3_db_filename(database, "main") : nullptr;
  const std::string message = "the registry " + std::string(file != nullptr ? file : "") + ": " + cause;
  switch (code & 0xff) {  // the primary result code, https://www.sqlite.org/rescode.html
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // our SQL is constant: the schema is not ours
    case SQLITE_SCHEMA:
      throw Damaged(ErrorKind::io, message, "run the command again: the registry is then begun anew");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error(ErrorKind::timeout, message, "another `re` holds it; try again");
    case SQLITE_CONSTRAINT:
      throw Error(ErrorKind::conflict, message);
    default:
      throw Error(ErrorKind::io, message);
  }
}

Statement::Statement(const Connection& connection, std::string_view sql) : m_database(connection.get()) {
  sqlite3_stmt* statement = nullptr;
  check(sqlite3_prepare_v2(m_database, sql.data(), static_cast<int>(sql.size()), &statement, nullptr));
  m_statement.reset(statement);
}

Statement& Statement::bind(int at, std::string_view text) {
  const char* data = text.data() != nullptr ? text.data() : "";  // a null pointer would bind NULL
  const auto forget = SQLITE_TRANSIENT;                          // NOLINT: SQLite's own cast
  check(sqlite3_bind_text64(m_statement.get(), at, data, text.size(), forget, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind(int at, std::int64_t number) {
  check(sqlite3_bind_int64(m_statement.get(), at, number));
  return *this;
}

Statement& Statement::bind(int at, std::optional<std::int64_t> number) {
  if (number) return bind(at, *number);
  check(sqlite3_bind_null(m_statement.get(), at));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(m_statement.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) raise(m_database, code);
  return false;
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(m_statement.get());  // its code repeats that of the last step()
  sqlite3_clear_bindings(m_statement.get());
}

std::string Statement::text(int column) const {
  const unsigned char* data = sqlite3_column_text(m_statement.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(m_statement.get(), column));
  return data == nullptr ? std::string() : std::string(data, data + size);
}

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(m_statement.get(), column);
}

std::optional<std::int64_t> Statement::optional_number(int column) const {
  if (sqlite3_column_type(m_statement.get(), column) == SQLITE_NULL) return std::nullopt;
  return number(column);
}

void Statement::check(int code) const {
  if (code != SQLITE_OK) raise(m_database, code);
}

Connection::Connection(const std::filesystem::path& file, Access access) {
  sqlite3* database = nullptr;
  const bool is_reader = access == Access::read;
  const int mode = is_reader ? SQLITE_OPEN_READONLY | SQLITE_OPEN_URI : SQLITE_OPEN_READWRITE;
  const int flags = mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
  const std::string name = is_reader ? reader_uri(file.string()) : file.string();
  const int code = sqlite3_open_v2(name.c_str(), &database, flags, nullptr);
  m_database.reset(database);
  if (code != SQLITE_OK) raise(database, code);
  sqlite3_extended_result_codes(database, 1);
  sqlite3_busy_timeout(database, is_reader ? k_brief_timeout_ms : k_busy_timeout_ms);
  // The end of a process is no reason to write the log into the file: two syncs more.
  sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);  // NOLINT: SQLite's own varargs
}

void Connection::execute(const std::string& sql) const {
  const int code = sqlite3_exec(m_database.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) raise(m_database.get(), code);
}

std::int64_t Connection::number(std::string_view sql) const {
  Statement statement(*this, sql);
  return statement.step() ? statement.number(0) : 0;
}

// With a rollback journal FULL would leave open whether its removal, which is the commit, is on the disk:
// EXTRA syncs its directory, too. With a write-ahead log both sync that once, and NORMAL does not.
Transaction::Transaction(const Connection& connection, Durability durability) : m_connection(connection) {
  const std::string level = durability == Durability::now ? "EXTRA" : "NORMAL";
  m_connection.execute("PRAGMA synchronous = " + level + "; BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (m_is_open) sqlite3_exec(m_connection.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  m_connection.execute("COMMIT");
  m_is_open = false;
}

}  // namespace re::jobs::sqlite
