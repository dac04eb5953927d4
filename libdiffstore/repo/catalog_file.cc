#include "repo/catalog_file.h"

#include <algorithm>

#include "base/parallel.h"
#include "dstore/error.h"

namespace dstore {
namespace {

constexpr const char* kFileName = "catalog.db";
constexpr int kBusyMilliseconds = 250;      ///< a cache is not worth waiting for
constexpr int kLongestRow = 1 << 29;        ///< the tensors of a checkpoint are one row
constexpr std::size_t kBlock = 1 << 20;
constexpr std::size_t kRowsByThread = 256;  ///< MACs are checked in runs of this many

const sqlite::CacheSchema& schema() {
  static const sqlite::CacheSchema value{
      0x64737463,  // "dstc"
      1,
      {("CREATE TABLE rows(owner BLOB, kind INTEGER, key BLOB, content BLOB NOT NULL, mac BLOB NOT NULL, "
        "PRIMARY KEY(owner, kind, key)) WITHOUT ROWID")}};
  return value;
}

Bytes copy(ByteSpan bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

CatalogFile::CatalogFile(Filesystem& fs, std::string dir, const ObjectId& repository) : fs_(fs), dir_(std::move(dir)) {
  const auto secret = catalog_secret(fs_, SigningConfig::from_environment());
  if (!secret) return;
  const MacKey user(*secret);
  owner_ = user.mac({as_bytes("dstore catalog owner")});
  key_.emplace(user.mac({as_bytes("dstore catalog 1"), repository.bytes()}).bytes());
  guard([&] {
    db_ = sqlite::open_cache(fs_, dir_, kFileName, schema());
    if (!db_) return;
    sqlite3_busy_timeout(db_->get(), kBusyMilliseconds);
    sqlite3_limit(db_->get(), SQLITE_LIMIT_LENGTH, kLongestRow);
    db_->execute("PRAGMA synchronous=OFF");  // what a power cut leaves is judged by its MACs
    db_->execute("PRAGMA cache_size=-256");  // KiB: rows are read once, in order
  });
}

CatalogFile::~CatalogFile() { flush(); }

bool CatalogFile::usable() const {
  const std::lock_guard lock(mutex_);
  return db_ != nullptr;
}

template <typename Work>
void CatalogFile::guard(const Work& work) {
  try {
    work();
  } catch (const IndexFailure& failure) {
    db_.reset();
    if (!failure.damaged()) return;
    try {
      sqlite::remove_cache(fs_, dir_, kFileName);
    } catch (const Error&) {
      // It cannot be deleted, so the next command meets it again.
    }
  }
}

ObjectId CatalogFile::mac_of(const MacKey& key, Kind kind, const ObjectId& context, ByteSpan row_key, ByteSpan content) const {
  std::array<std::byte, 5> head{static_cast<std::byte>(kind)};
  for (std::size_t i = 0; i < 4; ++i) head[i + 1] = static_cast<std::byte>(row_key.size() >> (8 * i));
  return key.mac({context.bytes(), head, row_key, content});
}

std::optional<Bytes> CatalogFile::find(Kind kind, const ObjectId& context, ByteSpan key) {
  const std::lock_guard lock(mutex_);
  std::optional<Bytes> found;
  if (!db_) return found;
  guard([&] {
    sqlite::Statement select(db_->get(), "SELECT content, mac FROM rows WHERE owner = ?1 AND kind = ?2 AND key = ?3");
    select.bind(1, owner_).bind(2, static_cast<std::int64_t>(kind)).bind(3, key);
    if (select.step() && select.id(1) == mac_of(*key_, kind, context, key, select.blob(0))) found = copy(select.blob(0));
  });
  return found;
}

CatalogFile::Rows CatalogFile::all(Kind kind, const ObjectId& context) {
  const std::lock_guard lock(mutex_);
  Rows found;
  std::vector<Row>& rows = found.rows;
  std::vector<ObjectId> macs;
  if (!db_) return found;
  MutableByteSpan free;  // of the last block
  const auto keep = [&](ByteSpan bytes) -> ByteSpan {
    if (bytes.size() > free.size()) {
      const std::size_t size = std::max(bytes.size(), kBlock);
      found.blocks.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
      free = {found.blocks.back().get(), size};
    }
    const MutableByteSpan place = free.first(bytes.size());
    std::copy(bytes.begin(), bytes.end(), place.begin());
    free = free.subspan(bytes.size());
    return place;
  };
  guard([&] {
    sqlite::Statement select(db_->get(), "SELECT key, content, mac FROM rows WHERE owner = ?1 AND kind = ?2");
    select.bind(1, owner_).bind(2, static_cast<std::int64_t>(kind));
    while (select.step()) {
      rows.push_back({keep(select.blob(0)), keep(select.blob(1))});
      macs.push_back(select.id(2));
    }
  });
  macs.resize(rows.size());
  std::vector<char> good(rows.size());
  parallel_for((rows.size() + kRowsByThread - 1) / kRowsByThread, 0, [&](std::size_t run) {
    const MacKey key = key_->clone();
    for (std::size_t i = run * kRowsByThread; i < std::min(rows.size(), (run + 1) * kRowsByThread); ++i) {
      good[i] = mac_of(key, kind, context, rows[i].key, rows[i].content) == macs[i];
    }
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (good[i] != 0) rows[kept++] = rows[i];
  }
  rows.resize(kept);
  return found;
}

void CatalogFile::put(Kind kind, const ObjectId& context, ByteSpan key, Bytes content) {
  const std::lock_guard lock(mutex_);
  if (!db_ || content.size() >= static_cast<std::size_t>(kLongestRow)) return;
  const ObjectId mac = mac_of(*key_, kind, context, key, content);
  pending_.push_back({kind, copy(key), std::move(content), mac});
}

void CatalogFile::clear(Kind kind) {
  const std::lock_guard lock(mutex_);
  cleared_.push_back(kind);
}

void CatalogFile::flush() {
  const std::lock_guard lock(mutex_);
  if (!db_ || (pending_.empty() && cleared_.empty())) return;
  guard([&] {
    sqlite::Transaction transaction(*db_);
    sqlite::Statement remove(db_->get(), "DELETE FROM rows WHERE owner = ?1 AND kind = ?2");
    for (const Kind kind : cleared_) remove.bind(1, owner_).bind(2, static_cast<std::int64_t>(kind)).run();
    sqlite::Statement insert(db_->get(), "INSERT OR REPLACE INTO rows(owner, kind, key, content, mac) VALUES(?1, ?2, ?3, ?4, ?5)");
    for (const Pending& row : pending_) {
      insert.bind(1, owner_).bind(2, static_cast<std::int64_t>(row.kind)).bind(3, ByteSpan(row.key)).bind(4, ByteSpan(row.content));
      insert.bind(5, row.mac).run();
    }
    transaction.commit();
  });
  pending_.clear();
  cleared_.clear();
}

}  // namespace dstore
