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
  make_directories(fs, join_path(dir, "leases"));
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
  const auto look = [&](ObjectIndex& i) { return i.copies(id); };
  std::vector<ObjectEntry> copies = state_->ask(look);
  if (copies.empty() && state_->roll_forward()) copies = state_->ask(look);
  if (copies.empty()) return std::nullopt;
  return copies.front();
}

std::vector<ObjectEntry> ObjectStore::find_prefix(std::string_view hex_prefix, std::size_t limit) const {
  const auto first = padded(hex_prefix, '0');
  const auto last = padded(hex_prefix, 'f');
  if (hex_prefix.size() < 4 || !first || !last) return {};
  state_->roll_forward();
  return state_->ask([&](ObjectIndex& i) { return i.range(*first, *last, limit); });
}

template <typename Read>
auto ObjectStore::State::read_some_copy(ObjectKind kind, const ObjectId& id, const Read& read) {
  using Result = decltype(read(std::declval<File&>(), std::declval<const PackEntry&>()));
  std::optional<Error> problem;
  std::set<ObjectId> bad;  // packs
  const auto try_copy = [&](const ObjectEntry& entry) -> std::optional<Result> {
    if (entry.kind != kind) return std::nullopt;
    try {
      return with_pack(entry.pack, [&](File& file) { return read(file, to_pack_entry(entry)); });
    } catch (const Error& error) {
      forget_pack(entry.pack);  // the file may have been replaced by a good one since it was opened
      if (error.code() == ErrorCode::not_found) return std::nullopt;  // a collection has moved the object elsewhere
      bad.insert(entry.pack);
      if (!problem) problem = error;
      return std::nullopt;
    }
  };
  std::vector<ObjectEntry> copies;
  do {
    copies = ask([&](ObjectIndex& i) { return i.copies(id); });
    for (const ObjectEntry& entry : copies) {
      if (bad.contains(entry.pack)) continue;
      auto result = try_copy(entry);
      if (!result) continue;
      for (const ObjectId& pack : bad) ask([&](ObjectIndex& i) { i.drop(id, pack); });
      return std::move(*result);
    }
  } while (roll_forward());
  // The index knows no copy, or bad ones: the packs themselves decide.
  for (const ObjectEntry& entry : search_packs(id)) {
    auto result = try_copy(entry);
    if (!result) continue;
    ask([&](ObjectIndex& i) { i.put(entry); });
    return std::move(*result);
  }
  if (problem) throw *problem;
  fail_missing(kind, id, copies.empty() ? std::nullopt : std::optional(copies.front()), dir);
}

Bytes ObjectStore::read(ObjectKind kind, const ObjectId& id) const {
  return state_->read_some_copy(kind, id, [](File& file, const PackEntry& entry) { return read_object(file, entry); });
}

void ObjectStore::read_into(ObjectKind kind, const ObjectId& id, MutableByteSpan out) const {
  state_->read_some_copy(kind, id, [&](File& file, const PackEntry& entry) {
    read_object(file, entry, out);
    return true;
  });
}

StoredObject ObjectStore::read_stored(const ObjectId& id) const {
  auto entry = find(id);
  if (!entry) {
    const auto found = state_->search_packs(id);
    if (found.empty()) throw Error(ErrorCode::not_found, printable(state_->dir) + ": no object " + id.hex());
    entry = found.front();
  }
  return state_->read_some_copy(entry->kind, id, [](File& file, const PackEntry& e) {
    return StoredObject{e.kind, e.id, e.codec, e.raw_size, read_record(file, e)};
  });
}

void ObjectStore::for_each(std::optional<ObjectKind> kind, const std::function<void(const ObjectEntry&)>& visit) const {
  state_->roll_forward();
  for (const ObjectEntry& entry : state_->ask([&](ObjectIndex& i) { return i.all(kind); })) visit(entry);
}

std::vector<ObjectId> ObjectStore::signatures_of(const ObjectId& target) const {
  const auto look = [&](ObjectIndex& i) {
    auto ids = i.signatures_of(target);
    for (const ObjectId& id : ids) {
      if (i.copies(id).empty()) throw IndexFailure("a signature of the index is no object", true);
    }
    return ids;
  };
  auto found = state_->ask(look);
  if (!found.empty() || !state_->roll_forward()) return found;
  return state_->ask(look);
}

}  // namespace dstore
