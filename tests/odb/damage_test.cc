// A small pack with every kind of object and every codec, damaged at every place: verify finds all of it, and a read fails or gives
// the right bytes.
#include <map>
#include <set>

#include "delta/tensor_pairs.h"
#include "object/samples.h"
#include "odb/test_store.h"

namespace dstore::test {
namespace {

/// A store of one pack, whose file is damaged in place.
class TinyStore {
 public:
  TinyStore() {
    ObjectStore::create(fs_, folder_.path());
    ObjectStore store = open();
    PackSession session = store.begin_write();
    std::set<ObjectKind> seen;
    for (const Sample& sample : samples()) {
      if (seen.insert(sample.kind).second) add(session, sample.kind, sample.bytes);
    }
    const testing::TensorPair pair = testing::make_pair(DType::bf16, 200, 0.3, testing::Change::ulps, 1);
    add(session, ObjectKind::segment, testing::encode_pair(pair));
    add(session, ObjectKind::chunk, pair.base, chunk_layout(DType::bf16));
    add(session, ObjectKind::chunk, text_bytes("hello\n"));
    add(session, ObjectKind::file, dull_bytes(600, 1));
    add(session, ObjectKind::evaluation, text_bytes(R"({"v":1})"));
    add(session, ObjectKind::signature, random_bytes(116, 2));
    session.commit();
    path_ = only_pack(store);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    content_ = read_file(fs_, path_);
    file_ = fs_.open(path_, OpenMode::write);
  }

  ObjectStore open() { return ObjectStore::open(fs_, folder_.path(), IndexMode::memory); }
  File& file() { return *file_; }
  const Bytes& content() const { return content_; }
  const std::map<ObjectId, std::pair<ObjectKind, Bytes>>& objects() const { return objects_; }

  /// "" if the store behaves as it must while its pack is damaged, else what is wrong.
  std::string problem() {
    try {
      return problem_of(open());
    } catch (const Error& error) {  // another version of packs: nothing of the store is used
      return error.code() == ErrorCode::unsupported ? "" : error.what();
    }
  }

 private:
  std::string problem_of(const ObjectStore& store) const {
    if (store.verify_all({}, 1).empty()) return "verify finds nothing";
    for (const auto& [id, object] : objects_) {
      const auto& [kind, bytes] = object;
      try {
        if (store.read(kind, id) != bytes) return "a read gives other bytes";
      } catch (const Error& error) {
        if (error.code() != ErrorCode::corrupt && error.code() != ErrorCode::not_found) return error.what();
      }
    }
    return "";
  }

  void add(PackSession& session, ObjectKind kind, const Bytes& bytes, const std::optional<ChunkLayout>& layout = {}) {
    objects_[session.add(kind, bytes, layout)] = {kind, bytes};
  }

  Filesystem& fs_ = posix_filesystem();
  Scratch folder_;
  std::string path_;
  Bytes content_;
  std::unique_ptr<File> file_;
  std::map<ObjectId, std::pair<ObjectKind, Bytes>> objects_;
};

}  // namespace

TEST_CASE("the damaged pack has every kind and codec, and is whole before") {
  TinyStore tiny;
  const ObjectStore store = tiny.open();
  CHECK(store.verify_all({}, 1).empty());
  std::set<ObjectKind> kinds;
  std::set<Codec> codecs;
  store.for_each(std::nullopt, [&](const ObjectEntry& entry) {
    kinds.insert(entry.kind);
    codecs.insert(entry.codec);
    CHECK(store.read(entry.kind, entry.id) == tiny.objects().at(entry.id).second);
  });
  CHECK(kinds.size() == kAllKinds.size());
  CHECK(codecs == std::set{Codec::none, Codec::lz4, Codec::planes});
}

TEST_CASE("whatever byte of a pack is changed, verify finds it and no read gives other bytes") {
  TinyStore tiny;
  for (std::size_t at = 0; at < tiny.content().size(); ++at) {
    const std::byte good = tiny.content()[at];
    for (const std::byte bad : {good ^ std::byte{0x01}, good ^ std::byte{0x80}, good ^ std::byte{0xff}, std::byte{0}}) {
      if (bad == good) continue;
      tiny.file().write_at(at, {&bad, 1});
      const std::string problem = tiny.problem();
      if (!problem.empty()) FAIL("byte " << at << " as " << std::to_integer<int>(bad) << ": " << problem);
    }
    tiny.file().write_at(at, {&good, 1});
  }
  CHECK(tiny.open().verify_all({}, 1).empty());
}

TEST_CASE("wherever a pack is cut, verify finds it and no read gives other bytes") {
  TinyStore tiny;
  for (std::size_t size = tiny.content().size(); size-- > 0;) {
    tiny.file().truncate(size);
    const std::string problem = tiny.problem();
    if (!problem.empty()) FAIL(size << " bytes left: " << problem);
  }
}

TEST_CASE("bytes behind a pack are found") {
  TinyStore tiny;
  for (const std::size_t extra : {1, 40, 72, 4096}) {
    tiny.file().write_at(tiny.content().size(), Bytes(extra));
    CHECK(tiny.problem().empty());
    tiny.file().truncate(tiny.content().size());
  }
}

TEST_CASE("a record whose bytes have another id is never taken for that object, though every checksum is right") {
  const Scratch folder;
  Filesystem& fs = posix_filesystem();
  ObjectStore::create(fs, folder.path());
  const Bytes bytes = random_bytes(300, 1), wanted = random_bytes(300, 2);
  const ObjectId id = object_id(ObjectKind::chunk, wanted);
  PackWriter writer(fs, folder / "tmp");
  writer.append(ObjectKind::chunk, id, bytes.size(), Codec::none, bytes);
  const ObjectId name = writer.finish();
  writer.publish(folder / "packs");
  ObjectStore store = ObjectStore::open(fs, folder.path(), IndexMode::memory);
  CHECK(error_of([&] { store.read(ObjectKind::chunk, id); }) == ErrorCode::corrupt);
  CHECK(store.verify_all().size() == 1);
  PackSession session = store.begin_write();
  session.add(ObjectKind::chunk, wanted);
  session.commit();
  CHECK(store.read(ObjectKind::chunk, id) == wanted);
  // Header and trailer changed alike: only the pack's name tells.
  Bytes forged = read_file(fs, folder / ("packs/" + pack_file_name(name)));
  const std::size_t trailer = 16 + 64 + bytes.size();
  for (const std::size_t checksum : {std::size_t{16 + 56}, trailer + 16 + 64}) forged[checksum] ^= std::byte{1};
  put_file(folder / "forged", forged);
  CHECK(error_of([&] { read_trailer(*fs.open(folder / "forged", OpenMode::read_store), name); }) == ErrorCode::corrupt);
}

}  // namespace dstore::test
