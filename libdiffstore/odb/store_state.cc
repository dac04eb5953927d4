#include "odb/store_state.h"

#include <algorithm>

#include "base/mutant.h"
#include "dstore/error.h"
#include "odb/layout.h"

namespace dstore {
namespace {

constexpr std::size_t kOpenPacks = 128;     ///< beyond these, a pack is opened for each read
constexpr std::size_t kPacksAtOnce = 64;    ///< indexed in one transaction
constexpr std::size_t kFewPacks = 32;       ///< fewer packs and objects are read anew by each process instead of being indexed
constexpr std::size_t kFewObjects = 20'000;
constexpr std::uint64_t kLargestSignature = 64 << 10;

}  // namespace

ObjectStore::State::State(Filesystem& filesystem, std::string directory, IndexMode mode)
    : fs(filesystem), dir(std::move(directory)) {
  const auto info = fs.stat(packs_dir(), false);
  if (!info || info->type != FileInfo::Type::directory) {
    throw Error(ErrorCode::not_found, printable(dir) + ": no store here (it has no folder \"packs\")");
  }
  std::unique_ptr<ObjectIndex> first;
  if (mode == IndexMode::database) first = open_database_index(fs, dir);
  if (!first) first = make_memory_index();
  indexes_.push_back(std::move(first));
  index = indexes_.back().get();
  const auto known = ask([](ObjectIndex& i) { return i.packs(); });
  known_ = {known.begin(), known.end()};
  roll_forward();
}

std::vector<ObjectId> ObjectStore::State::list_packs() const {
  std::vector<ObjectId> names;
  for (const std::string& file : fs.list(packs_dir())) {
    if (const auto name = parse_pack_file_name(file)) names.push_back(*name);
  }
  return names;
}

void ObjectStore::State::roll_forward() {
  const std::lock_guard lock(index_mutex_);
  const std::vector<ObjectId> present = list_packs();
  if (!std::includes(present.begin(), present.end(), known_.begin(), known_.end())) {
    ask([](ObjectIndex& i) { i.clear(); });
    known_.clear();
  }
  std::vector<IndexedPack> batch;
  bool few = true;
  const auto flush = [&] {
    ask([&](ObjectIndex& i) { few ? i.add_later(batch) : i.add(batch); });
    for (const IndexedPack& pack : batch) known_.insert(pack.name);
    batch.clear();
  };
  std::size_t objects = 0;
  for (const ObjectId& name : present) {
    if (known_.contains(name)) continue;
    batch.push_back(load_pack(name));
    objects += batch.back().entries.size();
    few = few && batch.size() < kFewPacks && objects < kFewObjects;
    if (batch.size() == kPacksAtOnce) flush();
  }
  if (!batch.empty()) flush();
}

void ObjectStore::State::add_packs(const std::vector<IndexedPack>& packs) {
  const std::lock_guard lock(index_mutex_);
  ask([&](ObjectIndex& i) { i.add_later(packs); });
  for (const IndexedPack& pack : packs) known_.insert(pack.name);
}

void ObjectStore::State::replace_index(ObjectIndex& failed, bool damaged) {
  const std::lock_guard lock(index_mutex_);
  if (index.load() != &failed) return;  // another thread has done it
  if (damaged) {
    try {
      remove_database_index(fs, dir);
    } catch (const Error&) {
      // A cache that cannot be deleted is not used either; the next process meets it again.
    }
  }
  auto fresh = make_memory_index();
  std::vector<IndexedPack> packs;
  for (const ObjectId& name : list_packs()) packs.push_back(load_pack(name));
  fresh->add(packs);
  known_.clear();
  for (const IndexedPack& pack : packs) known_.insert(pack.name);
  indexes_.push_back(std::move(fresh));
  index = indexes_.back().get();
}

std::vector<PackEntry> ObjectStore::State::load_entries(const ObjectId& name) {
  std::unique_ptr<File> file;
  try {
    file = fs.open(pack_path(name), OpenMode::read_store);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::not_found) return {};
    throw;
  }
  try {
    return read_trailer(*file, name);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt) throw;
  }
  return scan_records(*file);
}

IndexedPack ObjectStore::State::load_pack(const ObjectId& name) {
  IndexedPack pack{name, load_entries(name), {}};
  for (const PackEntry& entry : pack.entries) {
    if (entry.kind != ObjectKind::signature || entry.raw_size <= ObjectId::kSize || entry.raw_size > kLargestSignature) continue;
    try {
      const Bytes bytes = with_pack(name, [&](File& file) { return read_object(file, entry); });
      pack.signatures.push_back({entry.id, Reader(bytes, "signature").id()});
    } catch (const Error& error) {
      // A damaged signature counts as none; reading it, or verify_all(), says so.
      if (error.code() != ErrorCode::corrupt && error.code() != ErrorCode::not_found) throw;
    }
  }
  return pack;
}

std::vector<ObjectEntry> ObjectStore::State::search_packs(const ObjectId& id) {
  std::vector<ObjectEntry> found;
  for (const ObjectId& name : list_packs()) {
    for (const PackEntry& entry : load_entries(name)) {
      if (entry.id == id) found.push_back(to_object_entry(entry, name));
    }
  }
  return found;
}

File& ObjectStore::State::open_pack(const ObjectId& name, std::unique_ptr<File>& once) {
  {
    const std::lock_guard lock(files_mutex_);
    if (const auto found = files_.find(name); found != files_.end()) return *found->second;
  }
  once = fs.open(pack_path(name), OpenMode::read_store);
  const std::lock_guard lock(files_mutex_);
  if (files_.size() >= kOpenPacks) return *once;
  const auto [place, fresh] = files_.try_emplace(name, nullptr);
  if (fresh) place->second = std::move(once);
  return *place->second;
}

void ObjectStore::State::forget_pack(const ObjectId& name) {
  const std::lock_guard lock(files_mutex_);
  const auto found = files_.find(name);
  if (found == files_.end()) return;
  retired_.push_back(std::move(found->second));
  files_.erase(found);
}

bool ObjectStore::State::has_verified(const ObjectId& id, ByteSpan bytes) {
  const auto entry = ask([&](ObjectIndex& i) { return i.find(id); });
  if (!entry) return false;
  {
    const std::lock_guard lock(verified_mutex_);
    if (verified_.contains(id)) return true;
  }
  if (mutant("reuse-unread")) return true;
  try {
    const Bytes stored = with_pack(entry->pack, [&](File& file) { return read_record(file, to_pack_entry(*entry)); });
    if (entry->codec == Codec::none) {
      if (!std::equal(stored.begin(), stored.end(), bytes.begin(), bytes.end())) return false;
    } else {
      Bytes raw(entry->raw_size);
      decode_object(entry->codec, stored, raw, "object");
      if (!std::equal(raw.begin(), raw.end(), bytes.begin(), bytes.end())) return false;
    }
  } catch (const Error&) {
    forget_pack(entry->pack);
    return false;  // the caller has the bytes: it writes them again
  }
  const std::lock_guard lock(verified_mutex_);
  verified_.insert(id);
  return true;
}

}  // namespace dstore
