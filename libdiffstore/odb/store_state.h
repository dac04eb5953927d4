#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <unordered_set>

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
  /// Reads the trailers of packs that came since; starts over if one has gone.
  void roll_forward();
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
  /// Reads the copy the index names; where that fails, the first good one of any pack.
  template <typename Read>
  auto read_some_copy(ObjectKind kind, const ObjectId& id, std::optional<ObjectEntry> first, const Read& read);
  /// The open file is not used again (it may have been replaced under its name).
  void forget_pack(const ObjectId& name);

  /// True if `id` is stored and its bytes are `bytes`; read once, then remembered.
  bool has_verified(const ObjectId& id, ByteSpan bytes);

 private:
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
  std::unordered_set<ObjectId> verified_;
};

}  // namespace dstore
