#include "base/mutant.h"
#include "dstore/error.h"
#include "odb/layout.h"
#include "odb/store_state.h"

namespace dstore {

struct PackSession::State {
  State(ObjectStore::State& target, Profile chosen) : store(target), profile(chosen) {}

  ObjectStore::State& store;
  const Profile profile;
  mutable std::mutex mutex;
  std::unordered_set<ObjectId> seen;  ///< written, being written, or known to be in the store
  std::unique_ptr<PackWriter> current;
  struct Finished {
    std::unique_ptr<PackWriter> writer;
    ObjectId name;
  };
  std::vector<Finished> finished;
  std::vector<IndexedPack::Signature> signatures;
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;
  bool failed = false;
  bool committed = false;

  /// False if somebody has it in hand already.
  bool claim(const ObjectId& id);
  void write(ObjectKind kind, const ObjectId& id, ByteSpan raw, Codec codec, ByteSpan stored);
  /// Runs a step of writing; after a failure the session can only be destroyed.
  template <typename Step>
  void guard(const Step& step);

 private:
  void finish(std::unique_ptr<PackWriter> writer);
  friend class PackSession;
};

bool PackSession::State::claim(const ObjectId& id) {
  const std::lock_guard lock(mutex);
  if (committed) throw Error(ErrorCode::invalid_argument, "objects cannot be added to a committed session");
  return seen.insert(id).second;
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

void PackSession::State::finish(std::unique_ptr<PackWriter> writer) {
  const ObjectId name = writer->finish();
  const std::lock_guard lock(mutex);
  finished.push_back({std::move(writer), name});
}

void PackSession::State::write(ObjectKind kind, const ObjectId& id, ByteSpan raw, Codec codec, ByteSpan stored) {
  std::unique_ptr<PackWriter> full;
  {
    const std::lock_guard lock(mutex);
    const std::uint64_t need = layout::kRecordHeaderSize + stored.size();
    if (current && (current->size() + need > layout::kPackTarget || current->entries().size() == layout::kMaxPackEntries)) {
      full = std::move(current);
    }
    if (!current) current = std::make_unique<PackWriter>(store.fs, store.temporary_dir());
    current->append(kind, id, raw.size(), codec, stored);
    if (kind == ObjectKind::signature && raw.size() > ObjectId::kSize) {
      signatures.push_back({id, ObjectId(raw.first<ObjectId::kSize>())});
    }
    ++objects;
    bytes += stored.size();
  }
  if (full) finish(std::move(full));  // syncs: other threads go on meanwhile
}

PackSession ObjectStore::begin_write(Profile profile) {
  state_->roll_forward();
  return PackSession(std::make_unique<PackSession::State>(*state_, profile));
}

PackSession::PackSession(std::unique_ptr<State> state) : state_(std::move(state)) {}
PackSession::~PackSession() = default;
PackSession::PackSession(PackSession&&) noexcept = default;
PackSession& PackSession::operator=(PackSession&&) noexcept = default;

ObjectId PackSession::add(ObjectKind kind, ByteSpan bytes, const std::optional<ChunkLayout>& layout) {
  const ObjectId id = object_id(kind, bytes);
  if (!state_->claim(id)) return id;
  state_->guard([&] {
    if (state_->store.has_verified(id, bytes)) return;
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
    if (state_->store.has_verified(object.id, raw)) return;
    state_->write(object.kind, object.id, raw, object.codec, object.bytes);
  });
}

std::vector<ObjectId> PackSession::commit() {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  if (state.failed) throw Error(ErrorCode::io, "an object could not be written before, so nothing is committed; try again");
  if (state.committed) throw Error(ErrorCode::invalid_argument, "the session was committed before");
  state.failed = true;  // until everything below has worked
  if (state.current) {
    const ObjectId name = state.current->finish();
    state.finished.push_back({std::move(state.current), name});
  }
  std::vector<IndexedPack> indexed;
  std::vector<ObjectId> names;
  for (State::Finished& pack : state.finished) {
    pack.writer->publish(state.store.packs_dir());
    state.store.forget_pack(pack.name);
    indexed.push_back({pack.name, pack.writer->entries(), {}});
    names.push_back(pack.name);
  }
  // Also with no pack of our own: objects found in the store may lie in a pack whose writer did not get that far.
  if (!mutant("packs-folder-sync-skipped")) state.store.fs.sync_directory(state.store.packs_dir());
  if (!indexed.empty()) {
    indexed.front().signatures = std::move(state.signatures);
    state.store.add_packs(indexed);
  }
  state.failed = false;
  state.committed = true;
  return names;
}

Profile PackSession::profile() const { return state_->profile; }

std::uint64_t PackSession::objects_added() const {
  const std::lock_guard lock(state_->mutex);
  return state_->objects;
}

std::uint64_t PackSession::bytes_stored() const {
  const std::lock_guard lock(state_->mutex);
  return state_->bytes;
}

}  // namespace dstore
