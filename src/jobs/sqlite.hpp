// SQLite's C interface, as far as the registry needs it. https://www.sqlite.org/c3ref/intro.html
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "re/base/error.hpp"

namespace re::jobs::sqlite {

/// The file is not a database, or not a sound one. A kind of its own, because the registry then begins anew.
class Damaged : public Error {
 public:
  using Error::Error;
};

class Connection;

/// A prepared statement. Values are bound from 1, columns are read from 0, as SQLite counts them.
class Statement {
 public:
  Statement(const Connection& connection, std::string_view sql);

  Statement& bind(int at, std::string_view text);
  Statement& bind(int at, std::int64_t number);
  Statement& bind(int at, std::optional<std::int64_t> number);

  /// Goes to the next row; false after the last. Throws Error.
  bool step();
  /// For a statement without rows.
  void run();
  /// Makes it ready to be bound and stepped again.
  void reset();

  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] std::int64_t number(int column) const;
  [[nodiscard]] std::optional<std::int64_t> optional_number(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  void check(int code) const;
  sqlite3* m_database;
  std::unique_ptr<sqlite3_stmt, Finalize> m_statement;
};

enum class Access { read, write };

/// An open database; for one thread.
class Connection {
 public:
  /// Opens an existing file; to read it only, hardly waiting for another's transaction. Throws Error (io),
  /// Damaged.
  explicit Connection(const std::filesystem::path& file, Access access = Access::write);
  [[nodiscard]] sqlite3* get() const { return m_database.get(); }
  /// Statements without values or rows, separated by ';'.
  void execute(const std::string& sql) const;
  /// The one number that a statement gives.
  [[nodiscard]] std::int64_t number(std::string_view sql) const;
  /// How many rows the last statement has changed.
  [[nodiscard]] int changes() const { return sqlite3_changes(m_database.get()); }

 private:
  struct Close {
    void operator()(sqlite3* database) const { sqlite3_close_v2(database); }
  };
  std::unique_ptr<sqlite3, Close> m_database;
};

/// Whether a commit is on the disk when it returns, or may be lost with the machine's power.
enum class Durability { now, later };

/// A write transaction: begun at once, so that two writers queue instead of failing; undone unless committed.
class Transaction {
 public:
  Transaction(const Connection& connection, Durability durability);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  const Connection& m_connection;
  bool m_is_open = true;
};

/// The Error for a result code, with SQLite's own words.
[[noreturn]] void raise(sqlite3* database, int code);

}  // namespace re::jobs::sqlite
