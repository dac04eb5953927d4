#include <algorithm>
#include <iterator>
#include <mutex>

#include "odb/index.h"

namespace dstore {
namespace {

constexpr std::size_t kMostWaiting = 256;  ///< packs

/// Packs of which the index below shall not know yet are kept in memory, so that a commit does not wait for
/// the database's syncs: its pack is there, and the next process reads the pack's trailer.
class LayeredIndex : public ObjectIndex {
 public:
  explicit LayeredIndex(std::unique_ptr<ObjectIndex> below) : below_(std::move(below)), recent_(make_memory_index()) {}

  std::vector<ObjectId> packs() const override { return merged(below_->packs(), recent_->packs()); }

  void add(const std::vector<IndexedPack>& packs) override {
    const std::lock_guard lock(mutex_);
    write(packs);
  }

  void add_later(const std::vector<IndexedPack>& packs) override {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + packs.size() > kMostWaiting) return write(packs);
    recent_->add(packs);
    waiting_.insert(waiting_.end(), packs.begin(), packs.end());
  }

  void flush() override {
    const std::lock_guard lock(mutex_);
    if (!waiting_.empty()) write({});
  }

  void remove(const std::vector<ObjectId>& packs) override {
    const std::lock_guard lock(mutex_);
    std::erase_if(waiting_, [&](const IndexedPack& pack) { return std::find(packs.begin(), packs.end(), pack.name) != packs.end(); });
    recent_->remove(packs);
    below_->remove(packs);
  }

  void put(const ObjectEntry& entry) override {
    const std::lock_guard lock(mutex_);
    (waits(entry.pack) ? recent_ : below_)->put(entry);
  }

  void drop(const ObjectId& id, const ObjectId& pack) override {
    const std::lock_guard lock(mutex_);
    (waits(pack) ? recent_ : below_)->drop(id, pack);
  }

  std::vector<ObjectEntry> copies(const ObjectId& id) const override {
    std::vector<ObjectEntry> found = recent_->copies(id);
    const std::size_t recent = found.size();
    for (ObjectEntry& copy : below_->copies(id)) {
      const auto same = [&](const ObjectEntry& other) { return other.pack == copy.pack; };
      if (std::none_of(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(recent), same)) found.push_back(std::move(copy));
    }
    return found;
  }

  std::vector<ObjectEntry> range(const ObjectId& first, const ObjectId& last, std::size_t limit) const override {
    auto found = over(recent_->range(first, last, limit), below_->range(first, last, limit));
    if (found.size() > limit) found.resize(limit);
    return found;
  }

  std::vector<ObjectEntry> all(std::optional<ObjectKind> kind) const override { return over(recent_->all(kind), below_->all(kind)); }

  std::vector<ObjectId> attached_to(const ObjectId& target) const override {
    return merged(below_->attached_to(target), recent_->attached_to(target));
  }

 private:
  bool waits(const ObjectId& pack) const {
    return std::any_of(waiting_.begin(), waiting_.end(), [&](const IndexedPack& waiting) { return waiting.name == pack; });
  }

  void write(const std::vector<IndexedPack>& packs) {
    std::vector<IndexedPack> all = waiting_;
    all.insert(all.end(), packs.begin(), packs.end());
    below_->add(all);  // before it is gone from here: others are looking for it meanwhile
    std::vector<ObjectId> names;
    for (const IndexedPack& pack : waiting_) names.push_back(pack.name);
    recent_->remove(names);
    waiting_.clear();
  }

  static std::vector<ObjectId> merged(const std::vector<ObjectId>& a, const std::vector<ObjectId>& b) {
    std::vector<ObjectId> out;
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
    return out;
  }

  /// Both sorted by id; of two rows with one id the first list's.
  static std::vector<ObjectEntry> over(const std::vector<ObjectEntry>& a, const std::vector<ObjectEntry>& b) {
    std::vector<ObjectEntry> out;
    const auto before = [](const ObjectEntry& x, const ObjectEntry& y) { return x.id < y.id; };
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out), before);
    return out;
  }

  std::mutex mutex_;  ///< of changes; the two indexes guard themselves
  std::unique_ptr<ObjectIndex> below_;
  std::unique_ptr<ObjectIndex> recent_;
  std::vector<IndexedPack> waiting_;  ///< what is in recent_ and not yet below
};

}  // namespace

std::unique_ptr<ObjectIndex> make_layered_index(std::unique_ptr<ObjectIndex> below) { return std::make_unique<LayeredIndex>(std::move(below)); }

}  // namespace dstore
