#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <sqlite3.h>

#include "odb/index.h"
#include "odb/sqlite_vfs.h"

namespace dstore::sqlite {

/// A prepared statement. Every failure is an IndexFailure. Not thread-safe.
class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, std::string_view sql);
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
  Statement& operator=(Statement&& other) noexcept {
    std::swap(statement_, other.statement_);
    return *this;
  }

  Statement& bind(int parameter, const ObjectId& id);
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, double value);
  Statement& bind(int parameter, ByteSpan blob);
  Statement& bind(int parameter, std::string_view text);
  Statement& bind_null(int parameter);
  /// False at the end of the rows.
  bool step();
  /// step() until the end, then reset(): for statements without rows.
  void run();
  void reset();

  sqlite3_stmt* get() const { return statement_; }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  std::string text(int column) const;
  /// Valid until the next step() or reset().
  ByteSpan blob(int column) const;
  /// IndexFailure{damaged} unless the column is a blob of 32 bytes.
  ObjectId id(int column) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
};

/// A connection set up for a file that may be hostile: defensive, no triggers or views, nothing of it mapped. All its I/O goes
/// through `fs`; a symbolic link in place of the file is not followed.
class Connection {
 public:
  Connection(Filesystem& fs, const std::string& path);
  ~Connection() { sqlite3_close_v2(db_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* get() const { return db_; }
  void execute(const char* sql);

 private:
  Vfs vfs_;
  sqlite3* db_ = nullptr;
};

/// BEGIN IMMEDIATE ... COMMIT; the destructor rolls back what was not committed.
class Transaction {
 public:
  explicit Transaction(Connection& connection) : connection_(connection) { connection_.execute("BEGIN IMMEDIATE"); }
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Connection& connection_;
  bool open_ = true;
};

}  // namespace dstore::sqlite
