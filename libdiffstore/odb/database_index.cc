#include <mutex>

#include "dstore/error.h"
#include "odb/index.h"
#include "odb/sqlite.h"

namespace dstore {
namespace {

using sqlite::Connection;
using sqlite::Statement;
using sqlite::Transaction;

constexpr std::int64_t kApplicationId = 0x64737472;  // "dstr"
constexpr std::int64_t kSchemaVersion = 1;

/// In order of name: what sqlite_schema must hold, text for text. An id is a BLOB of 32 bytes.
constexpr const char* kSchema[] = {
    ("CREATE TABLE objects(id BLOB PRIMARY KEY, kind INTEGER NOT NULL, pack INTEGER NOT NULL, offset INTEGER NOT NULL, "
     "raw INTEGER NOT NULL, stored INTEGER NOT NULL, codec INTEGER NOT NULL, checksum INTEGER NOT NULL) WITHOUT ROWID"),
    "CREATE INDEX objects_by_kind ON objects(kind)",
    "CREATE TABLE packs(number INTEGER PRIMARY KEY, name BLOB NOT NULL)",
    "CREATE UNIQUE INDEX packs_by_name ON packs(name)",
    "CREATE TABLE signatures(target BLOB, id BLOB, PRIMARY KEY(target, id)) WITHOUT ROWID",
};

#define SELECT_OBJECT "SELECT o.id, o.kind, o.codec, o.raw, o.stored, o.checksum, o.offset, p.name FROM objects o JOIN packs p ON p.number = o.pack "

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

bool is_ours(Connection& db) {
  return read_number(db, "PRAGMA application_id") == kApplicationId && read_number(db, "PRAGMA user_version") == kSchemaVersion &&
         read_schema(db) == std::vector<std::string>(std::begin(kSchema), std::end(kSchema));
}

void make_schema(Connection& db) {
  Transaction transaction(db);
  if (!read_schema(db).empty()) return;  // another process was faster; is_ours() judges what it made
  for (const char* sql : kSchema) db.execute(sql);
  db.execute(("PRAGMA application_id=" + std::to_string(kApplicationId)).c_str());
  db.execute(("PRAGMA user_version=" + std::to_string(kSchemaVersion)).c_str());
  transaction.commit();
}

/// A statement that is not reset holds a read lock on the file.
struct ResetOnExit {
  explicit ResetOnExit(Statement& s) : statement(s) {}
  ~ResetOnExit() { statement.reset(); }
  ResetOnExit(const ResetOnExit&) = delete;
  ResetOnExit& operator=(const ResetOnExit&) = delete;
  Statement& statement;
};

class DatabaseIndex : public ObjectIndex {
 public:
  DatabaseIndex(Filesystem& fs, const std::string& dir) : db_(fs, join_path(dir, "index.db")) {
    if (!is_ours(db_)) make_schema(db_);
    if (!is_ours(db_)) throw IndexFailure("its schema is not ours", true);
    select_packs_ = Statement(db_.get(), "SELECT name FROM packs ORDER BY name");
    insert_pack_ = Statement(db_.get(), "INSERT INTO packs(name) VALUES(?1) ON CONFLICT(name) DO NOTHING");
    select_number_ = Statement(db_.get(), "SELECT number FROM packs WHERE name = ?1");
    put_object_ = Statement(db_.get(),
                            "INSERT INTO objects(id, kind, pack, offset, raw, stored, codec, checksum) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
                            "ON CONFLICT(id) DO UPDATE SET kind = ?2, pack = ?3, offset = ?4, raw = ?5, stored = ?6, codec = ?7, checksum = ?8");
    put_signature_ = Statement(db_.get(), "INSERT INTO signatures(target, id) VALUES(?1, ?2) ON CONFLICT DO NOTHING");
    find_ = Statement(db_.get(), SELECT_OBJECT "WHERE o.id = ?1");
    range_ = Statement(db_.get(), SELECT_OBJECT "WHERE o.id BETWEEN ?1 AND ?2 ORDER BY o.id LIMIT ?3");
    all_ = Statement(db_.get(), SELECT_OBJECT "ORDER BY o.id");
    of_kind_ = Statement(db_.get(), SELECT_OBJECT "WHERE o.kind = ?1 ORDER BY o.id");
    signatures_ = Statement(db_.get(), "SELECT id FROM signatures WHERE target = ?1 ORDER BY id");
  }

  std::vector<ObjectId> packs() const override {
    const std::lock_guard lock(mutex_);
    return ids(select_packs_);
  }

  void add(const std::vector<IndexedPack>& packs) override {
    const std::lock_guard lock(mutex_);
    Transaction transaction(db_);
    for (const IndexedPack& pack : packs) {
      insert_pack_.bind(1, pack.name).run();
      const std::int64_t number = pack_number(pack.name);
      for (const PackEntry& entry : pack.entries) put_row(to_object_entry(entry, pack.name), number);
      for (const auto& signature : pack.signatures) put_signature_.bind(1, signature.target).bind(2, signature.id).run();
    }
    transaction.commit();
  }

  void put(const ObjectEntry& entry) override {
    const std::lock_guard lock(mutex_);
    Transaction transaction(db_);
    const std::int64_t number = pack_number(entry.pack);
    if (number == 0) return;  // a pack is known with all its objects or not at all
    put_row(entry, number);
    transaction.commit();
  }

  void clear() override {
    const std::lock_guard lock(mutex_);
    Transaction transaction(db_);
    db_.execute("DELETE FROM objects");
    db_.execute("DELETE FROM signatures");
    db_.execute("DELETE FROM packs");
    transaction.commit();
  }

  std::optional<ObjectEntry> find(const ObjectId& id) const override {
    const std::lock_guard lock(mutex_);
    const auto found = rows(find_.bind(1, id));
    if (found.empty()) return std::nullopt;
    return found.front();
  }

  std::vector<ObjectEntry> range(const ObjectId& first, const ObjectId& last, std::size_t limit) const override {
    const std::lock_guard lock(mutex_);
    return rows(range_.bind(1, first).bind(2, last).bind(3, static_cast<std::int64_t>(limit)));
  }

  std::vector<ObjectEntry> all(std::optional<ObjectKind> kind) const override {
    const std::lock_guard lock(mutex_);
    return kind ? rows(of_kind_.bind(1, static_cast<std::int64_t>(*kind))) : rows(all_);
  }

  std::vector<ObjectId> signatures_of(const ObjectId& target) const override {
    const std::lock_guard lock(mutex_);
    return ids(signatures_.bind(1, target));
  }

 private:
  std::int64_t pack_number(const ObjectId& name) {
    select_number_.bind(1, name);
    const std::int64_t number = select_number_.step() ? select_number_.integer(0) : 0;
    select_number_.reset();
    return number;
  }

  void put_row(const ObjectEntry& entry, std::int64_t pack_number) {
    put_object_.bind(1, entry.id).bind(2, static_cast<std::int64_t>(entry.kind)).bind(3, pack_number);
    put_object_.bind(4, static_cast<std::int64_t>(entry.offset)).bind(5, static_cast<std::int64_t>(entry.raw_size));
    put_object_.bind(6, static_cast<std::int64_t>(entry.stored_size)).bind(7, static_cast<std::int64_t>(entry.codec));
    put_object_.bind(8, static_cast<std::int64_t>(entry.checksum)).run();
  }

  static std::vector<ObjectId> ids(Statement& statement) {
    std::vector<ObjectId> found;
    const ResetOnExit reset(statement);
    while (statement.step()) found.push_back(statement.id(0));
    return found;
  }

  /// Rows with an impossible kind, codec or size mean that the file is damaged.
  static std::vector<ObjectEntry> rows(Statement& statement) {
    std::vector<ObjectEntry> found;
    const ResetOnExit reset(statement);
    while (statement.step()) {
      const std::int64_t kind_code = statement.integer(1);
      const std::int64_t codec_code = statement.integer(2);
      const auto kind = kind_from_code(kind_code > 0 && kind_code < 256 ? static_cast<std::uint8_t>(kind_code) : 0);
      const auto codec = codec_from_code(codec_code >= 0 && codec_code < 256 ? static_cast<std::uint8_t>(codec_code) : 255);
      if (!kind || !codec) throw IndexFailure("a row of the index is not well-formed", true);
      found.push_back({statement.id(0), *kind, *codec, static_cast<std::uint64_t>(statement.integer(3)),
                       static_cast<std::uint64_t>(statement.integer(4)), static_cast<std::uint64_t>(statement.integer(5)),
                       static_cast<std::uint64_t>(statement.integer(6)), statement.id(7)});
    }
    return found;
  }

  mutable std::mutex mutex_;
  Connection db_;
  mutable Statement select_packs_, insert_pack_, select_number_, put_object_, put_signature_;
  mutable Statement find_, range_, all_, of_kind_, signatures_;
};

#undef SELECT_OBJECT

}  // namespace

void remove_database_index(Filesystem& fs, const std::string& dir) {
  for (const char* name : {"index.db-journal", "index.db-wal", "index.db-shm", "index.db"}) {
    const std::string path = join_path(dir, name);
    if (exists(fs, path)) fs.remove(path);
  }
}

std::unique_ptr<ObjectIndex> open_database_index(Filesystem& fs, const std::string& dir) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      return make_layered_index(std::make_unique<DatabaseIndex>(fs, dir));
    } catch (const IndexFailure& failure) {
      if (!failure.damaged()) return nullptr;
    }
    try {
      remove_database_index(fs, dir);
    } catch (const Error&) {
      return nullptr;
    }
  }
  return nullptr;
}

}  // namespace dstore
