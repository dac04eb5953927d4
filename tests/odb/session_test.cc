#include <thread>
#include <utility>

#include "collect_store.h"
#include "durability/fault_filesystem.h"
#include "odb/index.h"

namespace dstore::test {
namespace {

/// Calls `after_list` once, when the packs have been listed and nobody has looked at the list yet.
class HookedFilesystem : public FaultFilesystem {
 public:
  std::function<void()> after_list;
  std::vector<std::string> list(const std::string& path) override {
    auto names = FaultFilesystem::list(path);
    if (path.ends_with("packs")) {
      if (const auto hook = std::exchange(after_list, {})) hook();
    }
    return names;
  }
};

constexpr std::uint64_t kTarget = 10'000;  ///< about three chunks a pack
constexpr unsigned kChunks = 20;

Bytes chunk_of(unsigned i) { return random_bytes(3000, i); }

/// Chunks, then a tensor that names them all. Returns how many objects were new.
std::uint64_t write_all(Filesystem& fs, const std::string& dir, unsigned chunks = kChunks, bool commit = true) {
  ObjectStore store = ObjectStore::open(fs, dir, IndexMode::memory);
  PackSession session = store.begin_write(Profile::fast, kTarget);
  for (unsigned i = 0; i < chunks; ++i) session.add(ObjectKind::chunk, chunk_of(i));
  if (commit) {
    session.add(ObjectKind::tensor, text_bytes("names the chunks"));
    session.commit();
  }
  return session.objects_added();
}

}  // namespace

TEST_CASE("work that was stopped finds its full packs again and adds only the rest") {
  const Scratch folder;
  ObjectStore::create(posix_filesystem(), folder.path());
  CHECK(write_all(posix_filesystem(), folder.path(), 10, false) == 10);
  const std::size_t packs = open_store(folder.path()).packs().size();
  CHECK(packs == 3);
  CHECK(posix_filesystem().list(folder / "tmp").empty());
  CHECK(write_all(posix_filesystem(), folder.path()) == kChunks + 1 - 9);
  CHECK(write_all(posix_filesystem(), folder.path()) == 0);
  CHECK(open_store(folder.path()).verify_all().empty());
}

TEST_CASE("a session killed at any change to the disk leaves whole packs, leaves before what names them") {
  using Fault = FaultFilesystem::Fault;
  int calls = 0;
  {
    const Scratch folder;
    ObjectStore::create(posix_filesystem(), folder.path());
    FaultFilesystem fs;
    write_all(fs, folder.path());
    calls = fs.calls();
  }
  const ObjectId tensor = object_id(ObjectKind::tensor, text_bytes("names the chunks"));
  std::set<std::uint64_t> rests;
  for (int at = 1; at <= calls; ++at) {
    INFO("call " << at << " of " << calls);
    const Scratch folder;
    ObjectStore::create(posix_filesystem(), folder.path());
    FaultFilesystem fs(Fault::cut, at);
    try {
      write_all(fs, folder.path());
    } catch (const Error&) {
      // the cut
    }
    ObjectStore store = open_store(folder.path());
    CHECK(store.verify_all().empty());
    std::uint64_t there = 0;
    bool gap = false, out_of_order = false;
    for (unsigned i = 0; i < kChunks; ++i) {
      const bool found = store.contains(object_id(ObjectKind::chunk, chunk_of(i)));
      out_of_order = out_of_order || (found && gap);
      gap = gap || !found;
      there += found;
    }
    CHECK_FALSE(out_of_order);
    const bool complete = store.contains(tensor);
    if (complete) CHECK(there == kChunks);
    const std::uint64_t rest = write_all(posix_filesystem(), folder.path());
    CHECK(rest == kChunks + 1 - there - (complete ? 1 : 0));
    rests.insert(rest);
  }
  CHECK(rests.size() > 5);  // it was stopped in many places
}

TEST_CASE("packs that several threads fill are published in order, and each object once") {
  const Scratch folder;
  ObjectStore::create(posix_filesystem(), folder.path());
  ObjectStore store = open_store(folder.path(), IndexMode::database);
  PackSession session = store.begin_write(Profile::fast, kTarget);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 60; ++i) session.add(ObjectKind::chunk, chunk_of((i * 7 + t) % 60));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto names = session.commit();
  CHECK(names.size() == store.packs().size());
  CHECK(session.objects_added() == 60);
  for (unsigned i = 0; i < 60; ++i) CHECK(store.read(ObjectKind::chunk, object_id(ObjectKind::chunk, chunk_of(i))) == chunk_of(i));
  CHECK(store.verify_all().empty());
}

TEST_CASE("a pack that another process adds to the index while the folder is looked at stays in it") {
  const Scratch folder;
  ObjectStore::create(posix_filesystem(), folder.path());
  HookedFilesystem fs;
  ObjectStore slow = open_store(folder.path(), IndexMode::database, fs);
  ObjectStore quick = open_store(folder.path(), IndexMode::database);
  write_pack(folder.path(), ObjectKind::chunk, {chunk_of(1)});  // so that there is something new to see
  const auto add = [&] {
    PackSession session = quick.begin_write();
    const ObjectId id = session.add(ObjectKind::chunk, chunk_of(2));
    session.commit();
    quick.write_index();
    return id;
  };
  ObjectId id;
  fs.after_list = [&] { id = add(); };
  CHECK_FALSE(slow.contains(fake_id("nothing")));  // a miss lists the folder
  CHECK(open_database_index(posix_filesystem(), folder.path())->copies(id).size() == 1);
  CHECK(quick.contains(id));
}

TEST_CASE("an object in several packs stays readable while any of them does") {
  for (const IndexMode mode : {IndexMode::memory, IndexMode::database}) {
    const Scratch folder;
    ObjectStore::create(posix_filesystem(), folder.path());
    const Bytes twice = chunk_of(1);
    const ObjectId id = write_pack(folder.path(), ObjectKind::chunk, {twice, chunk_of(2)}).front();
    const std::string first = only_pack(open_store(folder.path()));
    const Bytes saved = read_file(posix_filesystem(), first);
    posix_filesystem().remove(first);
    write_pack(folder.path(), ObjectKind::chunk, {twice, chunk_of(3)});
    const std::string second = only_pack(open_store(folder.path()));
    put_file(first, saved);
    for (const std::string& gone : {first, second}) {
      ObjectStore store = open_store(folder.path(), mode);
      ObjectStore warm = open_store(folder.path(), mode);
      CHECK(warm.read(ObjectKind::chunk, id) == twice);
      const Bytes bytes = read_file(posix_filesystem(), gone);
      posix_filesystem().remove(gone);
      CHECK(store.read(ObjectKind::chunk, id) == twice);
      CHECK(warm.read(ObjectKind::chunk, id) == twice);
      CHECK(open_store(folder.path(), mode).read(ObjectKind::chunk, id) == twice);
      put_file(gone, bytes);
    }
    CHECK(open_store(folder.path(), mode).find_prefix(id.hex().substr(0, 8)).size() == 1);
  }
}

}  // namespace dstore::test
