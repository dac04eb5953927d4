#include <atomic>
#include <deque>
#include <unordered_set>

#include "base/mutant.h"
#include "dstore/error.h"
#include "odb/layout.h"
#include "odb/lease.h"
#include "odb/store_state.h"

namespace dstore {

struct PackSession::State {
  State(ObjectStore::State& target, Profile chosen, std::uint64_t largest, Lease held)
      : store(target), profile(chosen), pack_target(largest), lease(std::move(held)), excluded(lease.condemned()) {}

  ObjectStore::State& store;
  const Profile profile;
  const std::uint64_t pack_target;  ///< bytes of records
  const Lease lease;
  mutable std::mutex mutex;
  std::unordered_set<ObjectId> seen;  ///< written, being written, or known to be in the store
  std::optional<std::set<ObjectId>> wanted;  ///< all others are not stored
  std::set<ObjectId> excluded;               ///< packs whose copies do not count as stored: condemned, or damaged

  struct Pack {
    PackWriter writer;
    std::vector<IndexedPack::Attachment> attachments;
    std::optional<ObjectId> name;  ///< set when it is finished and synced
  };
  std::deque<std::unique_ptr<Pack>> packs;  ///< not published yet, in the order in which they were begun; the last may be open
  bool open = false;
  std::mutex publishing;
  std::vector<ObjectId> published;
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;
  std::atomic<std::uint64_t> found{0};  ///< bytes of objects that were there
  bool failed = false;
  bool committed = false;

  /// False if somebody has it in hand already.
  bool claim(const ObjectId& id);
  void write(ObjectKind kind, const ObjectId& id, ByteSpan raw, Codec codec, ByteSpan stored);
  /// Runs a step of writing; after a failure the session can only be destroyed.
  template <typename Step>
  void guard(const Step& step);
  /// Syncs a pack that no longer changes.
  void finish(Pack& pack);
  /// Publishes the finished packs that come first.
  void publish();
};

namespace {

/// One more object, which nothing names, so that the pack gets another name.
void add_salt(PackWriter& writer) {
  const std::string text = random_name();
  const ByteSpan salt = as_bytes(text);
  writer.append(ObjectKind::chunk, object_id(ObjectKind::chunk, salt), salt.size(), Codec::none, salt);
}

}  // namespace

bool PackSession::State::claim(const ObjectId& id) {
  const std::lock_guard lock(mutex);
  if (committed) throw Error(ErrorCode::invalid_argument, "objects cannot be added to a committed session");
  return (!wanted || wanted->contains(id)) && seen.insert(id).second;
}

template <typename Step>
void PackSession::State::guard(const Step& step) {
  try {
    step();
  } catch (...) {
    const std::lock_guard lock(mutex);
    failed = true;
    throw;
  }
}

void PackSession::State::finish(Pack& pack) {
  // The very records of a condemned pack would get its name, and be deleted with it.
  if (lease.condemned().contains(pack.writer.name())) add_salt(pack.writer);
  const ObjectId name = pack.writer.finish();
  const std::lock_guard lock(mutex);
  pack.name = name;
}

void PackSession::State::publish() {
  const std::lock_guard one_at_a_time(publishing);
  for (;;) {
    std::unique_ptr<Pack> pack;
    {
      const std::lock_guard lock(mutex);
      if (failed || packs.empty() || !packs.front()->name) return;
      pack = std::move(packs.front());
      packs.pop_front();
    }
    guard([&] {
      pack->writer.publish(store.packs_dir());
      // Before the next one gets its name: a power cut keeps the order too.
      if (!mutant("packs-folder-sync-skipped")) store.fs.sync_directory(store.packs_dir());
    });
    store.forget_pack(*pack->name);
    store.add_packs({{*pack->name, pack->writer.entries(), std::move(pack->attachments)}});
    const std::lock_guard lock(mutex);
    published.push_back(*pack->name);
  }
}

void PackSession::State::write(ObjectKind kind, const ObjectId& id, ByteSpan raw, Codec codec, ByteSpan stored) {
  Pack* full = nullptr;
  {
    const std::lock_guard lock(mutex);
    const std::uint64_t need = layout::kRecordHeaderSize + stored.size();
    if (open && (packs.back()->writer.size() + need > pack_target || packs.back()->writer.entries().size() == layout::kMaxPackEntries)) {
      full = packs.back().get();
      open = false;
    }
    if (!open) {
      packs.push_back(std::unique_ptr<Pack>(new Pack{PackWriter(store.fs, store.temporary_dir(), lease.name()), {}, {}}));
      open = true;
    }
    Pack& current = *packs.back();
    current.writer.append(kind, id, raw.size(), codec, stored);
    for (const ObjectId& target : attachment_targets(kind, raw)) current.attachments.push_back({id, target});
    ++objects;
    bytes += stored.size();
  }
  if (full == nullptr) return;
  finish(*full);  // syncs: other threads go on meanwhile
  publish();
}

PackSession ObjectStore::begin_write(Profile profile, std::uint64_t pack_target) {
  Lease lease = Lease::take(state_->fs, state_->dir);
  state_->roll_forward();  // after that: what is listed now stays, but for what the lease saw condemned
  return PackSession(std::make_unique<PackSession::State>(*state_, profile, pack_target, std::move(lease)));
}

Lease ObjectStore::lease() const { return Lease::take(state_->fs, state_->dir); }

PackSession::PackSession(std::unique_ptr<State> state) : state_(std::move(state)) {}
PackSession::~PackSession() = default;
PackSession::PackSession(PackSession&&) noexcept = default;
PackSession& PackSession::operator=(PackSession&&) noexcept = default;

ObjectId PackSession::add(ObjectKind kind, ByteSpan bytes, const std::optional<ChunkLayout>& layout) {
  const ObjectId id = object_id(kind, bytes);
  if (!state_->claim(id)) return id;
  state_->guard([&] {
    if (state_->store.has_verified(id, bytes, state_->excluded)) {
      state_->found += bytes.size();
      return;
    }
    const EncodedObject encoded = encode_object(kind, bytes, state_->profile == Profile::compact ? layout : std::nullopt);
    state_->write(kind, id, bytes, encoded.codec, encoded.codec == Codec::none ? bytes : ByteSpan(encoded.bytes));
  });
  return id;
}

void PackSession::add_stored(const StoredObject& object) {
  const std::string what = std::string(kind_name(object.kind)) + " " + object.id.hex();
  if (const auto problem = record_problem(object.kind, object.codec, object.raw_size, object.bytes.size())) {
    throw Error(ErrorCode::corrupt, what + ": " + *problem);
  }
  Bytes decoded;
  ByteSpan raw = object.bytes;
  if (object.codec != Codec::none) {
    decoded.resize(object.raw_size);
    decode_object(object.codec, object.bytes, decoded, what);
    raw = decoded;
  }
  if (object_id(object.kind, raw) != object.id) throw Error(ErrorCode::corrupt, what + ": the bytes received do not have this id");
  if (!state_->claim(object.id)) return;
  state_->guard([&] {
    if (state_->store.has_verified(object.id, raw, state_->excluded)) return;
    state_->write(object.kind, object.id, raw, object.codec, object.bytes);
  });
}

bool PackSession::has(const ObjectId& id) const {
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->seen.contains(id)) return true;
  }
  return !state_->store.lasting_copies(id, state_->excluded).empty() || state_->store.links.find(id).has_value();
}

std::vector<ObjectId> PackSession::commit() {
  State& state = *state_;
  State::Pack* last = nullptr;
  {
    const std::lock_guard lock(state.mutex);
    if (state.failed) throw Error(ErrorCode::io, "an object could not be written before, so nothing is committed; try again");
    if (state.committed) throw Error(ErrorCode::invalid_argument, "the session was committed before");
    state.committed = true;
    if (state.open) last = state.packs.back().get();
    state.open = false;
  }
  state.guard([&] {
    if (last != nullptr) state.finish(*last);
    state.publish();
    // Also with no pack of our own: objects found in the store may lie in a pack whose writer did not get that far.
    if (last == nullptr) state.store.fs.sync_directory(state.store.packs_dir());
  });
  return state.published;
}

Profile PackSession::profile() const { return state_->profile; }

void PackSession::store_only(std::set<ObjectId> wanted) {
  const std::lock_guard lock(state_->mutex);
  state_->wanted = std::move(wanted);
}

void PackSession::distrust(std::set<ObjectId> packs) {
  const std::lock_guard lock(state_->mutex);
  state_->excluded.merge(packs);
}

bool PackSession::had(const ObjectId& id) const {
  const std::lock_guard lock(state_->mutex);
  return state_->seen.contains(id);
}

std::uint64_t PackSession::objects_added() const {
  const std::lock_guard lock(state_->mutex);
  return state_->objects;
}

std::uint64_t PackSession::bytes_found() const { return state_->found; }

std::uint64_t PackSession::bytes_stored() const {
  const std::lock_guard lock(state_->mutex);
  return state_->bytes;
}

}  // namespace dstore
