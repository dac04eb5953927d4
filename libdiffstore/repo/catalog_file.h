#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "odb/cache_database.h"
#include "sign/mac.h"

namespace dstore {

/// catalog.db beside index.db: rows that a user's commands left for later ones (spec/catalog.md). A row is opaque bytes
/// under a key, and is believed only if its MAC under this user's secret fits. A cache: nothing here throws for what is in
/// the file, or because it cannot be read or written. Thread-safe.
class CatalogFile {
 public:
  enum class Kind : std::uint8_t { packs = 0, commit = 1, tensors = 2, last_entry = 3, commit_bundle = 4, head_bundle = 5, evaluations = 6 };
  struct Row {
    ByteSpan key;
    ByteSpan content;
  };
  /// All rows of a kind, whose bytes lie in blocks.
  struct Rows {
    std::vector<Row> rows;
    std::vector<std::unique_ptr<std::byte[]>> blocks;
  };
  /// `repository` and the user's secret go into every MAC.
  CatalogFile(Filesystem& fs, std::string dir, const ObjectId& repository);
  /// flush().
  ~CatalogFile();
  CatalogFile(const CatalogFile&) = delete;
  CatalogFile& operator=(const CatalogFile&) = delete;

  /// False: nothing is found and nothing kept.
  bool usable() const;
  /// `context` is what else the rows depend on (none: nothing): rows of another one are not found.
  std::optional<Bytes> find(Kind kind, const ObjectId& context, ByteSpan key);
  Rows all(Kind kind, const ObjectId& context);
  /// Kept in memory until flush().
  void put(Kind kind, const ObjectId& context, ByteSpan key, Bytes content);
  /// At the next flush() all rows of this kind go, whatever their context, before what was put comes.
  void clear(Kind kind);
  /// Writes what was put, in one transaction.
  void flush();

 private:
  struct Pending {
    Kind kind;
    Bytes key;
    Bytes content;
    ObjectId mac;
  };
  ObjectId mac_of(const MacKey& key, Kind kind, const ObjectId& context, ByteSpan row_key, ByteSpan content) const;
  template <typename Work>
  void guard(const Work& work);

  Filesystem& fs_;
  const std::string dir_;
  mutable std::mutex mutex_;
  std::optional<MacKey> key_;
  ObjectId owner_;  ///< whose rows these are: users of one folder do not undo each other's
  std::unique_ptr<sqlite::Connection> db_;
  std::vector<Pending> pending_;
  std::vector<Kind> cleared_;
};

}  // namespace dstore
