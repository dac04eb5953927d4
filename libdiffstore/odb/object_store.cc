#include "odb/object_store.h"

#include <algorithm>

#include "dstore/error.h"
#include "odb/store_state.h"

namespace dstore {
namespace {

[[noreturn]] void fail_missing(ObjectKind kind, const ObjectId& id, const std::optional<ObjectEntry>& other, const std::string& dir) {
  std::string message = printable(dir) + ": no " + std::string(kind_name(kind)) + " " + id.hex();
  if (other) message += " (that id is a " + std::string(kind_name(other->kind)) + ")";
  throw Error(ErrorCode::not_found, message);
}

/// The smallest (pad '0') or largest (pad 'f') id that starts with these digits; nullopt if they are not hex.
std::optional<ObjectId> padded(std::string_view prefix, char pad) {
  std::string hex(prefix);
  if (hex.size() > 2 * ObjectId::kSize) return std::nullopt;
  hex.resize(2 * ObjectId::kSize, pad);
  return ObjectId::from_hex(hex);
}

}  // namespace

void ObjectStore::create(Filesystem& fs, const std::string& dir) {
  make_directories(fs, join_path(dir, "packs"));
  make_directories(fs, join_path(dir, "tmp"));
}

ObjectStore ObjectStore::open(Filesystem& fs, std::string dir, IndexMode mode) {
  return ObjectStore(std::make_unique<State>(fs, std::move(dir), mode));
}

ObjectStore::ObjectStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
ObjectStore::~ObjectStore() = default;
ObjectStore::ObjectStore(ObjectStore&&) noexcept = default;
ObjectStore& ObjectStore::operator=(ObjectStore&&) noexcept = default;

const std::string& ObjectStore::directory() const { return state_->dir; }
std::vector<ObjectId> ObjectStore::packs() const { return state_->list_packs(); }

std::optional<ObjectEntry> ObjectStore::find(const ObjectId& id) const {
  const auto look = [&](ObjectIndex& i) { return i.find(id); };
  if (auto entry = state_->ask(look)) return entry;
  state_->roll_forward();
  return state_->ask(look);
}

std::vector<ObjectEntry> ObjectStore::find_prefix(std::string_view hex_prefix, std::size_t limit) const {
  const auto first = padded(hex_prefix, '0');
  const auto last = padded(hex_prefix, 'f');
  if (hex_prefix.size() < 4 || !first || !last) return {};
  state_->roll_forward();
  return state_->ask([&](ObjectIndex& i) { return i.range(*first, *last, limit); });
}

template <typename Read>
auto ObjectStore::State::read_some_copy(ObjectKind kind, const ObjectId& id, std::optional<ObjectEntry> first, const Read& read) {
  const auto try_copy = [&](const ObjectEntry& entry) {
    return with_pack(entry.pack, [&](File& file) { return read(file, to_pack_entry(entry)); });
  };
  std::optional<Error> problem;
  if (first && first->kind == kind) {
    try {
      return try_copy(*first);
    } catch (const Error& error) {
      problem = error;
      forget_pack(first->pack);  // the file may have been replaced by a good one since it was opened
    }
  }
  // The index knows no copy, or a bad one: the packs themselves decide.
  for (const ObjectEntry& entry : search_packs(id)) {
    if (entry.kind != kind) continue;
    try {
      auto result = try_copy(entry);
      ask([&](ObjectIndex& i) { i.put(entry); });
      return result;
    } catch (const Error& error) {
      if (!problem) problem = error;
    }
  }
  if (problem) throw *problem;
  fail_missing(kind, id, first, dir);
}

Bytes ObjectStore::read(ObjectKind kind, const ObjectId& id) const {
  return state_->read_some_copy(kind, id, find(id), [](File& file, const PackEntry& entry) { return read_object(file, entry); });
}

void ObjectStore::read_into(ObjectKind kind, const ObjectId& id, MutableByteSpan out) const {
  state_->read_some_copy(kind, id, find(id), [&](File& file, const PackEntry& entry) {
    read_object(file, entry, out);
    return true;
  });
}

StoredObject ObjectStore::read_stored(const ObjectId& id) const {
  const auto entry = find(id);
  if (!entry) throw Error(ErrorCode::not_found, printable(state_->dir) + ": no object " + id.hex());
  return state_->read_some_copy(entry->kind, id, entry, [](File& file, const PackEntry& e) {
    return StoredObject{e.kind, e.id, e.codec, e.raw_size, read_record(file, e)};
  });
}

void ObjectStore::write_index() {
  state_->roll_forward();
  state_->ask([](ObjectIndex& i) { i.flush(); });
}

void ObjectStore::for_each(std::optional<ObjectKind> kind, const std::function<void(const ObjectEntry&)>& visit) const {
  state_->roll_forward();
  for (const ObjectEntry& entry : state_->ask([&](ObjectIndex& i) { return i.all(kind); })) visit(entry);
}

std::vector<ObjectId> ObjectStore::signatures_of(const ObjectId& target) const {
  const auto look = [&](ObjectIndex& i) {
    auto ids = i.signatures_of(target);
    for (const ObjectId& id : ids) {
      if (!i.find(id)) throw IndexFailure("a signature of the index is no object", true);
    }
    return ids;
  };
  auto found = state_->ask(look);
  if (!found.empty()) return found;
  state_->roll_forward();
  return state_->ask(look);
}

}  // namespace dstore
