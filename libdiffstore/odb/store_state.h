#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "odb/index.h"
#include "odb/object_store.h"

namespace dstore {

/// The inside of an ObjectStore: the index kept up to date with the folder, and open packs. Thread-safe.
struct ObjectStore::State {
  State(Filesystem& filesystem, std::string directory, IndexMode mode);

  Filesystem& fs;
  const std::string dir;

  std::string packs_dir() const { return join_path(dir, "packs"); }
  std::string temporary_dir() const { return join_path(dir, "tmp"); }
  std::string pack_path(const ObjectId& name) const { return join_path(packs_dir(), pack_file_name(name)); }

  /// Packs in the folder now, sorted.
  std::vector<ObjectId> list_packs() const;
  /// Reads the trailers of packs that came since, and drops those that have gone. False if there was nothing to do.
  bool roll_forward();
  /// Whether the pack was there when the folder was last looked at (a row of a shared index may be older).
  bool is_known(const ObjectId& pack);
  /// A session's packs: indexed without reading them back. index.db is not touched: a commit does not wait for it.
  void add_packs(const std::vector<IndexedPack>& packs);

  /// Calls query(index), on a fresh memory index if the database fails meanwhile.
  template <typename Query>
  auto ask(const Query& query) {
    ObjectIndex& present = *index.load();
    try {
      return query(present);
    } catch (const IndexFailure& failure) {
      replace_index(present, failure.damaged());
    }
    return query(*index.load());
  }

  /// Calls read(file) on the pack; throws what it throws, or Error if the pack cannot be opened.
  template <typename Read>
  auto with_pack(const ObjectId& name, const Read& read) {
    std::unique_ptr<File> once;
    return read(open_pack(name, once));
  }

  /// The trailer's entries; where it is damaged, what a scan finds. Nothing if the pack has gone.
  std::vector<PackEntry> load_entries(const ObjectId& name);
  /// Records of `id` in every pack, from the packs themselves.
  std::vector<ObjectEntry> search_packs(const ObjectId& id);
  /// Calls read(file, entry) on the first good copy: of those that the index names, else read_linked(row) on a linked one, else
  /// on one of any pack. Packs that go meanwhile are no error.
  template <typename Read, typename ReadLinked>
  auto read_some_copy(ObjectKind kind, const ObjectId& id, const Read& read, const ReadLinked& read_linked);
  /// Error{not_found}; `other`: what the id is instead.
  [[noreturn]] void fail_missing(ObjectKind kind, const ObjectId& id, const std::optional<ObjectEntry>& other) const;
  /// The open file is not used again (it may have been replaced under its name).
  void forget_pack(const ObjectId& name);

  /// A copy that a new object may rely on: its pack is there and not among `excluded`.
  std::vector<ObjectEntry> lasting_copies(const ObjectId& id, const std::set<ObjectId>& excluded);
  /// True if `id` is stored outside of the packs `excluded` and its bytes are `bytes`; read once, then remembered.
  bool has_verified(const ObjectId& id, ByteSpan bytes, const std::set<ObjectId>& excluded);

  LinkedFiles links;
  std::string missing_chunk_hint;  ///< set before reading begins

 private:
  bool is_copy(const ObjectEntry& entry, ByteSpan bytes);
  File& open_pack(const ObjectId& name, std::unique_ptr<File>& once);
  void replace_index(ObjectIndex& failed, bool damaged);
  IndexedPack load_pack(const ObjectId& name);

  std::atomic<ObjectIndex*> index{nullptr};
  std::recursive_mutex index_mutex_;  ///< rolling forward and replacing the index
  std::vector<std::unique_ptr<ObjectIndex>> indexes_;
  std::set<ObjectId> known_;

  std::mutex files_mutex_;
  std::map<ObjectId, std::unique_ptr<File>> files_;
  std::vector<std::unique_ptr<File>> retired_;  ///< may still be in use by another thread

  std::mutex verified_mutex_;
  std::unordered_map<ObjectId, ObjectId> verified_;  ///< id -> pack of the copy that was read
};

}  // namespace dstore
