#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "odb/index.h"

namespace dstore {
namespace {

class MemoryIndex : public ObjectIndex {
 public:
  std::vector<ObjectId> packs() const override {
    const std::lock_guard lock(mutex_);
    return {packs_.begin(), packs_.end()};
  }

  void add(const std::vector<IndexedPack>& packs) override {
    const std::lock_guard lock(mutex_);
    for (const IndexedPack& pack : packs) {
      packs_.insert(pack.name);
      for (const PackEntry& entry : pack.entries) objects_[entry.id] = to_object_entry(entry, pack.name);
      for (const auto& signature : pack.signatures) signatures_.emplace(signature.target, signature.id);
    }
  }

  void put(const ObjectEntry& entry) override {
    const std::lock_guard lock(mutex_);
    objects_[entry.id] = entry;
  }

  void clear() override {
    const std::lock_guard lock(mutex_);
    packs_.clear();
    objects_.clear();
    signatures_.clear();
  }

  std::optional<ObjectEntry> find(const ObjectId& id) const override {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(id);
    if (found == objects_.end()) return std::nullopt;
    return found->second;
  }

  std::vector<ObjectEntry> range(const ObjectId& first, const ObjectId& last, std::size_t limit) const override {
    const std::lock_guard lock(mutex_);
    std::vector<ObjectEntry> found;
    for (auto at = objects_.lower_bound(first); at != objects_.end() && at->first <= last && found.size() < limit; ++at) {
      found.push_back(at->second);
    }
    return found;
  }

  std::vector<ObjectEntry> all(std::optional<ObjectKind> kind) const override {
    const std::lock_guard lock(mutex_);
    std::vector<ObjectEntry> found;
    for (const auto& [id, entry] : objects_) {
      if (!kind || entry.kind == *kind) found.push_back(entry);
    }
    return found;
  }

  std::vector<ObjectId> signatures_of(const ObjectId& target) const override {
    const std::lock_guard lock(mutex_);
    std::vector<ObjectId> found;
    for (auto at = signatures_.lower_bound({target, ObjectId()}); at != signatures_.end() && at->first == target; ++at) {
      found.push_back(at->second);
    }
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::set<ObjectId> packs_;
  std::map<ObjectId, ObjectEntry> objects_;
  std::set<std::pair<ObjectId, ObjectId>> signatures_;  ///< target, signature
};

}  // namespace

std::unique_ptr<ObjectIndex> make_memory_index() { return std::make_unique<MemoryIndex>(); }

ObjectEntry to_object_entry(const PackEntry& entry, const ObjectId& pack) {
  return {entry.id, entry.kind, entry.codec, entry.raw_size, entry.stored_size, entry.checksum, entry.offset, pack};
}

PackEntry to_pack_entry(const ObjectEntry& entry) {
  return {entry.id, entry.kind, entry.codec, entry.raw_size, entry.stored_size, entry.checksum, entry.offset};
}

}  // namespace dstore
