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
      for (const PackEntry& entry : pack.entries) put_row(to_object_entry(entry, pack.name));
      for (const auto& attachment : pack.attachments) attachments_.emplace(attachment.target, attachment.id);
    }
  }

  void remove(const std::vector<ObjectId>& packs) override {
    const std::lock_guard lock(mutex_);
    const std::set<ObjectId> gone(packs.begin(), packs.end());
    for (const ObjectId& pack : packs) packs_.erase(pack);
    for (auto at = objects_.begin(); at != objects_.end();) {
      std::erase_if(at->second, [&](const ObjectEntry& copy) { return gone.contains(copy.pack); });
      at = at->second.empty() ? objects_.erase(at) : std::next(at);
    }
    std::erase_if(attachments_, [&](const auto& attachment) { return !objects_.contains(attachment.second); });
  }

  void put(const ObjectEntry& entry) override {
    const std::lock_guard lock(mutex_);
    put_row(entry);
  }

  void drop(const ObjectId& id, const ObjectId& pack) override {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(id);
    if (found == objects_.end()) return;
    std::erase_if(found->second, [&](const ObjectEntry& copy) { return copy.pack == pack; });
    if (found->second.empty()) objects_.erase(found);
  }

  std::vector<ObjectEntry> copies(const ObjectId& id) const override {
    const std::lock_guard lock(mutex_);
    const auto found = objects_.find(id);
    if (found == objects_.end()) return {};
    return {found->second.rbegin(), found->second.rend()};
  }

  std::vector<ObjectEntry> range(const ObjectId& first, const ObjectId& last, std::size_t limit) const override {
    const std::lock_guard lock(mutex_);
    std::vector<ObjectEntry> found;
    for (auto at = objects_.lower_bound(first); at != objects_.end() && at->first <= last && found.size() < limit; ++at) {
      found.push_back(at->second.back());
    }
    return found;
  }

  std::vector<ObjectEntry> all(std::optional<ObjectKind> kind) const override {
    const std::lock_guard lock(mutex_);
    std::vector<ObjectEntry> found;
    for (const auto& [id, copies] : objects_) {
      if (!kind || copies.back().kind == *kind) found.push_back(copies.back());
    }
    return found;
  }

  std::vector<ObjectId> attached_to(const ObjectId& target) const override {
    const std::lock_guard lock(mutex_);
    std::vector<ObjectId> found;
    for (auto at = attachments_.lower_bound({target, ObjectId()}); at != attachments_.end() && at->first == target; ++at) {
      found.push_back(at->second);
    }
    return found;
  }

 private:
  void put_row(const ObjectEntry& entry) {
    std::vector<ObjectEntry>& copies = objects_[entry.id];
    std::erase_if(copies, [&](const ObjectEntry& copy) { return copy.pack == entry.pack; });
    copies.push_back(entry);
  }

  mutable std::mutex mutex_;
  std::set<ObjectId> packs_;
  std::map<ObjectId, std::vector<ObjectEntry>> objects_;  ///< never empty; the newest last
  std::set<std::pair<ObjectId, ObjectId>> attachments_;  ///< target, what hangs on it
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
