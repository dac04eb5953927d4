#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "delta/profile.h"
#include "odb/pack.h"

namespace dstore {

class PackSession;

/// Where the map id -> record is kept. Both are caches: packs are the only truth.
enum class IndexMode {
  database,  ///< index.db beside packs/ (SQLite); falls back to memory where it cannot be written
  memory,    ///< read from the packs' trailers on opening: directory remotes
};

/// What a store knows of one object without reading it. A hint: only read() proves that it is there and whole.
struct ObjectEntry {
  ObjectId id;
  ObjectKind kind = ObjectKind::chunk;
  Codec codec = Codec::none;
  std::uint64_t raw_size = 0;
  std::uint64_t stored_size = 0;
  std::uint64_t checksum = 0;
  std::uint64_t offset = 0;  ///< of the record in its pack
  ObjectId pack;
};

/// A record as it lies in a pack, to be copied into another store without compressing again.
struct StoredObject {
  ObjectKind kind = ObjectKind::chunk;
  ObjectId id;
  Codec codec = Codec::none;
  std::uint64_t raw_size = 0;
  Bytes bytes;
};

/// One finding of verify_all().
struct StoreProblem {
  ObjectId pack;
  std::uint64_t offset = 0;
  std::optional<ObjectKind> kind;  ///< nullopt: the pack itself (header, trailer)
  ObjectId id;
  std::string message;
};

/// A folder of packs: DIR/packs/<64 hex>.pack, DIR/tmp/ for packs being written, and a cache DIR/index.db.
/// The same class is a repository's own store and a directory remote. Thread-safe; also safe beside other processes
/// that add packs (a miss lists packs/ again). Write-once: nothing here changes or deletes a whole pack.
class ObjectStore {
 public:
  /// Makes DIR/packs and DIR/tmp. Existing ones are left alone.
  static void create(Filesystem& fs, const std::string& dir);
  /// Rolls forward packs that the index has not seen. Error{not_found} if DIR/packs does not exist.
  static ObjectStore open(Filesystem& fs, std::string dir, IndexMode mode);

  ~ObjectStore();
  ObjectStore(ObjectStore&&) noexcept;
  ObjectStore& operator=(ObjectStore&&) noexcept;

  bool contains(const ObjectId& id) const { return find(id).has_value(); }
  std::optional<ObjectEntry> find(const ObjectId& id) const;
  /// All ids that start with these hex digits (at least 4), sorted; at most `limit`.
  std::vector<ObjectEntry> find_prefix(std::string_view hex_prefix, std::size_t limit = 16) const;

  /// The object's bytes, proved by checksum and id. Error{not_found} or {corrupt}, both naming kind, id and place.
  /// A damaged copy is passed over where another pack has a good one.
  Bytes read(ObjectKind kind, const ObjectId& id) const;
  /// As read(), into a buffer of exactly the object's size (else Error{corrupt}: whoever named the id knew its size).
  void read_into(ObjectKind kind, const ObjectId& id, MutableByteSpan out) const;
  /// The record as stored, checksum verified; the id is verified by PackSession::add_stored.
  StoredObject read_stored(const ObjectId& id) const;

  /// Brings index.db up to date now. Small changes otherwise wait until many packs have come; until then each process reads
  /// their trailers.
  void write_index();

  /// Every object (of one kind, if given), sorted by id.
  void for_each(std::optional<ObjectKind> kind, const std::function<void(const ObjectEntry&)>& visit) const;
  /// Ids of the signature objects (32-byte target id, then the sshsig blob) over `target`, sorted.
  std::vector<ObjectId> signatures_of(const ObjectId& target) const;

  /// Starts writing; nothing is visible before PackSession::commit(). The store must outlive the session.
  PackSession begin_write(Profile profile = Profile::compact);

  /// Reads every record of every pack: framing, checksum, id, trailer. `progress(done, total)` is in
  /// bytes of packs, called from several threads, one at a time.
  std::vector<StoreProblem> verify_all(const std::function<void(std::uint64_t, std::uint64_t)>& progress = {},
                                       unsigned threads = 0) const;
  /// Names of all packs, sorted.
  std::vector<ObjectId> packs() const;
  const std::string& directory() const;

 private:
  friend class PackSession;
  struct State;
  explicit ObjectStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// New objects on their way into a store, in packs of about 64 MiB. add() may be called from many threads. Destroyed
/// without commit(), nothing was written (temporary files are removed; leftovers of a killed process are harmless).
class PackSession {
 public:
  ~PackSession();
  PackSession(PackSession&&) noexcept;
  PackSession& operator=(PackSession&&) noexcept;

  /// Hashes, compresses and appends, unless the store has the object or this session had it before. A stored copy is
  /// believed only after it was read and compared once; a damaged one is written again, and the new copy is used.
  /// `layout`: of a chunk of a tensor, which Profile::compact stores by planes (delta/chunk_codec.h).
  ObjectId add(ObjectKind kind, ByteSpan bytes, const std::optional<ChunkLayout>& layout = {});
  /// Copies a record of another store; Error{corrupt} unless it decodes to exactly the bytes of its id.
  void add_stored(const StoredObject& object);

  Profile profile() const;

  /// Publishes the packs, durable on return. Nothing may be added afterwards. Returns the packs' names.
  std::vector<ObjectId> commit();

  std::uint64_t objects_added() const;  ///< not counting what was there before
  std::uint64_t bytes_stored() const;   ///< of those, after compression, without framing

 private:
  friend class ObjectStore;
  struct State;
  explicit PackSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dstore
