#include "odb/object_store.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <thread>

#include "odb/layout.h"
#include "test_store.h"

namespace dstore::test {
namespace {

ObjectStore make_store(const std::string& dir, IndexMode mode = IndexMode::memory) {
  ObjectStore::create(posix_filesystem(), dir);
  return ObjectStore::open(posix_filesystem(), dir, mode);
}

ObjectStore reopen(const std::string& dir, IndexMode mode = IndexMode::memory) { return ObjectStore::open(posix_filesystem(), dir, mode); }

/// Flips a byte inside the stored bytes of an object.
void damage(const ObjectStore& store, const ObjectId& id) {
  const auto entry = store.find(id);
  REQUIRE(entry.has_value());
  const std::string path = join_path(join_path(store.directory(), "packs"), pack_file_name(entry->pack));
  Bytes bytes = read_file(posix_filesystem(), path);
  bytes[entry->offset + layout::kRecordHeaderSize] ^= std::byte{1};
  put_file(path, bytes);
}

}  // namespace

TEST_CASE("objects come back from a reopened store, with either index") {
  for (const IndexMode mode : {IndexMode::memory, IndexMode::database}) {
    const Scratch folder;
    std::vector<std::pair<ObjectKind, Bytes>> objects;
    unsigned seed = 0;
    for (const ObjectKind kind : kAllKinds) {
      objects.emplace_back(kind, random_bytes(100 + seed, seed));
      objects.emplace_back(kind, dull_bytes(70'000, seed++));
    }
    std::vector<ObjectId> ids;
    {
      ObjectStore store = make_store(folder.path(), mode);
      PackSession session = store.begin_write();
      for (const auto& [kind, bytes] : objects) ids.push_back(session.add(kind, bytes));
      CHECK(session.objects_added() == objects.size());
      CHECK_FALSE(store.contains(ids.front()));
      session.commit();
      CHECK(store.contains(ids.front()));
    }
    ObjectStore store = reopen(folder.path(), mode);
    for (std::size_t i = 0; i < objects.size(); ++i) {
      const auto& [kind, bytes] = objects[i];
      CHECK(ids[i] == object_id(kind, bytes));
      CHECK(store.read(kind, ids[i]) == bytes);
      Bytes into(bytes.size());
      store.read_into(kind, ids[i], into);
      CHECK(into == bytes);
      const auto entry = store.find(ids[i]);
      REQUIRE(entry.has_value());
      CHECK(entry->kind == kind);
      CHECK(entry->raw_size == bytes.size());
      CHECK(store.find_prefix(ids[i].hex().substr(0, 12)).size() == 1);
    }
    CHECK(store.find_prefix("abc").empty());
    CHECK(store.find_prefix("zzzz").empty());
    std::size_t count = 0;
    store.for_each(std::nullopt, [&](const ObjectEntry&) { ++count; });
    CHECK(count == objects.size());
    count = 0;
    store.for_each(ObjectKind::commit, [&](const ObjectEntry& entry) { count += entry.kind == ObjectKind::commit ? 1 : 100; });
    CHECK(count == 2);
    CHECK(store.verify_all().empty());
  }
}

TEST_CASE("a folder without packs is not a store, and a missing object names kind and id") {
  const Scratch folder;
  CHECK(error_of([&] { reopen(folder.path()); }) == ErrorCode::not_found);
  ObjectStore store = make_store(folder.path());
  const ObjectId id = fake_id("nothing");
  CHECK(error_of([&] { store.read(ObjectKind::chunk, id); }) == ErrorCode::not_found);
  CHECK(message_of([&] { store.read(ObjectKind::chunk, id); }).find("chunk " + id.hex()) != std::string::npos);
  PackSession session = store.begin_write();
  const ObjectId present = session.add(ObjectKind::file, text_bytes("x"));
  session.commit();
  CHECK(error_of([&] { store.read(ObjectKind::chunk, present); }) == ErrorCode::not_found);
  CHECK(error_of([&] { store.read_stored(id); }) == ErrorCode::not_found);
  Bytes wrong(2);
  CHECK(error_of([&] { store.read_into(ObjectKind::file, present, wrong); }) == ErrorCode::corrupt);
}

TEST_CASE("an object is stored once, in a session and over sessions") {
  const Scratch folder;
  ObjectStore store = make_store(folder.path());
  const Bytes bytes = random_bytes(1000, 1);
  for (int round = 0; round < 3; ++round) {
    PackSession session = store.begin_write();
    session.add(ObjectKind::chunk, bytes);
    session.add(ObjectKind::chunk, bytes);
    CHECK(session.objects_added() == (round == 0 ? 1 : 0));
    CHECK(session.commit().size() == (round == 0 ? 1 : 0));
  }
  CHECK(store.packs().size() == 1);
}

TEST_CASE("a session that is not committed leaves nothing") {
  const Scratch folder;
  ObjectStore store = make_store(folder.path());
  { store.begin_write().add(ObjectKind::chunk, random_bytes(1000, 1)); }
  CHECK(store.packs().empty());
  CHECK(posix_filesystem().list(folder / "tmp").empty());
}

TEST_CASE("a session rolls over to a new pack when one is full") {
  const Scratch folder;
  ObjectStore store = make_store(folder.path());
  PackSession session = store.begin_write();
  std::vector<ObjectId> ids;
  for (unsigned i = 0; i < 34; ++i) ids.push_back(session.add(ObjectKind::segment, random_bytes(4 << 20, i)));
  CHECK(session.commit().size() == 3);
  CHECK(posix_filesystem().list(folder / "tmp").empty());
  for (const ObjectId& id : ids) CHECK(store.read(ObjectKind::segment, id).size() == 4u << 20);
  for (const ObjectId& name : store.packs()) {
    const auto info = posix_filesystem().stat(join_path(folder / "packs", pack_file_name(name)), false);
    CHECK(info->size <= layout::kPackTarget + 10'000);
  }
}

TEST_CASE("many threads add to one session") {
  const Scratch folder;
  ObjectStore store = make_store(folder.path(), IndexMode::database);
  PackSession session = store.begin_write();
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 60; ++i) {
        session.add(ObjectKind::chunk, dull_bytes(2000 + i, t));      // own
        session.add(ObjectKind::tensor, random_bytes(500 + i, i));    // shared by all
        session.add(ObjectKind::signature, random_bytes(100 + i, i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  session.commit();
  std::vector<std::thread> readers;
  std::atomic<int> wrong{0};
  for (unsigned t = 0; t < 4; ++t) {
    readers.emplace_back([&, t] {
      for (unsigned i = 0; i < 60; ++i) {
        const Bytes own = dull_bytes(2000 + i, t);
        if (store.read(ObjectKind::chunk, object_id(ObjectKind::chunk, own)) != own) ++wrong;
        if (store.contains(fake_id(std::to_string(i)))) ++wrong;
      }
    });
  }
  for (std::thread& thread : readers) thread.join();
  CHECK(wrong == 0);
  CHECK(store.verify_all({}, 3).empty());
}

TEST_CASE("threads with a store each, and processes, write at the same time and lose nothing") {
  const Scratch folder;
  make_store(folder.path());
  std::vector<pid_t> children;
  for (unsigned p = 0; p < 3; ++p) {
    const pid_t child = fork();
    if (child == 0) {
      int status = 1;
      try {
        ObjectStore store = reopen(folder.path(), IndexMode::database);
        for (unsigned i = 0; i < 10; ++i) {
          PackSession session = store.begin_write();
          session.add(ObjectKind::chunk, random_bytes(300, p * 100 + i));
          session.add(ObjectKind::chunk, random_bytes(300, 1000 + i));
          session.commit();
        }
        status = 0;
      } catch (const std::exception& error) {
        fprintf(stderr, "child: %s\n", error.what());
      }
      _exit(status);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(status == 0);
  }
  for (const IndexMode mode : {IndexMode::database, IndexMode::memory}) {
    ObjectStore store = reopen(folder.path(), mode);
    for (unsigned p = 0; p < 3; ++p) {
      for (unsigned i = 0; i < 10; ++i) {
        const Bytes bytes = random_bytes(300, p * 100 + i);
        CHECK(store.read(ObjectKind::chunk, object_id(ObjectKind::chunk, bytes)) == bytes);
      }
    }
    CHECK(store.verify_all().empty());
  }
}

TEST_CASE("a store sees packs that another one writes after it was opened") {
  for (const IndexMode mode : {IndexMode::memory, IndexMode::database}) {
    const Scratch folder;
    ObjectStore reader = make_store(folder.path(), mode);
    ObjectStore writer = reopen(folder.path(), mode);
    const Bytes bytes = random_bytes(100, 9);
    PackSession session = writer.begin_write();
    const ObjectId id = session.add(ObjectKind::commit, bytes);
    CHECK_FALSE(reader.contains(id));
    session.commit();
    CHECK(reader.read(ObjectKind::commit, id) == bytes);
  }
}

TEST_CASE("a damaged object is named, and writing it again heals the store") {
  for (const IndexMode mode : {IndexMode::memory, IndexMode::database}) {
    for (const bool alone : {true, false}) {  // alone: the new pack has the damaged one's name
      const Scratch folder;
      const Bytes bytes = random_bytes(3000, 1);
      const ObjectId id = object_id(ObjectKind::chunk, bytes);
      {
        ObjectStore store = make_store(folder.path(), mode);
        PackSession session = store.begin_write();
        session.add(ObjectKind::chunk, bytes);
        if (!alone) session.add(ObjectKind::file, text_bytes("another"));
        session.commit();
        damage(store, id);
      }
      ObjectStore store = reopen(folder.path(), mode);
      const std::string message = message_of([&] { store.read(ObjectKind::chunk, id); });
      CHECK(error_of([&] { store.read(ObjectKind::chunk, id); }) == ErrorCode::corrupt);
      CHECK(message.find("chunk " + id.hex()) != std::string::npos);
      CHECK(message.find(".pack at byte ") != std::string::npos);
      CHECK(store.verify_all().size() == 1);

      PackSession session = store.begin_write();
      session.add(ObjectKind::chunk, bytes);
      CHECK(session.objects_added() == 1);
      session.commit();
      CHECK(store.read(ObjectKind::chunk, id) == bytes);
      for (const IndexMode again : {IndexMode::memory, IndexMode::database}) {
        CHECK(reopen(folder.path(), again).read(ObjectKind::chunk, id) == bytes);
      }
      if (!alone) CHECK(store.read(ObjectKind::file, object_id(ObjectKind::file, text_bytes("another"))) == text_bytes("another"));
      CHECK(store.verify_all().size() == (alone ? 0u : 1u));
    }
  }
}

TEST_CASE("a pack whose trailer is damaged still gives its whole objects, and verify says so") {
  const Scratch folder;
  const Bytes first = random_bytes(2000, 1), second = random_bytes(2000, 2);
  std::string path;
  {
    ObjectStore store = make_store(folder.path());
    PackSession session = store.begin_write();
    session.add(ObjectKind::chunk, first);
    session.add(ObjectKind::chunk, second);
    session.commit();
    path = only_pack(store);
  }
  Bytes bytes = read_file(posix_filesystem(), path);
  bytes.resize(bytes.size() - 500);  // the trailer and some of the second record
  put_file(path, bytes);
  for (const IndexMode mode : {IndexMode::memory, IndexMode::database}) {
    ObjectStore store = reopen(folder.path(), mode);
    CHECK(store.read(ObjectKind::chunk, object_id(ObjectKind::chunk, first)) == first);
    CHECK(error_of([&] { store.read(ObjectKind::chunk, object_id(ObjectKind::chunk, second)); }) == ErrorCode::not_found);
    const auto problems = store.verify_all();
    REQUIRE(problems.size() == 1);
    CHECK_FALSE(problems.front().kind.has_value());
  }
}

TEST_CASE("records are copied between stores, and only what has its id") {
  const Scratch folder;
  ObjectStore from = make_store(folder / "from");
  ObjectStore to = make_store(folder / "to");
  PackSession fill = from.begin_write();
  const ObjectId dull = fill.add(ObjectKind::tensor, dull_bytes(9000, 1));
  const ObjectId noise = fill.add(ObjectKind::segment, random_bytes(9000, 2));
  Bytes weights = random_bytes(9000, 3);
  for (std::size_t i = 1; i < weights.size(); i += 2) weights[i] = std::byte{0x3c};
  const ObjectId planes = fill.add(ObjectKind::chunk, weights, ChunkLayout{2, true});
  fill.commit();
  CHECK(from.find(planes)->codec == Codec::planes);
  CHECK(from.find(planes)->stored_size < 5000);

  PackSession session = to.begin_write();
  for (const ObjectId& id : {dull, noise, planes}) session.add_stored(from.read_stored(id));
  StoredObject wrong = from.read_stored(noise);
  wrong.bytes[5] ^= std::byte{1};
  CHECK(error_of([&] { session.add_stored(wrong); }) == ErrorCode::corrupt);
  wrong = from.read_stored(noise);
  wrong.kind = ObjectKind::chunk;
  CHECK(error_of([&] { session.add_stored(wrong); }) == ErrorCode::corrupt);
  wrong = from.read_stored(dull);
  wrong.raw_size = std::uint64_t(1) << 40;
  CHECK(error_of([&] { session.add_stored(wrong); }) == ErrorCode::corrupt);
  wrong.raw_size = 1;
  CHECK(error_of([&] { session.add_stored(wrong); }) == ErrorCode::corrupt);
  wrong = from.read_stored(dull);
  wrong.codec = Codec::none;
  CHECK(error_of([&] { session.add_stored(wrong); }) == ErrorCode::corrupt);
  session.commit();
  CHECK(to.read(ObjectKind::tensor, dull) == dull_bytes(9000, 1));
  CHECK(to.find(dull)->stored_size == from.find(dull)->stored_size);
  CHECK(to.read(ObjectKind::segment, noise) == random_bytes(9000, 2));
  CHECK(to.find(planes)->stored_size == from.find(planes)->stored_size);
  Bytes back(weights.size());
  to.read_into(ObjectKind::chunk, planes, back);
  CHECK(back == weights);
}

TEST_CASE("signatures are found by what they sign") {
  for (const IndexMode mode : {IndexMode::memory, IndexMode::database}) {
    const Scratch folder;
    const ObjectId target = fake_id("commit");
    std::vector<ObjectId> ids;
    {
      ObjectStore store = make_store(folder.path(), mode);
      PackSession session = store.begin_write();
      for (const char* text : {"sig one", "sig two"}) {
        Writer bytes;
        bytes.id(target);
        bytes.text(text);
        ids.push_back(session.add(ObjectKind::signature, bytes.data()));
      }
      session.add(ObjectKind::signature, text_bytes("too short to have a target"));
      session.commit();
      std::sort(ids.begin(), ids.end());
      CHECK(store.signatures_of(target) == ids);
    }
    CHECK(reopen(folder.path(), IndexMode::memory).signatures_of(target) == ids);
    CHECK(reopen(folder.path(), IndexMode::database).signatures_of(target) == ids);
    CHECK(reopen(folder.path()).signatures_of(fake_id("other")).empty());
  }
}

TEST_CASE("a pack that is a symlink is not read") {
  const Scratch folder;
  std::string path;
  ObjectId id;
  {
    ObjectStore store = make_store(folder.path());
    PackSession session = store.begin_write();
    id = session.add(ObjectKind::file, text_bytes("x"));
    session.commit();
    path = only_pack(store);
  }
  std::filesystem::rename(path, folder / "elsewhere");
  std::filesystem::create_symlink(folder / "elsewhere", path);
  CHECK(error_of([&] { reopen(folder.path()).read(ObjectKind::file, id); }) == ErrorCode::io);
}

}  // namespace dstore::test
