#include "odb/store_state.h"

#include <algorithm>

#include "base/mutant.h"
#include "dstore/error.h"
#include "object/evaluation.h"
#include "odb/layout.h"

namespace dstore {
namespace {

constexpr std::size_t kOpenPacks = 128;     ///< beyond these, a pack is opened for each read
constexpr std::size_t kPacksAtOnce = 64;    ///< indexed in one transaction
constexpr std::size_t kFewPacks = 32;       ///< fewer packs and objects are read anew by each process instead of being indexed
constexpr std::size_t kFewObjects = 20'000;
constexpr std::uint64_t kLargestAttachment = 64 << 10;

}  // namespace

std::vector<ObjectId> attachment_targets(ObjectKind kind, ByteSpan bytes) {
  if (bytes.size() > kLargestAttachment) return {};
  try {
    if (kind == ObjectKind::signature && bytes.size() > ObjectId::kSize) return {Reader(bytes, "signature").id()};
    if (kind == ObjectKind::evaluation) return Evaluation::parse(bytes, "evaluation").commits;
  } catch (const Error&) {
    // One that is malformed counts as none; whoever reads it says so.
  }
  return {};
}

std::vector<ObjectId> attachment_targets(File& file, const PackEntry& entry) {
  const bool may_have = entry.kind == ObjectKind::signature || entry.kind == ObjectKind::evaluation;
  if (!may_have || entry.raw_size > kLargestAttachment) return {};
  try {
    return attachment_targets(entry.kind, read_object(file, entry));
  } catch (const Error& error) {
    // A damaged one counts as none; reading it, or verify_all(), says so.
    if (error.code() != ErrorCode::corrupt) throw;
    return {};
  }
}

ObjectStore::State::State(Filesystem& filesystem, std::string directory, IndexMode mode)
    : fs(filesystem), dir(std::move(directory)), links(fs, dir) {
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

bool ObjectStore::State::roll_forward() {
  const std::lock_guard lock(index_mutex_);
  std::vector<ObjectId> present = list_packs();
  if (std::equal(present.begin(), present.end(), known_.begin(), known_.end())) return false;
  // Another process that shares the index may have been there before. The index first, then the folder: a pack that is
  // indexed was there, so it has gone if it is not.
  const std::vector<ObjectId> indexed = ask([](ObjectIndex& i) { return i.packs(); });
  present = list_packs();
  for (const ObjectId& name : known_) {
    if (!std::binary_search(present.begin(), present.end(), name)) forget_pack(name);
  }
  std::vector<ObjectId> gone;
  known_.clear();
  for (const ObjectId& name : indexed) {
    if (std::binary_search(present.begin(), present.end(), name)) {
      known_.insert(name);
    } else {
      gone.push_back(name);
    }
  }
  if (!gone.empty()) ask([&](ObjectIndex& i) { i.remove(gone); });
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
  return true;
}

bool ObjectStore::State::is_known(const ObjectId& pack) {
  const std::lock_guard lock(index_mutex_);
  return known_.contains(pack);
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
    if (entry.kind != ObjectKind::signature && entry.kind != ObjectKind::evaluation) continue;
    try {
      for (const ObjectId& target : with_pack(name, [&](File& file) { return attachment_targets(file, entry); })) {
        pack.attachments.push_back({entry.id, target});
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found) throw;  // the pack has gone meanwhile
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

std::vector<ObjectEntry> ObjectStore::State::lasting_copies(const ObjectId& id, const std::set<ObjectId>& condemned) {
  auto copies = ask([&](ObjectIndex& i) { return i.copies(id); });
  std::erase_if(copies, [&](const ObjectEntry& copy) { return condemned.contains(copy.pack); });
  const auto unknown = [&](const ObjectEntry& copy) { return !is_known(copy.pack); };
  if (std::any_of(copies.begin(), copies.end(), unknown)) roll_forward();  // another process has added or removed it
  std::erase_if(copies, unknown);
  return copies;
}

bool ObjectStore::State::is_copy(const ObjectEntry& entry, ByteSpan bytes) {
  try {
    const Bytes stored = with_pack(entry.pack, [&](File& file) { return read_record(file, to_pack_entry(entry)); });
    if (entry.codec == Codec::none) return std::equal(stored.begin(), stored.end(), bytes.begin(), bytes.end());
    Bytes raw(entry.raw_size);
    decode_object(entry.codec, stored, raw, "object");
    return std::equal(raw.begin(), raw.end(), bytes.begin(), bytes.end());
  } catch (const Error&) {
    forget_pack(entry.pack);
    return false;  // the caller has the bytes: it writes them again
  }
}

bool ObjectStore::State::has_verified(const ObjectId& id, ByteSpan bytes, const std::set<ObjectId>& condemned) {
  for (const ObjectEntry& entry : lasting_copies(id, condemned)) {
    {
      const std::lock_guard lock(verified_mutex_);
      const auto found = verified_.find(id);
      if (found != verified_.end() && found->second == entry.pack) return true;
    }
    if (!mutant("reuse-unread") && !is_copy(entry, bytes)) continue;
    const std::lock_guard lock(verified_mutex_);
    verified_.insert_or_assign(id, entry.pack);
    return true;
  }
  return false;
}

}  // namespace dstore
