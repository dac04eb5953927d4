#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/filesystem.h"
#include "delta/profile.h"
#include "odb/layout.h"
#include "odb/lease.h"
#include "odb/linked_files.h"
#include "odb/pack.h"

namespace dstore {

class Liveness;
class PackSession;
struct CollectOptions;
struct CollectReport;

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
  bool linked = false;  ///< in no pack but in a file outside (spec/links.md); only id, kind and sizes count then
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
  enum class Place { pack, link, index };
  ObjectId pack;
  std::uint64_t offset = 0;
  std::optional<ObjectKind> kind;  ///< nullopt: the pack itself (header, trailer), the link itself, or rows of the index
  ObjectId id;
  std::string message;
  Place place = Place::pack;
  std::string link{};              ///< its name in links/
};

struct VerifyOptions {
  unsigned threads = 0;
  /// done, total in bytes of packs and linked files; called from several threads, one at a time.
  std::function<void(std::uint64_t, std::uint64_t)> progress{};
  /// True: the pack (as its file is now) was verified before and is not read again.
  std::function<bool(const ObjectId&, const FileInfo&)> known_good{};
  /// The pack was read in full, without a finding. In order of names, one at a time.
  std::function<void(const ObjectId&, const FileInfo&)> found_good{};
};

/// A folder of packs: DIR/packs/<64 hex>.pack, DIR/tmp/ for packs being written, and a cache DIR/index.db.
/// The same class is a repository's own store and a directory remote. Thread-safe; also safe beside other processes
/// that add packs or collect garbage (a miss, or a pack that has gone, lists packs/ again). Packs are written once; only
/// collect() deletes whole ones.
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
  void read_into(ObjectKind kind, const ObjectId& id, MutableByteSpan out, Proof proof = Proof::id) const;
  /// The record as stored, checksum verified; the id is verified by PackSession::add_stored.
  StoredObject read_stored(const ObjectId& id) const;

  /// Brings index.db up to date now. Small changes otherwise wait until many packs have come; until then each process reads
  /// their trailers.
  void write_index();

  /// Every object in a pack (of one kind, if given), sorted by id.
  void for_each(std::optional<ObjectKind> kind, const std::function<void(const ObjectEntry&)>& visit) const;
  /// Ids of the signature objects (32-byte target id, then the sshsig blob) over `target`, sorted.
  std::vector<ObjectId> signatures_of(const ObjectId& target) const { return attached_to(target, ObjectKind::signature); }
  /// Ids of the evaluations that name `commit`, sorted.
  std::vector<ObjectId> evaluations_of(const ObjectId& commit) const { return attached_to(commit, ObjectKind::evaluation); }

  /// Starts writing, under a lease of its own (odb/lease.h). The store must outlive the session. Error{io} where nothing
  /// can be written.
  PackSession begin_write(Profile profile = Profile::compact, std::uint64_t pack_target = layout::kPackTarget);
  /// For whoever moves refs without writing objects, or after the session that wrote them has ended.
  Lease lease() const;

  /// Deletes packs and rewrites what is to stay of them (odb/collect.h).
  CollectReport collect(Liveness& liveness, const CollectOptions& options);

  /// Reads every record of every pack: framing, checksum, id, trailer. `progress(done, total)` is in
  /// bytes of packs, called from several threads, one at a time.
  std::vector<StoreProblem> verify_all(const std::function<void(std::uint64_t, std::uint64_t)>& progress = {},
                                       unsigned threads = 0) const;
  /// The same, with links: each linked chunk is hashed.
  std::vector<StoreProblem> verify(const VerifyOptions& options) const;
  /// The index against the packs' trailers, and the linked files' sizes and times: reads no object (but the chunks of a
  /// linked file whose time is another).
  std::vector<StoreProblem> verify_index() const;
  /// Names of all packs, sorted.
  std::vector<ObjectId> packs() const;
  std::string pack_path(const ObjectId& name) const;
  /// Gives a pack's file a second name in DIR/quarantine/, where nothing reads it; returns that path. Whatever happens to
  /// the first name, these bytes stay.
  std::string set_aside(const ObjectId& name);
  /// Removes a pack that was set aside from packs/; unless it is whole: then it was written again under its name.
  void drop_pack(const ObjectId& name);

  /// Files outside that hold chunks (spec/links.md). A chunk that is in a pack is read from there.
  LinkedFiles& links() { return links_(); }
  const LinkedFiles& links() const { return links_(); }
  const std::string& directory() const;
  /// What is added to the message that a chunk is missing.
  void explain_missing_chunks(std::string text);

 private:
  friend class Collection;
  friend class PackSession;
  struct State;
  LinkedFiles& links_() const;
  Bytes read_linked(const LinkFile::Row& row) const;
  std::vector<ObjectId> attached_to(const ObjectId& target, ObjectKind kind) const;
  explicit ObjectStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// New objects on their way into a store, in packs of about 64 MiB, each durable as soon as it is full, in the order in
/// which they were begun: what was added in time before what names it also gets there before it. So work that was stopped
/// finds its full packs again; until a ref leads to them they are garbage. add() may be called from many threads. Until it
/// is destroyed no collection deletes what it wrote or found in the store: a ref is moved before that. Destroyed without
/// commit(), it leaves nothing but full packs.
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

  /// Whether the object is in the store, or written by this session, so that new objects may name it. Its bytes are not
  /// read. What lies in condemned packs alone counts as absent: it is to be written again.
  bool has(const ObjectId& id) const;

  Profile profile() const;
  /// From now on add() and add_stored() store only these objects; add() still says the ids of others.
  void store_only(std::set<ObjectId> wanted);
  /// From now on copies in these packs do not count as stored.
  void distrust(std::set<ObjectId> packs);
  /// Whether the object was added: after commit() it is in a pack, whole.
  bool had(const ObjectId& id) const;

  /// Publishes what is left, durable on return. Nothing may be added afterwards. Returns the names of all packs written.
  std::vector<ObjectId> commit();

  std::uint64_t objects_added() const;  ///< not counting what was there before
  std::uint64_t bytes_stored() const;   ///< of those, after compression, without framing
  std::uint64_t bytes_found() const;    ///< given to add() and there already, whole; before compression

 private:
  friend class ObjectStore;
  struct State;
  explicit PackSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dstore
