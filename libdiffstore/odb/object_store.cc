#include "odb/object_store.h"

#include <algorithm>
#include <utility>

#include "dstore/error.h"
#include "odb/store_state.h"

namespace dstore {
namespace {

ObjectEntry linked_entry(const LinkFile::Row& row) {
  return {row.id, ObjectKind::chunk, Codec::none, row.size, row.size, 0, row.offset, ObjectId(), true};
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
std::string ObjectStore::pack_path(const ObjectId& name) const { return state_->pack_path(name); }
void ObjectStore::explain_missing_chunks(std::string text) { state_->missing_chunk_hint = std::move(text); }
LinkedFiles& ObjectStore::links_() const { return state_->links; }

std::optional<ObjectEntry> ObjectStore::find(const ObjectId& id) const {
  const auto look = [&]() -> std::optional<ObjectEntry> {
    const std::vector<ObjectEntry> copies = state_->ask([&](ObjectIndex& i) { return i.copies(id); });
    if (!copies.empty()) return copies.front();
    const auto row = state_->links.find(id);
    return row ? std::optional(linked_entry(*row)) : std::nullopt;
  };
  if (auto entry = look()) return entry;
  const bool more_packs = state_->roll_forward();
  const bool more_links = state_->links.refresh();
  return more_packs || more_links ? look() : std::nullopt;
}

std::vector<ObjectEntry> ObjectStore::find_prefix(std::string_view hex_prefix, std::size_t limit) const {
  const auto first = padded(hex_prefix, '0');
  const auto last = padded(hex_prefix, 'f');
  if (hex_prefix.size() < 4 || !first || !last) return {};
  state_->roll_forward();
  std::vector<ObjectEntry> found = state_->ask([&](ObjectIndex& i) { return i.range(*first, *last, limit); });
  for (const LinkFile::Row& row : state_->links.range(*first, *last, limit)) {
    const auto by_id = [](const ObjectEntry& entry, const ObjectId& wanted) { return entry.id < wanted; };
    const auto at = std::lower_bound(found.begin(), found.end(), row.id, by_id);
    if (at == found.end() || at->id != row.id) found.insert(at, linked_entry(row));
  }
  if (found.size() > limit) found.resize(limit);
  return found;
}

void ObjectStore::State::fail_missing(ObjectKind kind, const ObjectId& id, const std::optional<ObjectEntry>& other) const {
  std::string message = printable(dir) + ": no " + std::string(kind_name(kind)) + " " + id.hex();
  if (other) message += " (that id is a " + std::string(kind_name(other->kind)) + ")";
  throw Error(ErrorCode::not_found, message + (kind == ObjectKind::chunk ? missing_chunk_hint : ""));
}

template <typename Read, typename ReadLinked>
auto ObjectStore::State::read_some_copy(ObjectKind kind, const ObjectId& id, const Read& read, const ReadLinked& read_linked) {
  using Result = decltype(read(std::declval<File&>(), std::declval<const PackEntry&>()));
  std::optional<Error> problem;
  std::set<ObjectId> bad;  // packs
  bool looked_outside = kind != ObjectKind::chunk;
  const auto try_link = [&]() -> std::optional<Result> {
    const auto row = std::exchange(looked_outside, true) ? std::nullopt : links.find(id);
    if (!row) return std::nullopt;
    try {
      return read_linked(*row);
    } catch (const Error& error) {
      if (!problem) problem = error;
      return std::nullopt;
    }
  };
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
    if (auto result = try_link()) return std::move(*result);
  } while (roll_forward());
  // The index knows no copy, or bad ones: the packs themselves decide.
  for (const ObjectEntry& entry : search_packs(id)) {
    auto result = try_copy(entry);
    if (!result) continue;
    ask([&](ObjectIndex& i) { i.put(entry); });
    return std::move(*result);
  }
  if (problem) throw *problem;
  fail_missing(kind, id, copies.empty() ? std::nullopt : std::optional(copies.front()));
}

Bytes ObjectStore::read(ObjectKind kind, const ObjectId& id) const {
  return state_->read_some_copy(
      kind, id, [](File& file, const PackEntry& entry) { return read_object(file, entry); },
      [&](const LinkFile::Row& row) { return read_linked(row); });
}

Bytes ObjectStore::read_linked(const LinkFile::Row& row) const {
  Bytes bytes(row.size);
  if (!state_->links.read(row.id, bytes)) state_->fail_missing(ObjectKind::chunk, row.id, std::nullopt);
  return bytes;
}

void ObjectStore::read_into(ObjectKind kind, const ObjectId& id, MutableByteSpan out, Proof proof) const {
  state_->read_some_copy(
      kind, id,
      [&](File& file, const PackEntry& entry) {
        read_object(file, entry, out, proof);
        return true;
      },
      [&](const LinkFile::Row& row) {
        if (!state_->links.read(row.id, out)) state_->fail_missing(kind, id, std::nullopt);
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
  return state_->read_some_copy(
      entry->kind, id,
      [](File& file, const PackEntry& e) { return StoredObject{e.kind, e.id, e.codec, e.raw_size, read_record(file, e)}; },
      [&](const LinkFile::Row& row) { return StoredObject{ObjectKind::chunk, row.id, Codec::none, row.size, read_linked(row)}; });
}

void ObjectStore::write_index() {
  state_->roll_forward();
  state_->ask([](ObjectIndex& i) { i.flush(); });
}

void ObjectStore::for_each(std::optional<ObjectKind> kind, const std::function<void(const ObjectEntry&)>& visit) const {
  state_->roll_forward();
  for (const ObjectEntry& entry : state_->ask([&](ObjectIndex& i) { return i.all(kind); })) visit(entry);
}

std::vector<ObjectId> ObjectStore::attached_to(const ObjectId& target, ObjectKind kind) const {
  const auto look = [&](ObjectIndex& i) {
    auto ids = i.attached_to(target);
    std::erase_if(ids, [&](const ObjectId& id) {
      const auto copies = i.copies(id);
      if (copies.empty()) throw IndexFailure("what hangs on an object by the index is none itself", true);
      return copies.front().kind != kind;
    });
    return ids;
  };
  auto found = state_->ask(look);
  if (!found.empty() || !state_->roll_forward()) return found;
  return state_->ask(look);
}

}  // namespace dstore
