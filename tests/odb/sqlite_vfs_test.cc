#include "odb/sqlite_vfs.h"

#include "durability/call_filesystem.h"
#include "odb/index.h"
#include "odb/sqlite.h"
#include "test_store.h"

namespace dstore::test {
namespace {

using sqlite::Connection;
using sqlite::Statement;
using sqlite::Transaction;

/// The same file as another program sees it: through SQLite's own file access, with POSIX locks.
class StockConnection {
 public:
  explicit StockConnection(const std::string& path) { REQUIRE(sqlite3_open(path.c_str(), &db_) == SQLITE_OK); }
  ~StockConnection() { sqlite3_close(db_); }
  StockConnection(const StockConnection&) = delete;
  StockConnection& operator=(const StockConnection&) = delete;
  int run(const char* sql) { return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); }

 private:
  sqlite3* db_ = nullptr;
};

int run(Connection& db, const char* sql) { return sqlite3_exec(db.get(), sql, nullptr, nullptr, nullptr) & 0xFF; }

std::int64_t number(Connection& db, std::string_view sql) {
  Statement statement(db.get(), sql);
  return statement.step() ? statement.integer(0) : -1;
}

bool is_whole(Connection& db) {
  Statement statement(db.get(), "PRAGMA integrity_check");
  return statement.step() && statement.text(0) == "ok";
}

constexpr const char* kFill =
    "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t SELECT i, randomblob(400) FROM n";

}  // namespace

TEST_CASE("a database is shared with programs that have SQLite's own file access") {
  const Scratch folder;
  const std::string path = folder / "x.db";
  Connection ours(posix_filesystem(), path);
  sqlite3_busy_timeout(ours.get(), 0);
  ours.execute("CREATE TABLE t(i, b)");
  StockConnection stock(path);
  REQUIRE(stock.run("INSERT INTO t VALUES(1, 'stock')") == SQLITE_OK);
  CHECK(number(ours, "SELECT count(*) FROM t") == 1);

  SECTION("their writer") {
    REQUIRE(stock.run("BEGIN IMMEDIATE") == SQLITE_OK);
    CHECK(run(ours, "SELECT * FROM t") == SQLITE_OK);
    CHECK(run(ours, "BEGIN IMMEDIATE") == SQLITE_BUSY);
    REQUIRE(stock.run("COMMIT; BEGIN EXCLUSIVE") == SQLITE_OK);
    CHECK(run(ours, "SELECT * FROM t") == SQLITE_BUSY);
    REQUIRE(stock.run("COMMIT") == SQLITE_OK);
    CHECK(run(ours, "INSERT INTO t VALUES(2, 'ours')") == SQLITE_OK);
  }
  SECTION("our writer") {
    ours.execute("BEGIN IMMEDIATE");
    CHECK(stock.run("SELECT * FROM t") == SQLITE_OK);
    CHECK(stock.run("BEGIN IMMEDIATE") == SQLITE_BUSY);
    ours.execute("COMMIT");
    ours.execute("BEGIN EXCLUSIVE");
    CHECK(stock.run("SELECT * FROM t") == SQLITE_BUSY);
    ours.execute("ROLLBACK");
    CHECK(stock.run("INSERT INTO t VALUES(2, 'stock')") == SQLITE_OK);
  }
  SECTION("a reader holds up the end of a writer, a waiting writer keeps out new readers") {
    Connection late(posix_filesystem(), path);
    sqlite3_busy_timeout(late.get(), 0);
    REQUIRE(stock.run("BEGIN; SELECT * FROM t") == SQLITE_OK);
    ours.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES(2, 'ours')");
    CHECK(run(ours, "COMMIT") == SQLITE_BUSY);
    CHECK(run(late, "SELECT * FROM t") == SQLITE_BUSY);
    REQUIRE(stock.run("COMMIT") == SQLITE_OK);
    CHECK(run(ours, "COMMIT") == SQLITE_OK);
    CHECK(run(late, "SELECT * FROM t") == SQLITE_OK);
  }
  SECTION("two of ours") {
    Connection other(posix_filesystem(), path);
    sqlite3_busy_timeout(other.get(), 0);
    other.execute("BEGIN IMMEDIATE");
    CHECK(run(ours, "BEGIN IMMEDIATE") == SQLITE_BUSY);
    other.execute("COMMIT");
    CHECK(run(ours, "BEGIN IMMEDIATE") == SQLITE_OK);
  }
}

TEST_CASE("a transaction that a dead process left half written is taken back") {
  const Scratch folder;
  Connection writer(posix_filesystem(), folder / "x.db");
  writer.execute("PRAGMA cache_size=4");
  writer.execute("CREATE TABLE t(i, b)");
  writer.execute(kFill);
  writer.execute("BEGIN IMMEDIATE");
  writer.execute("UPDATE t SET b = zeroblob(400), i = -1");  // more than its cache: written to the file
  // What a kill leaves: the file as it is now, and the journal.
  const Bytes torn = read_file(posix_filesystem(), folder / "x.db");
  put_file(folder / "copy.db", torn);
  put_file(folder / "copy.db-journal", read_file(posix_filesystem(), folder / "x.db-journal"));
  Connection reader(posix_filesystem(), folder / "copy.db");
  CHECK(number(reader, "SELECT count(*) FROM t WHERE i > 0") == 500);
  CHECK(is_whole(reader));
  CHECK(read_file(posix_filesystem(), folder / "copy.db") != torn);
  // Without it the file would not be what it was: the journal was needed.
  put_file(folder / "bare.db", torn);
  Connection bare(posix_filesystem(), folder / "bare.db");
  CHECK(number(bare, "SELECT count(*) FROM t WHERE i > 0") != 500);
}

TEST_CASE("after a sync that failed, the file is left alone; the next connection takes the transaction back") {
  for (const char* which : {"x.db", "x.db-journal"}) {
    INFO(which);
    const Scratch folder;
    bool fail = false, failed = false, touched = false;
    CallFilesystem fs(posix_filesystem(), [&](const DiskCall& call, const auto& run_call, const auto&) {
      const bool watched = call.path.ends_with(which);
      if (failed && watched && call.kind != DiskCall::Kind::remove) touched = true;
      if (fail && watched && call.kind == DiskCall::Kind::sync_file) {
        failed = true;
        throw Error(ErrorCode::io, "injected");
      }
      run_call();
    });
    {
      Connection writer(fs, folder / "x.db");
      writer.execute("CREATE TABLE t(i, b)");
      writer.execute(kFill);
      fail = true;
      CHECK(run(writer, "UPDATE t SET i = -1") == SQLITE_IOERR);
      CHECK(run(writer, "UPDATE t SET i = -2") != SQLITE_OK);
    }
    CHECK(failed);
    CHECK_FALSE(touched);
    Connection reader(posix_filesystem(), folder / "x.db");
    CHECK(number(reader, "SELECT count(*) FROM t WHERE i > 0") == 500);
    CHECK(is_whole(reader));
  }
}

TEST_CASE("an index that another program has put into WAL mode is made anew") {
  const Scratch folder;
  ObjectStore::create(posix_filesystem(), folder.path());
  REQUIRE(open_database_index(posix_filesystem(), folder.path()));
  {
    StockConnection stock(folder / "index.db");
    REQUIRE(stock.run("PRAGMA journal_mode=WAL; DELETE FROM packs") == SQLITE_OK);
    CHECK(exists(posix_filesystem(), folder / "index.db-wal"));
    CHECK(open_database_index(posix_filesystem(), folder.path()));
  }
  CHECK_FALSE(exists(posix_filesystem(), folder / "index.db-wal"));
  CHECK(open_database_index(posix_filesystem(), folder.path()));
}

TEST_CASE("sorting more than fits into memory pages needs no temporary file") {
  const Scratch folder;
  Connection db(posix_filesystem(), folder / "x.db");
  db.execute("PRAGMA cache_size=4");
  db.execute("CREATE TABLE t(i, b)");
  db.execute(kFill);
  Transaction transaction(db);
  db.execute("CREATE TABLE u AS SELECT b, i FROM t ORDER BY b");
  db.execute("UPDATE t SET b = (SELECT max(b) FROM u) WHERE i IN (SELECT i FROM u ORDER BY b DESC)");
  transaction.commit();
  CHECK(number(db, "SELECT count(DISTINCT b) FROM t") == 1);
}

}  // namespace dstore::test
