#include "odb/index.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "test_store.h"

namespace dstore::test {
namespace {

constexpr unsigned kObjects = 40;

/// A store of two packs with kObjects objects and a signature; returns the index.db made for it.
Bytes fill(const std::string& dir) {
  ObjectStore::create(posix_filesystem(), dir);
  ObjectStore store = ObjectStore::open(posix_filesystem(), dir, IndexMode::database);
  for (unsigned half = 0; half < 2; ++half) {
    PackSession session = store.begin_write();
    for (unsigned i = half; i < kObjects; i += 2) session.add(kAllKinds[i % 9], random_bytes(60 + i, i));
    Writer signature;
    signature.id(fake_id("target"));
    signature.u8(static_cast<std::uint8_t>(half));
    session.add(ObjectKind::signature, signature.data());
    session.commit();
  }
  store.write_index();
  return read_file(posix_filesystem(), dir + "/index.db");
}

/// Every object is read back right through the index that is there.
bool answers(const std::string& dir) {
  ObjectStore store = ObjectStore::open(posix_filesystem(), dir, IndexMode::database);
  for (unsigned i = 0; i < kObjects; ++i) {
    const Bytes bytes = random_bytes(60 + i, i);
    if (store.read(kAllKinds[i % 9], object_id(kAllKinds[i % 9], bytes)) != bytes) return false;
  }
  return true;
}

bool is_complete(const std::string& dir) {
  ObjectStore store = ObjectStore::open(posix_filesystem(), dir, IndexMode::database);
  std::size_t count = 0;
  store.for_each(std::nullopt, [&](const ObjectEntry&) { ++count; });
  return count == kObjects + 2 && store.signatures_of(fake_id("target")).size() == 2;
}

}  // namespace

TEST_CASE("an index that is gone, empty, cut or garbage is made anew with the same answers") {
  const Scratch folder;
  const Bytes whole = fill(folder.path());
  const std::string path = folder / "index.db";
  posix_filesystem().remove(path);
  CHECK(answers(folder.path()));
  CHECK(is_complete(folder.path()));
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{4096}, whole.size() / 2, whole.size() - 1}) {
    put_file(path, ByteSpan(whole).first(size));
    CHECK(answers(folder.path()));
    CHECK(answers(folder.path()));
  }
  put_file(path, random_bytes(8192, 1));
  CHECK(answers(folder.path()));
  CHECK(is_complete(folder.path()));
  put_file(path, text_bytes("SQLite format 3"));
  CHECK(answers(folder.path()));
  CHECK(is_complete(folder.path()));
}

TEST_CASE("a byte flipped in the index never gives wrong bytes") {
  const Scratch folder;
  const Bytes whole = fill(folder.path());
  for (std::size_t at = 0; at < whole.size(); at += at < 200 ? 1 : 97) {
    if (at >= 200 && whole[at] == std::byte{0}) continue;  // free space
    Bytes damaged = whole;
    damaged[at] ^= std::byte{0xFF};
    put_file(folder / "index.db", damaged);
    INFO("byte " << at);
    CHECK(answers(folder.path()));
  }
}

TEST_CASE("an index of another schema, version or application is replaced") {
  const Scratch folder;
  const Bytes whole = fill(folder.path());
  for (const std::size_t at : {60u, 68u}) {  // user_version, application_id
    Bytes other = whole;
    other[at + 3] ^= std::byte{0x7};
    put_file(folder / "index.db", other);
    CHECK(is_complete(folder.path()));
    CHECK(read_file(posix_filesystem(), folder / "index.db")[at + 3] == whole[at + 3]);
  }
  Bytes other = whole;
  const std::string_view text = as_text(other);
  const std::size_t at = text.find("CREATE TABLE packs");
  REQUIRE(at != std::string_view::npos);
  other[at + 13] = std::byte{'q'};
  put_file(folder / "index.db", other);
  CHECK(is_complete(folder.path()));
}

TEST_CASE("packs that come and go are rolled forward") {
  const Scratch folder;
  const Bytes index = fill(folder.path());
  ObjectId extra;
  {
    ObjectStore store = ObjectStore::open(posix_filesystem(), folder.path(), IndexMode::memory);  // does not touch index.db
    PackSession session = store.begin_write();
    extra = session.add(ObjectKind::file, text_bytes("extra"));
    session.commit();
  }
  CHECK(read_file(posix_filesystem(), folder / "index.db") == index);
  const auto open = [&] { return ObjectStore::open(posix_filesystem(), folder.path(), IndexMode::database); };
  CHECK(open().read(ObjectKind::file, extra) == text_bytes("extra"));
  {
    ObjectStore store = open();
    const ObjectId pack = store.find(extra)->pack;
    posix_filesystem().remove(folder / ("packs/" + pack_file_name(pack)));
    CHECK(error_of([&] { store.read(ObjectKind::file, extra); }).has_value());
  }
  CHECK_FALSE(open().contains(extra));
  CHECK(is_complete(folder.path()));
}

TEST_CASE("a commit does not wait for the index; many packs reach it together") {
  const Scratch folder;
  ObjectStore::create(posix_filesystem(), folder.path());
  const auto open = [&] { return ObjectStore::open(posix_filesystem(), folder.path(), IndexMode::database); };
  const auto indexed = [&] { return open_database_index(posix_filesystem(), folder.path())->packs().size(); };
  std::vector<ObjectId> written;
  for (unsigned i = 0; i < 31; ++i) {
    ObjectStore store = open();
    PackSession session = store.begin_write();
    written.push_back(session.add(ObjectKind::file, random_bytes(100, i)));
    session.commit();
    CHECK(store.contains(written.back()));
    CHECK(indexed() == 0);
  }
  const auto all_there = [&] {
    const ObjectStore store = open();
    for (unsigned i = 0; i < written.size(); ++i) {
      if (store.read(ObjectKind::file, written[i]) != random_bytes(100, i) || store.find_prefix(written[i].hex()).size() != 1) return false;
    }
    std::size_t count = 0;
    store.for_each(ObjectKind::file, [&](const ObjectEntry&) { ++count; });
    return count == written.size();
  };
  CHECK(all_there());
  CHECK(indexed() == 0);
  {
    ObjectStore store = open();
    PackSession session = store.begin_write();
    written.push_back(session.add(ObjectKind::file, random_bytes(100, 31)));
    session.commit();
    CHECK(indexed() == 0);
  }
  CHECK(all_there());
  CHECK(indexed() == 32);
  {
    ObjectStore store = open();
    PackSession session = store.begin_write();
    written.push_back(session.add(ObjectKind::file, random_bytes(100, 32)));
    session.commit();
    store.write_index();
  }
  CHECK(indexed() == 33);
  CHECK(all_there());
}

TEST_CASE("an object is found where a reader finds a good copy of a damaged one") {
  const Scratch folder;
  ObjectStore::create(posix_filesystem(), folder.path());
  ObjectStore store = ObjectStore::open(posix_filesystem(), folder.path(), IndexMode::database);
  const Bytes bytes = random_bytes(500, 1);
  const auto write = [&](unsigned other) {
    ObjectStore fresh = ObjectStore::open(posix_filesystem(), folder.path(), IndexMode::memory);
    PackSession session = fresh.begin_write();
    session.add(ObjectKind::chunk, bytes);
    session.add(ObjectKind::file, random_bytes(90, other));
    return session.commit().front();
  };
  const std::string first = folder / ("packs/" + pack_file_name(write(2)));
  const ObjectId id = object_id(ObjectKind::chunk, bytes);
  CHECK(store.contains(id));
  store.write_index();
  Bytes damaged = read_file(posix_filesystem(), first);
  damaged[16 + 64 + 100] ^= std::byte{1};
  put_file(first, damaged);
  write(3);  // the copy that is there is damaged: a second one, of which `store` knows nothing
  CHECK(store.read(ObjectKind::chunk, id) == bytes);
  // The second pack became known with one object only if at all: its others must be found by whoever opens the store next.
  const ObjectStore next = ObjectStore::open(posix_filesystem(), folder.path(), IndexMode::database);
  CHECK(next.contains(object_id(ObjectKind::file, random_bytes(90, 3))));
}

TEST_CASE("where the index cannot be written, the store works from memory") {
  const Scratch folder;
  fill(folder.path());
  posix_filesystem().remove(folder / "index.db");
  std::filesystem::create_directory(folder / "index.db");  // stands in for read-only media, also for root
  put_file(folder / "index.db/file", text_bytes("x"));
  CHECK(answers(folder.path()));
  CHECK(is_complete(folder.path()));
}

TEST_CASE("a store that may only be read is read, with its index or without, and writing to it fails cleanly") {
  for (const bool with_index : {true, false}) {
    const Scratch folder;
    fill(folder.path());
    if (!with_index) posix_filesystem().remove(folder / "index.db");
    const auto read_only = static_cast<std::filesystem::perms>(0555);
    for (const char* name : {"packs", "tmp", "leases", ""}) std::filesystem::permissions(folder / name, read_only);
    const pid_t child = fork();
    if (child == 0) {
      if (geteuid() == 0 && setuid(65534) != 0) _exit(9);
      int status = 1;
      try {
        if (answers(folder.path()) && is_complete(folder.path())) status = 2;
        ObjectStore store = ObjectStore::open(posix_filesystem(), folder.path(), IndexMode::database);
        if (error_of([&] { store.begin_write(); }) == ErrorCode::io) status = status == 2 ? 0 : status;
      } catch (const Error& error) {
        fprintf(stderr, "child: %s\n", error.what());
      }
      _exit(status);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(status == 0);
    for (const char* name : {"packs", "tmp", "leases", ""}) std::filesystem::permissions(folder / name, std::filesystem::perms::owner_all);
  }
}

TEST_CASE("an index that is a symlink is not followed") {
  const Scratch folder;
  fill(folder.path());
  const std::string outside = folder / "outside";
  put_file(outside, text_bytes("mine"));
  posix_filesystem().remove(folder / "index.db");
  std::filesystem::create_symlink(outside, folder / "index.db");
  CHECK(answers(folder.path()));
  CHECK(read_text_file(posix_filesystem(), outside) == "mine");
}

}  // namespace dstore::test
