#include "odb/collect.h"

#include "collect_store.h"
#include "durability/fault_filesystem.h"
#include "odb/reserve.h"

namespace dstore::test {
namespace {

constexpr std::size_t kObject = 3000;

/// Three packs: one all dead, one half dead, one all alive.
struct Fixture {
  Scratch folder;
  GivenLiveness liveness;
  std::vector<Bytes> contents;
  std::vector<ObjectId> ids;  ///< two of each pack
  Fixture() {
    ObjectStore::create(posix_filesystem(), folder.path());
    for (unsigned i = 0; i < 6; ++i) contents.push_back(random_bytes(kObject, i));
    for (unsigned p = 0; p < 3; ++p) {
      for (const ObjectId& id : write_pack(folder.path(), ObjectKind::file, {contents[2 * p], contents[2 * p + 1]})) ids.push_back(id);
    }
    liveness.alive = {ids[3], ids[4], ids[5]};
  }
  void check_alive(ObjectStore& store) {
    for (const unsigned i : {3u, 4u, 5u}) CHECK(store.read(ObjectKind::file, ids[i]) == contents[i]);
  }
};

TEST_CASE("what is dead goes, what is alive stays, and the packs that have nothing dead are not touched") {
  Fixture f;
  ObjectStore store = open_store(f.folder.path());
  const ObjectId untouched = store.find(f.ids[4])->pack;
  const std::uint64_t before = bytes_in_packs(f.folder.path());
  const CollectReport report = store.collect(f.liveness, at_once());
  CHECK(report.removed.at(ObjectKind::file).objects == 3);
  CHECK(report.removed.at(ObjectKind::file).bytes == 3 * kObject);
  CHECK(report.packs_deleted.size() == 2);
  CHECK(report.packs_written.size() == 1);
  CHECK(report.bytes_before == before);
  CHECK(report.bytes_after == bytes_in_packs(f.folder.path()));
  f.check_alive(store);
  ObjectStore fresh = open_store(f.folder.path());
  f.check_alive(fresh);
  for (const unsigned i : {0u, 1u, 2u}) CHECK_FALSE(fresh.contains(f.ids[i]));
  CHECK(fresh.find(f.ids[4])->pack == untouched);
  CHECK(fresh.verify_all().empty());
  CHECK(read_condemned(posix_filesystem(), f.folder.path()) == Condemned{1, {}, false});
  CHECK(store.collect(f.liveness, at_once()).packs_deleted.empty());
  CHECK(read_condemned(posix_filesystem(), f.folder.path()).generation == 1);  // nothing to do, nothing written
}

TEST_CASE("a dry run says the same and changes nothing") {
  Fixture f;
  ObjectStore store = open_store(f.folder.path());
  CollectOptions options = at_once();
  options.dry_run = true;
  const auto before = store.packs();
  const CollectReport planned = store.collect(f.liveness, options);
  CHECK(store.packs() == before);
  CHECK_FALSE(exists(posix_filesystem(), f.folder / "condemned"));
  const CollectReport done = store.collect(f.liveness, at_once());
  CHECK(planned.removed.at(ObjectKind::file).objects == done.removed.at(ObjectKind::file).objects);
  CHECK(planned.packs_deleted.size() == done.packs_deleted.size());
  CHECK(planned.bytes_before == done.bytes_before);
  CHECK(planned.bytes_after <= done.bytes_after);
  CHECK(done.bytes_after - planned.bytes_after < 100);  // header and trailer of the new pack
}

TEST_CASE("a few dead chunks may stay in a pack, a dead object that names others never") {
  for (const ObjectKind kind : {ObjectKind::chunk, ObjectKind::tensor}) {
    const Scratch folder;
    ObjectStore::create(posix_filesystem(), folder.path());
    std::vector<Bytes> contents;
    for (unsigned i = 0; i < 20; ++i) contents.push_back(random_bytes(kObject, i));
    const auto ids = write_pack(folder.path(), kind, contents);
    GivenLiveness liveness;
    liveness.alive = {ids.begin() + 1, ids.end()};
    ObjectStore store = open_store(folder.path());
    const bool stays = kind == ObjectKind::chunk;
    CHECK(store.collect(liveness, at_once()).packs_deleted.size() == (stays ? 0 : 1));
    CHECK(store.contains(ids[0]) == stays);
    CollectOptions strict = at_once();
    strict.leaf_share = 0;
    store.collect(liveness, strict);
    CHECK_FALSE(store.contains(ids[0]));
  }
}

TEST_CASE("of two copies one stays, and it is a good one") {
  const Scratch folder;
  ObjectStore::create(posix_filesystem(), folder.path());
  const Bytes twice = random_bytes(kObject, 1);
  const auto large = write_pack(folder.path(), ObjectKind::chunk, {twice, random_bytes(5 * kObject, 2)});
  const std::string pack = only_pack(open_store(folder.path()));
  const Bytes whole = read_file(posix_filesystem(), pack);
  Bytes damaged = whole;
  damaged[200] ^= std::byte{1};
  put_file(pack, damaged);
  write_pack(folder.path(), ObjectKind::chunk, {twice});  // the damaged copy is not believed
  GivenLiveness liveness;
  liveness.alive = {large.begin(), large.end()};
  SECTION("the copy in the larger pack is good") {
    put_file(pack, whole);
    ObjectStore store = open_store(folder.path());
    CHECK(store.collect(liveness, at_once()).packs_deleted.size() == 1);
    CHECK(store.packs().size() == 1);
    CHECK(store.read(ObjectKind::chunk, large[0]) == twice);
  }
  SECTION("it is damaged") {
    ObjectStore store = open_store(folder.path());
    store.collect(liveness, at_once());
    CHECK(open_store(folder.path()).read(ObjectKind::chunk, large[0]) == twice);
  }
}

TEST_CASE("a pack with damage in what is alive is left alone") {
  Fixture f;
  ObjectStore store = open_store(f.folder.path());
  const ObjectEntry entry = *store.find(f.ids[3]);
  const std::string pack = f.folder / ("packs/" + pack_file_name(entry.pack));
  Bytes bytes = read_file(posix_filesystem(), pack);
  bytes[entry.offset + 100] ^= std::byte{1};
  put_file(pack, bytes);
  const CollectReport report = store.collect(f.liveness, at_once());
  CHECK(report.left_alone.size() == 1);
  CHECK(report.packs_deleted.size() == 1);
  CHECK(read_file(posix_filesystem(), pack) == bytes);
}

TEST_CASE("a pack whose trailer is damaged is left alone, and what its objects name stays too") {
  Fixture f;
  ObjectStore store = open_store(f.folder.path());
  const ObjectId name = store.find(f.ids[0])->pack;  // all dead
  const std::string pack = f.folder / ("packs/" + pack_file_name(name));
  Bytes bytes = read_file(posix_filesystem(), pack);
  bytes[bytes.size() - 50] ^= std::byte{1};
  put_file(pack, bytes);
  const CollectReport report = open_store(f.folder.path()).collect(f.liveness, at_once());
  CHECK(report.left_alone.size() == 1);
  CHECK(read_file(posix_filesystem(), pack) == bytes);
  CHECK(std::set<ObjectId>(f.liveness.kept.begin(), f.liveness.kept.end()) == std::set<ObjectId>{f.ids[0], f.ids[1]});
  CHECK_FALSE(open_store(f.folder.path()).contains(f.ids[2]));
}

TEST_CASE("a collection killed at any change to the disk loses nothing alive, and the next one finishes it") {
  using Fault = FaultFilesystem::Fault;
  int calls = 0;
  {
    Fixture f;
    FaultFilesystem fs;
    open_store(f.folder.path(), IndexMode::memory, fs).collect(f.liveness, at_once());
    calls = fs.calls();
  }
  REQUIRE(calls > 15);
  for (const Fault fault : {Fault::cut, Fault::error, Fault::disk_full}) {
    for (int at = 1; at <= calls; ++at) {
      INFO("fault " << static_cast<int>(fault) << " at call " << at << " of " << calls);
      Fixture f;
      FaultFilesystem fs(fault, at);
      try {
        open_store(f.folder.path(), IndexMode::memory, fs).collect(f.liveness, at_once());
      } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::io);
      }
      ObjectStore store = open_store(f.folder.path());
      f.check_alive(store);
      CHECK(store.verify_all().empty());
      store.collect(f.liveness, at_once());
      f.check_alive(store);
      for (const unsigned i : {0u, 1u, 2u}) CHECK_FALSE(store.contains(f.ids[i]));
      CHECK(read_condemned(posix_filesystem(), f.folder.path()).packs.empty());
      CHECK(posix_filesystem().list(f.folder / "tmp").empty());
      CHECK(posix_filesystem().list(f.folder / "leases").empty());
      for (const std::string& name : posix_filesystem().list(f.folder.path())) CHECK_FALSE(name.starts_with(".tmp-"));
    }
  }
}

TEST_CASE("a collection of what is all dead works on a disk without a free byte, by its reserve") {
  Fixture f;
  f.liveness.alive.insert(f.ids[2]);  // nothing needs to be copied
  keep_reserve(posix_filesystem(), f.folder.path());
  bool full = true;
  CallFilesystem fs(posix_filesystem(), [&](const DiskCall& call, const CallFilesystem::Run& run, const CallFilesystem::Run&) {
    const bool needs_room = call.kind == DiskCall::Kind::write || call.kind == DiskCall::Kind::truncate;
    if (full && needs_room) throw NoSpace("injected: No space left on device");
    run();
    if (call.kind == DiskCall::Kind::remove && call.path.ends_with("/reserve")) full = false;
  });
  REQUIRE(exists(fs, f.folder / "reserve"));
  ObjectStore store = open_store(f.folder.path(), IndexMode::memory, fs);
  CHECK(store.collect(f.liveness, at_once()).packs_deleted.size() == 1);
  CHECK_FALSE(store.contains(f.ids[0]));
  f.check_alive(store);
  CHECK(exists(fs, f.folder / "reserve"));  // there is room again
}

TEST_CASE("packs are joined and split without losing an object") {
  Fixture f;
  for (const ObjectId& id : f.ids) f.liveness.alive.insert(id);
  ObjectStore store = open_store(f.folder.path());
  CollectOptions join = at_once();
  join.rewrite = [](const auto&, std::uint64_t) { return true; };
  CHECK(store.collect(f.liveness, join).packs_written.size() == 1);
  CHECK(store.packs().size() == 1);
  // The very same pack again: it is written under another name, not deleted.
  store.collect(f.liveness, join);
  CHECK(store.packs().size() == 1);
  join.pack_target = 2 * kObject;
  CHECK(store.collect(f.liveness, join).packs_written.size() >= 6);
  for (unsigned i = 0; i < f.ids.size(); ++i) CHECK(store.read(ObjectKind::file, f.ids[i]) == f.contents[i]);
  CHECK(store.verify_all().empty());
}

TEST_CASE("a store that is open elsewhere reads on while packs are joined and deleted") {
  for (const IndexMode mode : {IndexMode::memory, IndexMode::database}) {
    Fixture f;
    ObjectStore reader = open_store(f.folder.path(), mode);
    ObjectStore cold = open_store(f.folder.path(), mode);
    f.check_alive(reader);  // has the packs open
    ObjectStore store = open_store(f.folder.path(), mode);
    CollectOptions join = at_once();
    for (int turn = 0; turn < 3; ++turn) {
      join.rewrite = [](const auto&, std::uint64_t) { return true; };
      store.collect(f.liveness, join);
      f.check_alive(reader);
      f.check_alive(cold);
    }
    CHECK(reader.read_stored(f.ids[3]).raw_size == kObject);
    CHECK(error_of([&] { reader.read(ObjectKind::file, f.ids[0]); }) == ErrorCode::not_found);
    std::size_t count = 0;
    reader.for_each(std::nullopt, [&](const ObjectEntry&) { ++count; });
    CHECK(count == 3);
  }
}

}  // namespace
}  // namespace dstore::test
