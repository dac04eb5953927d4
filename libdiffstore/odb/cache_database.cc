#include "odb/cache_database.h"

#include "dstore/error.h"

namespace dstore::sqlite {
namespace {

std::int64_t read_number(Connection& db, std::string_view sql) {
  Statement statement(db.get(), sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::vector<std::string> read_schema(Connection& db) {
  std::vector<std::string> found;
  Statement statement(db.get(), "SELECT sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name");
  while (statement.step()) found.push_back(statement.text(0));
  return found;
}

bool has_schema(Connection& db, const CacheSchema& schema) {
  return read_number(db, "PRAGMA application_id") == schema.application_id && read_number(db, "PRAGMA user_version") == schema.version &&
         read_schema(db) == std::vector<std::string>(schema.tables.begin(), schema.tables.end());
}

void make_schema(Connection& db, const CacheSchema& schema) {
  Transaction transaction(db);
  if (!read_schema(db).empty()) return;  // another process was faster; has_schema() judges what it made
  for (const char* sql : schema.tables) db.execute(sql);
  db.execute(("PRAGMA application_id=" + std::to_string(schema.application_id)).c_str());
  db.execute(("PRAGMA user_version=" + std::to_string(schema.version)).c_str());
  transaction.commit();
}

}  // namespace

void remove_cache(Filesystem& fs, const std::string& dir, const std::string& name) {
  for (const std::string& file : {name + "-journal", name + "-wal", name + "-shm", name}) {
    const std::string path = join_path(dir, file);
    if (exists(fs, path)) fs.remove(path);
  }
}

std::unique_ptr<Connection> open_cache(Filesystem& fs, const std::string& dir, const std::string& name, const CacheSchema& schema) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      auto db = std::make_unique<Connection>(fs, join_path(dir, name));
      if (!has_schema(*db, schema)) make_schema(*db, schema);
      if (has_schema(*db, schema)) return db;
    } catch (const IndexFailure& failure) {
      if (!failure.damaged()) return nullptr;
    }
    try {
      remove_cache(fs, dir, name);
    } catch (const Error&) {
      return nullptr;
    }
  }
  return nullptr;
}

}  // namespace dstore::sqlite
