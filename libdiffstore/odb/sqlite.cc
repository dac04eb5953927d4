#include "odb/sqlite.h"

namespace dstore::sqlite {
namespace {

[[noreturn]] void fail(sqlite3* db, int status) {
  const int code = status & 0xFF;
  // SQLITE_CANTOPEN after the file was opened: somebody has put it into WAL mode, which our file access does not have.
  const bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR || code == SQLITE_SCHEMA ||
                       code == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH || code == SQLITE_CANTOPEN;
  throw IndexFailure(db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(status), damaged);
}

constexpr int kBusyMilliseconds = 10'000;

struct Setting {
  int option;
  int value;
};
constexpr Setting kSettings[] = {
    {SQLITE_DBCONFIG_DEFENSIVE, 1},     {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
    {SQLITE_DBCONFIG_ENABLE_VIEW, 0},   {SQLITE_DBCONFIG_DQS_DML, 0},        {SQLITE_DBCONFIG_DQS_DDL, 0},
    {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0},
};

}  // namespace

Connection::Connection(Filesystem& fs, const std::string& path) : vfs_(fs) {
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (const int status = sqlite3_open_v2(path.c_str(), &db_, flags, vfs_.name()); status != SQLITE_OK) {
    const IndexFailure failure(sqlite3_errstr(status), false);
    sqlite3_close_v2(db_);
    throw failure;
  }
  try {
    sqlite3_busy_timeout(db_, kBusyMilliseconds);
    sqlite3_limit(db_, SQLITE_LIMIT_LENGTH, 1 << 20);
    for (const Setting& setting : kSettings) {
      if (const int status = sqlite3_db_config(db_, setting.option, setting.value, nullptr); status != SQLITE_OK) fail(db_, status);
    }
    execute("PRAGMA mmap_size=0");
    execute("PRAGMA temp_store=MEMORY");
    execute("PRAGMA cell_size_check=ON");
    execute("PRAGMA journal_mode=TRUNCATE");
    execute("PRAGMA synchronous=FULL");  // with less, a power cut may leave rows of one pack without those of another
  } catch (...) {
    sqlite3_close_v2(db_);
    throw;
  }
}

void Connection::execute(const char* sql) {
  if (const int status = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr); status != SQLITE_OK) fail(db_, status);
}

Transaction::~Transaction() {
  if (open_) sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  connection_.execute("COMMIT");
  open_ = false;
}

Statement::Statement(sqlite3* db, std::string_view sql) {
  const int status = sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  if (status != SQLITE_OK) fail(db, status);
}

Statement& Statement::bind(int parameter, const ObjectId& id) {
  sqlite3_bind_blob(statement_, parameter, id.bytes().data(), ObjectId::kSize, SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  sqlite3_bind_int64(statement_, parameter, value);
  return *this;
}

Statement& Statement::bind(int parameter, double value) {
  sqlite3_bind_double(statement_, parameter, value);
  return *this;
}

Statement& Statement::bind(int parameter, ByteSpan blob) {
  sqlite3_bind_blob64(statement_, parameter, blob.empty() ? "" : static_cast<const void*>(blob.data()), blob.size(), SQLITE_TRANSIENT);
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  sqlite3_bind_text64(statement_, parameter, text.empty() ? "" : text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  sqlite3_bind_null(statement_, parameter);
  return *this;
}

bool Statement::step() {
  const int status = sqlite3_step(statement_);
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) return false;
  sqlite3* db = sqlite3_db_handle(statement_);
  sqlite3_reset(statement_);
  fail(db, status);
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() { sqlite3_reset(statement_); }

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text != nullptr ? std::string(text) : std::string();
}

ByteSpan Statement::blob(int column) const {
  const auto* blob = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  return blob == nullptr ? ByteSpan() : ByteSpan(blob, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

ObjectId Statement::id(int column) const {
  const auto* blob = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  if (blob == nullptr || sqlite3_column_bytes(statement_, column) != static_cast<int>(ObjectId::kSize)) {
    throw IndexFailure("a row of the index is not well-formed", true);
  }
  return ObjectId(std::span<const std::byte, ObjectId::kSize>(blob, ObjectId::kSize));
}

}  // namespace dstore::sqlite
