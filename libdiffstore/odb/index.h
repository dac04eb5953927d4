#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "odb/object_store.h"

namespace dstore {

/// A pack on its way into an index, with what hangs on other objects in it: signatures and evaluations.
struct IndexedPack {
  struct Attachment {
    ObjectId id;
    ObjectId target;
  };
  ObjectId name;
  std::vector<PackEntry> entries;
  std::vector<Attachment> attachments;
};

/// What an object with these bytes hangs on: what a signature is over, the commits of an evaluation. Empty where it is malformed, or of another kind.
std::vector<ObjectId> attachment_targets(ObjectKind kind, ByteSpan bytes);
/// The same of a record, read where it may have any; empty where it is damaged.
std::vector<ObjectId> attachment_targets(File& file, const PackEntry& entry);

ObjectEntry to_object_entry(const PackEntry& entry, const ObjectId& pack);
PackEntry to_pack_entry(const ObjectEntry& entry);

/// An index that cannot be used any more (SQLite reports damage, a full disk, a lock held too long). Never leaves this
/// layer: the store goes on with a memory index.
class IndexFailure : public std::runtime_error {
 public:
  IndexFailure(const std::string& message, bool damaged) : std::runtime_error(message), damaged_(damaged) {}
  bool damaged() const { return damaged_; }  ///< the file itself is not what we wrote

 private:
  bool damaged_;
};

/// The map object -> record. A cache: every row is a hint that reading checks. Thread-safe.
class ObjectIndex {
 public:
  virtual ~ObjectIndex() = default;
  /// Names of the packs it knows, sorted.
  virtual std::vector<ObjectId> packs() const = 0;
  /// Adds packs. An object has one row a pack.
  virtual void add(const std::vector<IndexedPack>& packs) = 0;
  /// As add(), but may keep them in memory, for this process only, until flush() or a later add().
  virtual void add_later(const std::vector<IndexedPack>& packs) { add(packs); }
  virtual void flush() {}
  /// Removes packs with their rows; unknown ones are passed over.
  virtual void remove(const std::vector<ObjectId>& packs) = 0;
  /// Adds or corrects one row of a pack that the index knows.
  virtual void put(const ObjectEntry& entry) = 0;
  /// Removes one row: the copy is damaged.
  virtual void drop(const ObjectId& id, const ObjectId& pack) = 0;
  /// Every copy, that of the pack added last first.
  virtual std::vector<ObjectEntry> copies(const ObjectId& id) const = 0;
  // The others give one row an object, of the pack added last.
  /// Objects whose id is in [first, last], at most `limit`, sorted.
  virtual std::vector<ObjectEntry> range(const ObjectId& first, const ObjectId& last, std::size_t limit) const = 0;
  /// All objects of a kind (nullopt: of every kind), sorted by id.
  virtual std::vector<ObjectEntry> all(std::optional<ObjectKind> kind) const = 0;
  /// Signatures and evaluations, sorted.
  virtual std::vector<ObjectId> attached_to(const ObjectId& target) const = 0;
};

std::unique_ptr<ObjectIndex> make_memory_index();
/// `below` with packs in memory before it: what add_later() is for.
std::unique_ptr<ObjectIndex> make_layered_index(std::unique_ptr<ObjectIndex> below);

/// Opens or makes DIR/index.db. Anything that is not exactly our schema, or that SQLite calls corrupt, is deleted and
/// made anew. nullptr if it can be neither read nor made (read-only media).
std::unique_ptr<ObjectIndex> open_database_index(Filesystem& fs, const std::string& dir);
/// Deletes DIR/index.db with its journal.
void remove_database_index(Filesystem& fs, const std::string& dir);

}  // namespace dstore
