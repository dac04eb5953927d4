#include "odb/lease.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/passing_filesystem.h"
#include "collect_store.h"

namespace dstore::test {
namespace {

/// Runs `work` in a process that then ends at once, as if killed.
template <typename Work>
void in_dying_process(const Work& work) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      work();
    } catch (...) {
      _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(status == 0);
}

struct Fixture {
  Scratch folder;
  GivenLiveness liveness;
  Bytes content = random_bytes(2000, 7);
  ObjectId id;  ///< of a dead object in a pack of its own
  Fixture() {
    ObjectStore::create(posix_filesystem(), folder.path());
    id = write_pack(folder.path(), ObjectKind::file, {content}).front();
  }
  ObjectStore open() { return open_store(folder.path()); }
};

/// Locks are granted to everybody, as on some network file systems.
class NoLocks : public PassingFilesystem {
 public:
  class LocklessFile : public File {
   public:
    explicit LocklessFile(std::unique_ptr<File> real) : real_(std::move(real)) {}
    std::size_t read_at(std::uint64_t offset, MutableByteSpan out) override { return real_->read_at(offset, out); }
    void write_at(std::uint64_t offset, ByteSpan bytes) override { real_->write_at(offset, bytes); }
    void truncate(std::uint64_t size) override { real_->truncate(size); }
    void sync() override { real_->sync(); }
    FileInfo info() override { return real_->info(); }
    bool try_lock(LockMode, ByteRange) override { return true; }
    void unlock(ByteRange) override {}
    bool locked_elsewhere(ByteRange) override { return false; }
    const std::string& path() const override { return real_->path(); }

   private:
    std::unique_ptr<File> real_;
  };
  std::unique_ptr<File> open(const std::string& path, OpenMode mode, std::uint32_t permissions) override {
    return std::make_unique<LocklessFile>(real_.open(path, mode, permissions));
  }
};

}  // namespace

TEST_CASE("a lease is seen while its holder lives and removed when it has died") {
  const Scratch folder;
  ObjectStore::create(posix_filesystem(), folder.path());
  CHECK(live_leases(posix_filesystem(), folder.path()).empty());
  {
    const Lease lease = Lease::take(posix_filesystem(), folder.path());
    const auto live = live_leases(posix_filesystem(), folder.path());
    REQUIRE(live.size() == 1);
    CHECK(live.front().name == lease.name());
    CHECK(live.front().generation == 0);
    CHECK(live.front().holder.find("process " + std::to_string(getpid())) == 0);
  }
  CHECK(posix_filesystem().list(folder / "leases").empty());
  in_dying_process([&] {
    new Lease(Lease::take(posix_filesystem(), folder.path()));  // never destroyed
    if (live_leases(posix_filesystem(), folder.path()).size() != 1) _exit(2);
  });
  CHECK(posix_filesystem().list(folder / "leases").size() == 1);
  CHECK(live_leases(posix_filesystem(), folder.path()).empty());
  CHECK(posix_filesystem().list(folder / "leases").empty());
}

TEST_CASE("a collection deletes nothing while a writer is at work that began before") {
  Fixture f;
  ObjectStore store = f.open();
  {
    const Lease lease = Lease::take(posix_filesystem(), f.folder.path());
    const CollectReport report = store.collect(f.liveness, at_once());
    REQUIRE(report.waiting.size() == 1);
    CHECK(report.waiting.front().name == lease.name());
    CHECK(store.contains(f.id));
    CHECK(read_condemned(posix_filesystem(), f.folder.path()).packs.size() == 1);
  }
  CHECK(store.collect(f.liveness, at_once()).packs_deleted.size() == 1);
  CHECK_FALSE(store.contains(f.id));
}

TEST_CASE("a writer that began before may rely on what is condemned meanwhile: it is found alive") {
  Fixture f;
  ObjectStore writer = f.open();
  std::optional<PackSession> session = writer.begin_write();
  CHECK(session->has(f.id));
  // The collection waits; the writer moves its ref and ends in the meantime.
  f.liveness.on_mark = [&](int mark) {
    if (mark == 1) return;
    f.liveness.alive.insert(f.id);
  };
  CollectOptions options = at_once();
  options.wait_seconds = 60;
  ObjectStore store = f.open();
  options.notice = [&](const std::string& line) {
    CHECK(line.find("process") != std::string::npos);
    session.reset();
  };
  CHECK(store.collect(f.liveness, options).packs_deleted.empty());
  CHECK(store.read(ObjectKind::file, f.id) == f.content);
  CHECK(read_condemned(posix_filesystem(), f.folder.path()).packs.empty());
}

TEST_CASE("a writer that begins later writes what is condemned again, and it lives") {
  Fixture f;
  ObjectStore store = f.open();
  {
    const Lease lease = Lease::take(posix_filesystem(), f.folder.path());
    store.collect(f.liveness, at_once());  // condemns, and has to wait
  }
  ObjectStore writer = f.open();
  ObjectId name;
  {
    PackSession session = writer.begin_write();
    CHECK_FALSE(session.has(f.id));
    CHECK(session.add(ObjectKind::file, f.content) == f.id);
    CHECK(session.objects_added() == 1);
    const auto names = session.commit();  // the very same records: another name all the same
    REQUIRE(names.size() == 1);
    name = names.front();
  }
  CHECK(store.packs().size() == 2);
  f.liveness.alive.insert(f.id);
  store.collect(f.liveness, at_once());
  CHECK(store.packs().size() == 1);
  CHECK(open_store(f.folder.path()).read(ObjectKind::file, f.id) == f.content);
  CHECK(store.verify_all().empty());
}

TEST_CASE("writers that overlap without end do not keep a condemned pack for ever") {
  Fixture f;
  std::optional<Lease> writer(Lease::take(posix_filesystem(), f.folder.path()));
  ObjectStore store = f.open();
  CHECK(store.collect(f.liveness, at_once()).waiting.size() == 1);
  for (int turn = 0; turn < 3; ++turn) {  // there is always one, and each begins before the one before ends
    Lease next = Lease::take(posix_filesystem(), f.folder.path());
    writer.reset();
    writer.emplace(std::move(next));
    const CollectReport report = store.collect(f.liveness, at_once());
    CHECK(report.waiting.empty());
    CHECK(report.packs_deleted.size() == (turn == 0 ? 1 : 0));
  }
  CHECK_FALSE(store.contains(f.id));
  // What died meanwhile is another round: the first collection condemns it, and a later one deletes it under the next writer.
  const ObjectId late = write_pack(f.folder.path(), ObjectKind::file, {random_bytes(2000, 8)}).front();
  CHECK(store.collect(f.liveness, at_once()).waiting.size() == 1);
  Lease next = Lease::take(posix_filesystem(), f.folder.path());
  writer.reset();
  CHECK(store.collect(f.liveness, at_once()).packs_deleted.size() == 1);
  CHECK_FALSE(store.contains(late));
}

TEST_CASE("what came to be dead since the last collection does not delay what that one condemned") {
  Fixture f;
  ObjectStore store = f.open();
  std::optional<Lease> first(Lease::take(posix_filesystem(), f.folder.path()));
  store.collect(f.liveness, at_once());
  const Lease second = Lease::take(posix_filesystem(), f.folder.path());  // knows of the first pack alone
  const ObjectId late = write_pack(f.folder.path(), ObjectKind::file, {random_bytes(2000, 8)}).front();
  first.reset();
  CollectOptions all = at_once();
  all.earlier_first = false;
  CHECK(store.collect(f.liveness, at_once()).packs_deleted.size() == 1);
  CHECK_FALSE(store.contains(f.id));
  CHECK(store.contains(late));
  GivenLiveness fresh;
  const CollectReport report = store.collect(fresh, all);
  REQUIRE(report.waiting.size() == 1);
  CHECK(report.waiting.front().name == second.name());
  CHECK(store.contains(late));
}

TEST_CASE("what a writer left that died while the collection waited keeps what it names") {
  Fixture f;
  ObjectId table;
  f.liveness.on_mark = [&](int mark) {
    if (mark == 1) return;
    // Stands for a session that began before and published after the packs were chosen.
    table = write_pack(f.folder.path(), ObjectKind::tensor, {text_bytes("names the condemned object")}).front();
  };
  ObjectStore store = f.open();
  store.collect(f.liveness, at_once());
  CHECK(f.liveness.kept == std::vector<ObjectId>{table});
  CHECK(store.contains(table));
}

TEST_CASE("commits that a long work relies on are marked, and nobody waits for it") {
  Fixture f;
  Lease lease = Lease::take(posix_filesystem(), f.folder.path());
  lease.rely_only_on({f.id});
  ObjectStore store = f.open();
  const CollectReport report = store.collect(f.liveness, at_once());
  CHECK(report.waiting.empty());
  CHECK(f.liveness.kept_commits == std::vector<ObjectId>{f.id});
}

TEST_CASE("one collection at a time") {
  Fixture f;
  f.liveness.on_mark = [&](int) {
    GivenLiveness other;
    ObjectStore second = f.open();
    CHECK(error_of([&] { second.collect(other, at_once()); }) == ErrorCode::conflict);
  };
  f.open().collect(f.liveness, at_once());
}

TEST_CASE("where locks do nothing, writing works and collecting is refused") {
  Fixture f;
  NoLocks fs;
  ObjectStore store = ObjectStore::open(fs, f.folder.path(), IndexMode::memory);
  {
    PackSession session = store.begin_write();
    session.add(ObjectKind::file, text_bytes("more"));
    session.commit();
  }
  CHECK(error_of([&] { store.collect(f.liveness, at_once()); }) == ErrorCode::unsupported);
  CHECK(store.contains(f.id));
}

TEST_CASE("temporary files of dead processes are removed, those of living ones stay") {
  Fixture f;
  const Lease lease = Lease::take(posix_filesystem(), f.folder.path());
  put_file(f.folder / "tmp/" + lease.name() + "-mine", text_bytes("x"));
  put_file(f.folder / "tmp/" + random_name(), text_bytes("x"));
  std::filesystem::create_directories(f.folder / "tmp/old-folder/sub");
  std::filesystem::create_directories(f.folder / "refs/base");
  put_file(f.folder / "refs/base/.tmp-1", text_bytes("x"));
  f.liveness.alive.insert(f.id);
  const CollectReport first = f.open().collect(f.liveness, at_once());
  CHECK(first.leftovers == 2);
  CHECK(posix_filesystem().list(f.folder / "tmp") == std::vector<std::string>{lease.name() + "-mine"});
  CHECK(exists(posix_filesystem(), f.folder / "refs/base/.tmp-1"));  // may be the living one's
}

TEST_CASE("temporary files beside refs and packs go when no writer is at work") {
  Fixture f;
  f.liveness.alive.insert(f.id);
  std::filesystem::create_directories(f.folder / "remotes/origin/base");
  for (const char* name : {"remotes/origin/base/.tmp-1", "packs/.tmp-2", ".tmp-3"}) put_file(f.folder / name, text_bytes("x"));
  CHECK(f.open().collect(f.liveness, at_once()).leftovers == 3);
  CHECK(posix_filesystem().list(f.folder / "remotes/origin/base").empty());
}

TEST_CASE("a list of condemned packs that is damaged is noticed") {
  const Condemned condemned{7, {fake_id("a")}, true};
  CHECK(Condemned::parse(condemned.serialize(), "test") == condemned);
  const std::string text = condemned.serialize();
  for (std::size_t size = 0; size < text.size(); ++size) CHECK(error_of([&] { Condemned::parse(text.substr(0, size), "test"); }) == ErrorCode::corrupt);
  Condemned unsorted{7, {fake_id("a"), fake_id("b")}, false};
  if (unsorted.packs[0] < unsorted.packs[1]) std::swap(unsorted.packs[0], unsorted.packs[1]);
  CHECK(error_of([&] { Condemned::parse(unsorted.serialize(), "test"); }) == ErrorCode::corrupt);
}

}  // namespace dstore::test
