#include "repo/transfer.h"

#include "base/passing_filesystem.h"
#include "odb/pack.h"
#include "repo/sandbox.h"

namespace dstore::test {
namespace {

struct Fixture {
  Sandbox box;
  Repository ada = box.init("ada");
  std::string remote = box.dir / "remote";
  Fixture() {
    make_model(box.dir / "base", encoder());
    box.import(ada, box.dir / "base", "base");
    box.add_remote(ada, "origin", remote);
  }
  void make_task(unsigned change, const std::string& name) {
    std::vector<TestTensor> tensors = encoder();
    tensors[2].bytes[change] ^= 1;
    make_model(box.dir / ("task" + std::to_string(change)), tensors);
    box.commit(ada, box.dir / ("task" + std::to_string(change)), "base", name);
  }
  TransferReport push(Repository& from, TransferOptions options = {}) { return dstore::push(from, "origin", {}, box.committer(), options, {}); }
  Repository clone(const std::string& name) {
    Repository repository = box.init(name);
    box.add_remote(repository, "origin", remote);
    fetch(repository, "origin", {}, {});
    fast_forward(repository, "origin", {}, box.committer());
    return repository;
  }
  std::string ref_file(const std::string& ref, int sequence) { return remote + "/refs/" + ref + "/000000000" + std::to_string(sequence); }
};

std::map<ObjectId, ObjectKind> objects(const Repository& repository) {
  std::map<ObjectId, ObjectKind> out;
  const Repository fresh = Repository::open(repository.fs(), repository.directory(), IndexMode::memory);
  fresh.store().for_each(std::nullopt, [&](const ObjectEntry& entry) { out.emplace(entry.id, entry.kind); });
  return out;
}

TEST_CASE("push and clone carry everything; a second push carries exactly what is missing") {
  Fixture f;
  CHECK(f.push(f.ada).refs.size() == 1);
  const auto before = objects(Repository::open(f.box.fs, f.remote, IndexMode::memory));
  CHECK(before == objects(f.ada));
  CHECK(f.push(f.ada).up_to_date == 1);
  f.make_task(9, "task");
  const TransferReport report = f.push(f.ada);
  CHECK(report.refs.size() == 1);
  CHECK(report.up_to_date == 1);
  const auto after = objects(Repository::open(f.box.fs, f.remote, IndexMode::memory));
  CHECK(report.objects == after.size() - before.size());
  CHECK(after == objects(f.ada));
  std::size_t chunks = 0, tensors = 0;
  for (const auto& [id, kind] : after) {
    if (before.count(id) > 0) continue;
    chunks += kind == ObjectKind::chunk;
    tensors += kind == ObjectKind::tensor;
  }
  CHECK(chunks == 0);  // the header and side files are the base's, the weights are a segment
  CHECK(tensors == 0);

  Repository bob = f.clone("bob");
  CHECK(resolve_commit(bob, "task") == resolve_commit(f.ada, "task"));
  CHECK(resolve_commit(bob, "origin/task") == resolve_commit(f.ada, "task"));
  f.box.check_out(bob, "task", f.box.dir / "out");
  CHECK(files_of(f.box.dir / "out") == files_of(f.box.dir / "task9"));
  CHECK(bob.store().verify_all().empty());
  CHECK(fetch(bob, "origin", {}, {}).objects == 0);
}

TEST_CASE("push takes only what follows; force moves branches, never tags") {
  Fixture f;
  f.make_task(9, "task");
  f.push(f.ada);
  Repository bob = f.clone("bob");
  f.make_task(10, "task");
  f.push(f.ada);
  make_model(f.box.dir / "bobs", encoder("", 30));
  FolderCommit options;
  f.box.commit(bob, f.box.dir / "bobs", "base", "task", options);
  CHECK(error_of([&] { f.push(bob); }) == ErrorCode::conflict);
  fetch(bob, "origin", {}, {});
  CHECK(error_of([&] { fast_forward(bob, "origin", {}, f.box.committer()); }) == ErrorCode::conflict);
  TransferOptions force;
  force.force = true;
  CHECK(f.push(bob, force).refs.size() == 1);
  CHECK(fetch(f.ada, "origin", {}, {}).refs.size() == 1);
  CHECK(resolve_commit(f.ada, "origin/task") == resolve_commit(bob, "task"));

  const auto tag = [&](Repository& repository, const char* revision) {
    move_ref(repository.refs(), repository.config().repository, RefName::parse("v1"), RefKind::tag, {}, resolve_commit(repository, revision), f.box.committer());
  };
  tag(bob, "base");
  f.push(bob);
  tag(f.ada, "task");
  CHECK(error_of([&] { f.push(f.ada, force); }) == ErrorCode::conflict);
  fetch(f.ada, "origin", {}, {});
  CHECK(error_of([&] { fast_forward(f.ada, "origin", {RefName::parse("v1")}, f.box.committer()); }) == ErrorCode::conflict);
  CHECK(resolve_commit(f.ada, "v1") == resolve_commit(f.ada, "task"));
}

TEST_CASE("a remote that was rolled back is refused by fetch and push, and nothing moves") {
  Fixture f;
  f.make_task(9, "task");
  f.push(f.ada);
  Repository bob = f.clone("bob");
  f.make_task(10, "task");
  f.push(f.ada);
  fetch(bob, "origin", {}, {});
  const ObjectId seen = resolve_commit(bob, "origin/task");
  SECTION("the last entry is gone") { std::filesystem::remove(f.ref_file("task", 2)); }
  SECTION("the ref is gone") { std::filesystem::remove_all(f.remote + "/refs/task"); }
  SECTION("the last entry is another one") {
    std::filesystem::remove(f.ref_file("task", 2));
    Repository remote = Repository::open(f.box.fs, f.remote, IndexMode::memory);
    move_ref(remote.refs(), remote.config().repository, RefName::parse("task"), RefKind::branch, resolve_commit(bob, "task"), resolve_commit(bob, "base"), f.box.committer());
  }
  const auto head = Repository::open(f.box.fs, f.remote, IndexMode::memory).refs().head(RefName::parse("task"));
  CHECK(error_of([&] { fetch(bob, "origin", {}, {}); }) == ErrorCode::untrusted);
  CHECK(resolve_commit(bob, "origin/task") == seen);
  f.make_task(11, "task");
  CHECK(error_of([&] { f.push(f.ada); }) == ErrorCode::untrusted);
  CHECK(Repository::open(f.box.fs, f.remote, IndexMode::memory).refs().head(RefName::parse("task")) == head);
}

TEST_CASE("unsigned and strange commits and entries are refused before anything is copied") {
  Fixture f;
  f.push(f.ada);
  Repository bob = f.clone("bob");
  Repository remote = Repository::open(f.box.fs, f.remote, IndexMode::memory);
  make_model(f.box.dir / "evil", encoder("", 66));
  const CheckpointFolder evil(f.box.fs, f.box.dir / "evil");
  const auto before = objects(bob);
  SECTION("an unsigned commit and entry") {
    import_folder(remote, evil, RefName::parse("evil"), "evil", f.box.unsigned_committer(), {});
    CHECK(error_of([&] { fetch(bob, "origin", {}, {}); }) == ErrorCode::untrusted);
    CHECK(objects(bob) == before);
    TransferOptions allow;
    allow.allow_unsigned = true;
    CHECK(fetch(bob, "origin", allow, {}).refs.size() == 1);
  }
  SECTION("a stranger's commit and entry") {
    f.box.become_stranger();
    import_folder(remote, evil, RefName::parse("evil"), "evil", f.box.committer(), {});
    f.box.become_ada();
    TransferOptions allow;
    allow.allow_unsigned = true;
    CHECK(error_of([&] { fetch(bob, "origin", allow, {}); }) == ErrorCode::untrusted);
    CHECK(objects(bob) == before);
  }
  SECTION("an entry without a signature for a good commit") {
    move_ref(remote.refs(), remote.config().repository, RefName::parse("copy"), RefKind::branch, {}, resolve_commit(bob, "base"), f.box.unsigned_committer());
    CHECK(error_of([&] { fetch(bob, "origin", {}, {}); }) == ErrorCode::untrusted);
    CHECK(error_of([&] { resolve_commit(bob, "origin/copy"); }) == ErrorCode::not_found);
  }
  SECTION("a deletion without a signature") {
    move_ref(remote.refs(), remote.config().repository, RefName::parse("base"), RefKind::branch, resolve_commit(bob, "base"), {}, f.box.unsigned_committer());
    CHECK(error_of([&] { fetch(bob, "origin", {}, {}); }) == ErrorCode::untrusted);
    CHECK(resolve_commit(bob, "origin/base") == resolve_commit(bob, "base"));
  }
  SECTION("a deletion that is signed is taken over") {
    move_ref(remote.refs(), remote.config().repository, RefName::parse("base"), RefKind::branch, resolve_commit(bob, "base"), {}, f.box.committer());
    CHECK_NOTHROW(fetch(bob, "origin", {}, {}));
    CHECK(error_of([&] { resolve_commit(bob, "origin/base"); }) == ErrorCode::not_found);
    CHECK_NOTHROW(resolve_commit(bob, "base"));
  }
}

TEST_CASE("a tampered remote gives an error and leaves the clone without refs") {
  Fixture f;
  f.push(f.ada);
  std::string pack;
  for (const auto& entry : std::filesystem::directory_iterator(f.remote + "/packs")) pack = entry.path().string();
  const std::string good = slurp(pack);
  std::filesystem::permissions(pack, std::filesystem::perms::owner_all);
  for (std::size_t at = 20; at < good.size(); at += good.size() / 40) {
    std::string bad = good;
    bad[at] ^= 4;
    put(pack, bad);
    Repository bob = f.box.init("bob" + std::to_string(at));
    f.box.add_remote(bob, "origin", f.remote);
    const auto code = error_of([&] {
      fetch(bob, "origin", {}, {});
      fast_forward(bob, "origin", {}, f.box.committer());
      f.box.check_out(bob, "base", f.box.dir / ("out" + std::to_string(at)));
    });
    // Either it was noticed, or the changed byte is of a record that the trailer does not need and all is as it should be.
    if (!code) CHECK(files_of(f.box.dir / ("out" + std::to_string(at))) == files_of(f.box.dir / "base"));
    if (code) CHECK(bob.refs().list().empty());
  }
  put(pack, good);
  std::string entry = slurp(f.ref_file("base", 1));
  entry[entry.find("\"time\":") + 8] ^= 1;
  std::filesystem::permissions(f.ref_file("base", 1), std::filesystem::perms::owner_all);
  put(f.ref_file("base", 1), entry);
  Repository carol = f.box.init("carol");
  f.box.add_remote(carol, "origin", f.remote);
  CHECK(error_of([&] { fetch(carol, "origin", {}, {}); }) == ErrorCode::untrusted);
}

/// Breaks off where a new repository would get its config.
class UnfinishedFilesystem : public PassingFilesystem {
 public:
  bool link(const std::string& from, const std::string& to) override {
    if (to.ends_with("/config")) throw Error(ErrorCode::io, "broken off");
    return PassingFilesystem::link(from, to);
  }
};

TEST_CASE("a push that was killed while it made the remote is done again") {
  Fixture f;
  UnfinishedFilesystem fs;
  CHECK(error_of([&] { open_remote(fs, f.remote, true); }) == ErrorCode::io);
  CHECK(posix_filesystem().list(f.remote).size() >= 3);
  f.push(f.ada);
  CHECK(objects(open_remote(f.box.fs, f.remote, false)) == objects(f.ada));
}

TEST_CASE("a remote that is none is refused, and push does not take over a folder") {
  Fixture f;
  CHECK(error_of([&] { fetch(f.ada, "origin", {}, {}); }) == ErrorCode::remote);
  CHECK(error_of([&] { fetch(f.ada, "nowhere", {}, {}); }) == ErrorCode::not_found);
  put(f.remote + "/something", "x");
  CHECK(error_of([&] { f.push(f.ada); }) == ErrorCode::remote);
  f.box.add_remote(f.ada, "origin", "https://example.org/x");
  CHECK(error_of([&] { f.push(f.ada); }) == ErrorCode::unsupported);
}

}  // namespace
}  // namespace dstore::test
