// Files outside a store that hold chunks; records found behind damage; packs moved aside.
#include "base/sha256.h"
#include "odb/layout.h"
#include "odb/link_file.h"
#include "odb/pack.h"
#include "odb/test_store.h"

namespace dstore::test {
namespace {

struct Linked {
  Scratch folder;
  std::string outside = folder / "outside.bin";
  Bytes content = random_bytes(5000, 1);
  LinkFile link;

  Linked() {
    ObjectStore::create(posix_filesystem(), folder / "store");
    put_file(outside, content);
    link.path = outside;
    link.size = content.size();
    link.mtime_ns = posix_filesystem().stat(outside, true)->mtime_ns;
    link.sha256 = sha256(content);
    for (const std::uint64_t at : {0, 1000, 4000}) link.rows.push_back({object_id(ObjectKind::chunk, part(at)), at, 1000});
    link.finish_rows();
  }
  ObjectStore open() { return ObjectStore::open(posix_filesystem(), folder / "store", IndexMode::memory); }
  ByteSpan part(std::uint64_t offset) const { return ByteSpan(content).subspan(offset, 1000); }
  ObjectId id(std::uint64_t offset) const { return object_id(ObjectKind::chunk, part(offset)); }
};

}  // namespace

TEST_CASE("a link file has the bytes of spec/links.md and comes back from them") {
  LinkFile link;
  link.path = "/a/b";
  link.size = 7;
  link.mtime_ns = -1;
  link.inode = 5;
  link.rows = {{fake_id("x"), 2, 5}, {fake_id("x"), 0, 5}, {fake_id("y"), 0, 1}};
  link.finish_rows();
  REQUIRE(link.rows.size() == 2);
  CHECK(link.find(fake_id("x"))->offset == 0);
  CHECK(link.find(fake_id("z")) == nullptr);
  const Bytes bytes = link.serialize();
  CHECK(bytes.size() == 80 + 4 + 2 * layout::kLinkRowSize);
  constexpr char kHead[] = "DSTORELK\1\0\0\0\4\0\0\0\7\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\5\0\0\0\0\0\0\0\2\0\0\0\0\0\0";
  CHECK(as_text(bytes).substr(0, 48) == std::string_view(kHead, sizeof kHead));
  CHECK(LinkFile::parse(bytes, "link") == link);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK(error_of([&] { LinkFile::parse(ByteSpan(bytes).first(size), "link"); }).has_value());
  }
  link.path = "relative";
  CHECK(error_of([&] { link.serialize(); }) == ErrorCode::unsupported);
}

TEST_CASE("a linked chunk is found, read and proved; no writer takes it for stored") {
  Linked f;
  ObjectStore store = f.open();
  CHECK_FALSE(store.contains(f.id(0)));
  f.open().links().add(f.link);  // by another process
  const auto entry = store.find(f.id(1000));
  REQUIRE(entry.has_value());
  CHECK(entry->linked);
  CHECK(entry->raw_size == 1000);
  CHECK(as_text(store.read(ObjectKind::chunk, f.id(1000))) == as_text(f.part(1000)));
  Bytes out(1000);
  store.read_into(ObjectKind::chunk, f.id(4000), out);
  CHECK(as_text(out) == as_text(f.part(4000)));
  Bytes wrong(999);
  CHECK(error_of([&] { store.read_into(ObjectKind::chunk, f.id(4000), wrong); }) == ErrorCode::corrupt);
  CHECK(error_of([&] { store.read(ObjectKind::segment, f.id(0)); }) == ErrorCode::not_found);
  CHECK(store.read_stored(f.id(0)).codec == Codec::none);
  CHECK(store.find_prefix(f.id(0).hex().substr(0, 10)).size() == 1);
  CHECK(store.verify_all().empty());

  PackSession session = store.begin_write();
  session.add(ObjectKind::chunk, f.part(0));
  session.commit();
  CHECK(session.objects_added() == 1);
  CHECK_FALSE(store.find(f.id(0))->linked);
}

TEST_CASE("a linked file that changed or went gives an error with its name, never other bytes") {
  Linked f;
  ObjectStore store = f.open();
  store.links().add(f.link);
  Bytes changed = f.content;
  changed[1500] ^= std::byte{1};
  put_file(f.outside, changed);
  CHECK(as_text(store.read(ObjectKind::chunk, f.id(0))) == as_text(f.part(0)));
  CHECK(error_of([&] { store.read(ObjectKind::chunk, f.id(1000)); }) == ErrorCode::corrupt);
  CHECK(message_of([&] { store.read(ObjectKind::chunk, f.id(1000)); }).find("outside.bin") != std::string::npos);
  const auto problems = store.verify_all();
  REQUIRE(problems.size() == 1);
  CHECK(problems.front().place == StoreProblem::Place::link);
  CHECK(problems.front().id == f.id(1000));
  CHECK(store.verify_index().size() == 1);

  put_file(f.outside, ByteSpan(f.content).first(4500));
  CHECK(error_of([&] { f.open().read(ObjectKind::chunk, f.id(4000)); }) == ErrorCode::corrupt);
  std::filesystem::remove(f.outside);
  ObjectStore later = f.open();
  CHECK(error_of([&] { later.read(ObjectKind::chunk, f.id(0)); }) == ErrorCode::not_found);
  CHECK(later.verify_all().size() == 3);
  put_file(f.outside, f.content);
  CHECK(later.verify_all().empty());
}

TEST_CASE("a copy in a pack heals a bad link, and the other way round") {
  Linked f;
  ObjectStore store = f.open();
  store.links().add(f.link);
  PackSession session = store.begin_write();
  session.add(ObjectKind::chunk, f.part(0));
  session.commit();
  const std::string pack = only_pack(store);
  std::filesystem::remove(f.outside);
  CHECK(as_text(f.open().read(ObjectKind::chunk, f.id(0))) == as_text(f.part(0)));
  put_file(f.outside, f.content);
  Bytes bytes = read_file(posix_filesystem(), pack);
  bytes[100] ^= std::byte{1};
  put_file(pack, bytes);
  CHECK(as_text(f.open().read(ObjectKind::chunk, f.id(0))) == as_text(f.part(0)));
}

TEST_CASE("links are attached for a process, replaced, removed and moved aside") {
  Linked f;
  {
    ObjectStore store = f.open();
    store.links().attach(f.link);
    CHECK(store.contains(f.id(0)));
    CHECK_FALSE(f.open().contains(f.id(0)));
    store.links().refresh();
    CHECK(store.contains(f.id(0)));
  }
  ObjectStore store = f.open();
  store.links().add(f.link);
  store.links().add(f.link);
  CHECK(store.links().entries().size() == 1);
  std::filesystem::copy_file(f.outside, f.folder / "moved");
  LinkFile moved = f.link;
  moved.path = f.folder / "moved";
  store.links().add(moved);  // the same content: it takes the place of the old one
  REQUIRE(store.links().entries().size() == 1);
  CHECK(store.links().entries().front().link->path == moved.path);
  CHECK(store.links().remove([](const LinkFile&) { return false; }).empty());
  const std::string name = store.links().entries().front().name;
  const std::string aside = store.links().quarantine(name);
  CHECK(exists(posix_filesystem(), aside));
  CHECK_FALSE(store.contains(f.id(0)));
  store.links().add(moved);
  CHECK(store.links().remove([](const LinkFile&) { return true; }).size() == 1);
  CHECK_FALSE(store.contains(f.id(0)));
  CHECK(exists(posix_filesystem(), moved.path));
}

TEST_CASE("records are found behind every kind of damage, and only whole ones") {
  const Scratch folder;
  ObjectStore::create(posix_filesystem(), folder.path());
  ObjectStore store = ObjectStore::open(posix_filesystem(), folder.path(), IndexMode::memory);
  PackSession session = store.begin_write();
  for (unsigned i = 0; i < 20; ++i) session.add(ObjectKind::chunk, random_bytes(300 + i, i));
  // A record inside a record: of the bytes of an object nothing is taken for a record of the pack that is not one.
  session.add(ObjectKind::file, text_bytes("DRECDRECDREC"));
  session.commit();
  const std::string path = only_pack(store);
  const Bytes good = read_file(posix_filesystem(), path);
  const auto file = posix_filesystem().open(path, OpenMode::read_store);
  const auto entries = read_trailer(*file, store.packs().front());
  CHECK(salvage_records(*file) == entries);
  const auto salvaged = [&](const Bytes& bytes) {
    put_file(folder / "damaged", bytes);
    const auto damaged = posix_filesystem().open(folder / "damaged", OpenMode::read_store);
    return salvage_records(*damaged);
  };
  for (std::size_t lost = 0; lost < entries.size(); ++lost) {
    for (const std::uint64_t place : {0, 8, 40, 64}) {
      Bytes bytes = good;
      bytes[entries[lost].offset + place] ^= std::byte{0x20};
      auto expected = entries;
      expected.erase(expected.begin() + static_cast<std::ptrdiff_t>(lost));
      CHECK(salvaged(bytes) == expected);
    }
  }
  CHECK(salvaged(Bytes(good.begin(), good.end() - 40)) == entries);
  CHECK(salvaged(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(entries[10].offset + 100))) ==
        std::vector<PackEntry>(entries.begin(), entries.begin() + 10));
  CHECK(salvaged({}).empty());
}

TEST_CASE("a check tells which packs are whole and passes over those that are known") {
  const Scratch folder;
  ObjectStore::create(posix_filesystem(), folder.path());
  ObjectStore store = ObjectStore::open(posix_filesystem(), folder.path(), IndexMode::database);
  for (unsigned i = 0; i < 3; ++i) {
    PackSession session = store.begin_write();
    session.add(ObjectKind::chunk, random_bytes(1000, i));
    session.commit();
  }
  const std::vector<ObjectId> packs = store.packs();
  Bytes bytes = read_file(posix_filesystem(), store.pack_path(packs[1]));
  bytes[200] ^= std::byte{1};
  put_file(store.pack_path(packs[1]), bytes);
  std::vector<ObjectId> good;
  VerifyOptions options;
  options.found_good = [&](const ObjectId& pack, const FileInfo&) { good.push_back(pack); };
  CHECK(store.verify(options).size() == 1);
  CHECK(good == std::vector<ObjectId>{packs[0], packs[2]});
  good.clear();
  options.known_good = [&](const ObjectId& pack, const FileInfo&) { return pack == packs[0]; };
  CHECK(store.verify(options).size() == 1);
  CHECK(good == std::vector<ObjectId>{packs[2]});
  CHECK(store.verify_index().empty());

  const std::string aside = store.set_aside(packs[1]);
  store.drop_pack(packs[1]);
  CHECK(read_file(posix_filesystem(), aside) == bytes);
  CHECK(store.packs().size() == 2);
  store.set_aside(packs[0]);
  store.drop_pack(packs[0]);  // whole: it stays
  CHECK(store.packs().size() == 2);
  CHECK(store.verify_all().empty());
  CHECK(store.verify_index().empty());
}

TEST_CASE("a session stores only what is wanted and does not believe distrusted packs") {
  const Scratch folder;
  ObjectStore::create(posix_filesystem(), folder.path());
  ObjectStore store = ObjectStore::open(posix_filesystem(), folder.path(), IndexMode::memory);
  const Bytes one = random_bytes(1000, 1), two = random_bytes(1000, 2);
  PackSession first = store.begin_write();
  const ObjectId id = first.add(ObjectKind::chunk, one);
  const std::vector<ObjectId> packs = first.commit();
  CHECK(first.had(id));
  PackSession second = store.begin_write();
  second.distrust({packs.begin(), packs.end()});
  second.store_only({id});
  CHECK(second.add(ObjectKind::chunk, one) == id);
  const ObjectId other = second.add(ObjectKind::chunk, two);
  CHECK(other == object_id(ObjectKind::chunk, two));
  CHECK_FALSE(second.had(other));
  // The same records would make the same pack: one more object gives it another name.
  second.store_only({id, object_id(ObjectKind::chunk, two)});
  second.add(ObjectKind::chunk, two);
  second.commit();
  CHECK(second.objects_added() == 2);
  CHECK(store.packs().size() == 2);
}

}  // namespace dstore::test
