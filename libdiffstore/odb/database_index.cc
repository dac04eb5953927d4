#include <memory>
#include <mutex>

#include "odb/cache_database.h"
#include "odb/index.h"

namespace dstore {
namespace {

using sqlite::Connection;
using sqlite::Statement;
using sqlite::Transaction;

/// An id is a BLOB of 32 bytes.
const sqlite::CacheSchema& schema() {
  static const sqlite::CacheSchema kSchema = {0x64737472, 3, {  // "dstr"; sorted by name
      "CREATE TABLE attachments(target BLOB, id BLOB, PRIMARY KEY(target, id)) WITHOUT ROWID",
      ("CREATE TABLE objects(id BLOB, pack INTEGER, kind INTEGER NOT NULL, offset INTEGER NOT NULL, raw INTEGER NOT NULL, "
       "stored INTEGER NOT NULL, codec INTEGER NOT NULL, checksum INTEGER NOT NULL, PRIMARY KEY(id, pack)) WITHOUT ROWID"),
      "CREATE INDEX objects_by_kind ON objects(kind)",
      "CREATE TABLE packs(number INTEGER PRIMARY KEY, name BLOB NOT NULL)",
      "CREATE UNIQUE INDEX packs_by_name ON packs(name)",
  }};
  return kSchema;
}

#define SELECT_OBJECT "SELECT o.id, o.kind, o.codec, o.raw, o.stored, o.checksum, o.offset, p.name FROM objects o JOIN packs p ON p.number = o.pack "
#define NEWEST "o.pack = (SELECT max(pack) FROM objects WHERE id = o.id) "

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
  explicit DatabaseIndex(std::unique_ptr<Connection> db) : connection_(std::move(db)), db_(*connection_) {
    select_packs_ = Statement(db_.get(), "SELECT name FROM packs ORDER BY name");
    insert_pack_ = Statement(db_.get(), "INSERT INTO packs(name) VALUES(?1) ON CONFLICT(name) DO NOTHING");
    select_number_ = Statement(db_.get(), "SELECT number FROM packs WHERE name = ?1");
    remove_pack_ = Statement(db_.get(), "DELETE FROM packs WHERE name = ?1");
    put_object_ = Statement(db_.get(),
                            "INSERT INTO objects(id, kind, pack, offset, raw, stored, codec, checksum) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) "
                            "ON CONFLICT(id, pack) DO UPDATE SET kind = ?2, offset = ?4, raw = ?5, stored = ?6, codec = ?7, checksum = ?8");
    drop_ = Statement(db_.get(), "DELETE FROM objects WHERE id = ?1 AND pack = (SELECT number FROM packs WHERE name = ?2)");
    put_attachment_ = Statement(db_.get(), "INSERT INTO attachments(target, id) VALUES(?1, ?2) ON CONFLICT DO NOTHING");
    copies_ = Statement(db_.get(), SELECT_OBJECT "WHERE o.id = ?1 ORDER BY o.pack DESC");
    range_ = Statement(db_.get(), SELECT_OBJECT "WHERE o.id BETWEEN ?1 AND ?2 AND " NEWEST "ORDER BY o.id LIMIT ?3");
    all_ = Statement(db_.get(), SELECT_OBJECT "WHERE " NEWEST "ORDER BY o.id");
    of_kind_ = Statement(db_.get(), SELECT_OBJECT "WHERE o.kind = ?1 AND " NEWEST "ORDER BY o.id");
    attachments_ = Statement(db_.get(), "SELECT id FROM attachments WHERE target = ?1 ORDER BY id");
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
      for (const auto& attachment : pack.attachments) put_attachment_.bind(1, attachment.target).bind(2, attachment.id).run();
    }
    transaction.commit();
  }

  void remove(const std::vector<ObjectId>& packs) override {
    const std::lock_guard lock(mutex_);
    Transaction transaction(db_);
    for (const ObjectId& pack : packs) remove_pack_.bind(1, pack).run();
    db_.execute("DELETE FROM objects WHERE pack NOT IN (SELECT number FROM packs)");
    db_.execute("DELETE FROM attachments WHERE NOT EXISTS (SELECT 1 FROM objects o WHERE o.id = attachments.id)");
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

  void drop(const ObjectId& id, const ObjectId& pack) override {
    const std::lock_guard lock(mutex_);
    drop_.bind(1, id).bind(2, pack).run();
  }

  std::vector<ObjectEntry> copies(const ObjectId& id) const override {
    const std::lock_guard lock(mutex_);
    return rows(copies_.bind(1, id));
  }

  std::vector<ObjectEntry> range(const ObjectId& first, const ObjectId& last, std::size_t limit) const override {
    const std::lock_guard lock(mutex_);
    return rows(range_.bind(1, first).bind(2, last).bind(3, static_cast<std::int64_t>(limit)));
  }

  std::vector<ObjectEntry> all(std::optional<ObjectKind> kind) const override {
    const std::lock_guard lock(mutex_);
    return kind ? rows(of_kind_.bind(1, static_cast<std::int64_t>(*kind))) : rows(all_);
  }

  std::vector<ObjectId> attached_to(const ObjectId& target) const override {
    const std::lock_guard lock(mutex_);
    return ids(attachments_.bind(1, target));
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
  std::unique_ptr<Connection> connection_;
  Connection& db_;
  mutable Statement select_packs_, insert_pack_, remove_pack_, select_number_, put_object_, drop_, put_attachment_;
  mutable Statement copies_, range_, all_, of_kind_, attachments_;
};

#undef NEWEST
#undef SELECT_OBJECT

}  // namespace

constexpr const char* kFileName = "index.db";

void remove_database_index(Filesystem& fs, const std::string& dir) { sqlite::remove_cache(fs, dir, kFileName); }

std::unique_ptr<ObjectIndex> open_database_index(Filesystem& fs, const std::string& dir) {
  try {
    auto db = sqlite::open_cache(fs, dir, kFileName, schema());
    return db ? make_layered_index(std::make_unique<DatabaseIndex>(std::move(db))) : nullptr;
  } catch (const IndexFailure&) {
    return nullptr;
  }
}

}  // namespace dstore
