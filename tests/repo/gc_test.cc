#include "odb/condemned.h"
#include "repo/disk_usage.h"
#include "repo/forget.h"
#include "repo/forgotten.h"
#include "repo/missing_objects.h"
#include "repo/reachable.h"
#include "repo/repack.h"
#include "repo/sandbox.h"

namespace dstore::test {
namespace {

CollectOptions at_once() {
  CollectOptions options;
  options.wait_seconds = 0;
  return options;
}

CollectReport gc(Repository& repository, KeepHistory keep = {}) {
  Reachable reachable(repository, keep);
  return repository.store().collect(reachable, at_once());
}

struct Fixture {
  Sandbox box;
  Repository ada = box.init("ada");
  Fixture() {
    make_model(box.dir / "base", encoder());
    box.import(ada, box.dir / "base", "base");
  }
  /// A task whose weights and side file depend on `number`; another call with the same name puts a commit on top.
  ObjectId make_task(unsigned number, const std::string& name) {
    std::vector<TestTensor> tensors = encoder();
    for (unsigned i = 0; i < 40; ++i) tensors[2].bytes[4 * (i + number)] ^= 1;
    make_model(box.dir / ("task" + std::to_string(number)), tensors, "{\"task\": " + std::to_string(number) + "}\n");
    return box.commit(ada, box.dir / ("task" + std::to_string(number)), "base", name).commit;
  }
  void move(const std::string& name, const ObjectId& target, RefKind kind = RefKind::branch) {
    const auto head = ada.refs().head(RefName::parse(name));
    const ObjectId present = head ? head->new_commit : ObjectId();
    if (target.is_none()) {
      const Lease lease = ada.store().lease();
      REQUIRE(move_ref(ada.refs(), ada.config().repository, RefName::parse(name), kind, present, target, box.committer()));
    } else {
      const bool moved = point_ref(ada, RefName::parse(name), kind, present, target, box.committer());
      REQUIRE(moved);
    }
  }
  void check_model(const Repository& repository, const std::string& revision, const std::string& folder) {
    const std::string out = box.dir / ("out" + std::to_string(++outs));
    box.check_out(repository, revision, out);
    CHECK(files_of(out) == files_of(box.dir / folder));
  }
  ForgetReport forget(const std::vector<ObjectId>& commits, bool force = false) { return dstore::forget(ada, commits, force, box.committer(), at_once()); }
  int outs = 0;
};

/// Takes the pack with this object out of a store, as a collection does that is killed in between.
struct GivenAway {
  GivenAway(Repository& repository, const ObjectId& object) {
    const ObjectEntry entry = *repository.store().find(object);
    const std::string pack = repository.path("packs/" + pack_file_name(entry.pack));
    // Commit and delta are in one pack: all but the delta is written anew.
    PackSession session = repository.store().begin_write();
    const auto file = repository.fs().open(pack, OpenMode::read_store);
    for (const PackEntry& other : read_trailer(*file, entry.pack)) {
      if (other.id != object) session.add_stored({other.kind, other.id, other.codec, other.raw_size, read_record(*file, other)});
    }
    const auto names = session.commit();
    repository.fs().remove(pack);
    Condemned condemned = read_condemned(repository.fs(), repository.directory());
    condemned.packs = names;
    write_condemned(repository.fs(), repository.directory(), condemned);
  }
};

bool whole(const Repository& repository) {
  std::vector<ObjectId> heads;
  for (const RefEntry& head : repository.refs().heads()) heads.push_back(head.new_commit);
  return repository.store().verify_all().empty() && is_complete(repository, heads);
}

TEST_CASE("gc removes what no branch, tag, mirror or stage leads to, and nothing else") {
  Fixture f;
  const ObjectId first = f.make_task(1, "task");
  const ObjectId second = f.make_task(2, "task");
  const ObjectId tagged = f.make_task(3, "other");
  const ObjectId dropped = f.make_task(4, "gone");
  f.move("v1", tagged, RefKind::tag);
  f.move("other", {});
  f.move("gone", {});
  const CollectReport report = gc(f.ada);
  CHECK(report.removed.at(ObjectKind::commit).objects == 1);
  CHECK(report.removed.at(ObjectKind::signature).objects == 1);
  for (const ObjectId& id : {first, second, tagged}) CHECK(f.ada.store().contains(id));
  CHECK_FALSE(f.ada.store().contains(dropped));
  CHECK(whole(f.ada));
  f.check_model(f.ada, "task", "task2");
  f.check_model(f.ada, "task~1", "task1");
  f.check_model(f.ada, "v1", "task3");
  f.check_model(f.ada, "base", "base");
  CHECK(gc(f.ada).packs_deleted.empty());
}

TEST_CASE("gc keeps as much of the refs' history as it is told") {
  Fixture f;
  const ObjectId first = f.make_task(1, "a");
  const ObjectId other = f.make_task(2, "b");
  const ObjectId third = f.make_task(3, "c");
  f.move("a", other);
  f.move("a", third);
  f.move("b", {});
  f.move("c", {});
  KeepHistory keep;
  keep.last = 5;
  gc(f.ada, keep);
  for (const ObjectId& id : {first, other, third}) CHECK(f.ada.store().contains(id));
  keep.last = 2;
  gc(f.ada, keep);
  CHECK_FALSE(f.ada.store().contains(first));
  CHECK(f.ada.store().contains(other));
  gc(f.ada);
  CHECK_FALSE(f.ada.store().contains(other));
  CHECK(f.ada.store().contains(third));
  CHECK(resolve_commit(f.ada, "a") == third);
  gc(f.ada, keep);  // what history names is gone already
  CHECK(whole(f.ada));
}

TEST_CASE("bases of staged trainings and mirrors of remotes stay") {
  Fixture f;
  const ObjectId staged = f.make_task(1, "staged-from");
  const ObjectId pushed = f.make_task(2, "pushed");
  f.box.add_remote(f.ada, "origin", f.box.dir / "remote");
  push(f.ada, "origin", {RefName::parse("pushed")}, f.box.committer(), {}, {});
  const std::string work = f.box.dir / "work";
  put(join_path(work, "stage.json"), "{}");
  publish_stage(f.ada, work, RefName::parse("waiting"), staged);
  f.move("staged-from", {});
  f.move("pushed", {});
  gc(f.ada);
  CHECK(f.ada.store().contains(staged));
  CHECK(f.ada.store().contains(pushed));
  remove_tree(f.box.fs, f.ada.path("staged/waiting"));
  remove_tree(f.box.fs, f.ada.path("remotes/origin"));
  gc(f.ada);
  CHECK_FALSE(f.ada.store().contains(staged));
  CHECK_FALSE(f.ada.store().contains(pushed));
}

TEST_CASE("gc refuses where damage hides what is needed, and removes nothing") {
  Fixture f;
  f.make_task(1, "task");
  f.make_task(2, "gone");
  f.move("gone", {});
  const Commit commit = f.ada.read_commit(resolve_commit(f.ada, "task"));
  const ObjectEntry entry = *f.ada.store().find(commit.checkpoint);
  const std::string pack = f.ada.path("packs/" + pack_file_name(entry.pack));
  std::string bytes = slurp(pack);
  bytes[entry.offset + 70] ^= 1;
  std::filesystem::permissions(pack, std::filesystem::perms::owner_all);
  put(pack, bytes);
  Repository damaged = Repository::open(f.box.fs, f.ada.directory(), IndexMode::memory);
  const auto before = files_of(f.ada.path("packs"));
  CHECK(error_of([&] { gc(damaged); }) == ErrorCode::corrupt);
  CHECK(files_of(f.ada.path("packs")) == before);
}

TEST_CASE("a branch made while its commit is condemned keeps it alive") {
  Fixture f;
  const ObjectId commit = f.make_task(1, "task");
  f.move("task", {});
  {
    const Lease lease = f.ada.store().lease();  // somebody who writes: the collection condemns and waits in vain
    CHECK_FALSE(gc(f.ada).waiting.empty());
  }
  CHECK_FALSE(read_condemned(f.box.fs, f.ada.directory()).packs.empty());
  f.move("again", commit);
  gc(f.ada);
  CHECK(read_condemned(f.box.fs, f.ada.directory()).packs.empty());
  CHECK(whole(f.ada));
  f.check_model(f.ada, "again", "task1");
}

TEST_CASE("a commit upon a base that is condemned keeps the base alive") {
  Fixture f;
  const ObjectId base = resolve_commit(f.ada, "base");
  f.move("base", {});
  {
    const Lease lease = f.ada.store().lease();
    CHECK_FALSE(gc(f.ada).waiting.empty());
  }
  std::vector<TestTensor> tensors = encoder();
  tensors[1].bytes[3] ^= 1;
  make_model(f.box.dir / "new", tensors);
  const std::uint64_t limit = 2 * tensors[0].bytes.size();  // what a commit takes without its base's weights is half of it
  SECTION("its weights are not written again") {
    CHECK(f.box.commit(f.ada, f.box.dir / "new", base.hex(), "task").stored_bytes < limit);
  }
  SECTION("but are where packs are being deleted") {
    Condemned condemned = read_condemned(f.box.fs, f.ada.directory());
    condemned.deleting = true;
    write_condemned(f.box.fs, f.ada.directory(), condemned);
    CHECK(f.box.commit(f.ada, f.box.dir / "new", base.hex(), "task").stored_bytes > limit);
  }
  gc(f.ada);
  CHECK(whole(f.ada));
  f.check_model(f.ada, "task", "new");
  f.check_model(f.ada, base.hex(), "base");
}

TEST_CASE("what a killed collection has left of a commit is not built upon") {
  Fixture f;
  const ObjectId task = f.make_task(1, "task");
  const Commit commit = f.ada.read_commit(task);
  f.move("task", {});
  {
    const Lease lease = f.ada.store().lease();
    gc(f.ada);
  }
  GivenAway gone(f.ada, *commit.delta);
  CHECK(error_of([&] { f.move("again", task); }) == ErrorCode::not_found);
  CHECK_FALSE(f.ada.refs().head(RefName::parse("again")));
}

TEST_CASE("a push upon commits that the remote has condemned does not send them again") {
  Fixture f;
  f.box.add_remote(f.ada, "origin", f.box.dir / "remote");
  push(f.ada, "origin", {}, f.box.committer(), {}, {});
  Repository remote = open_remote(f.box.fs, f.box.dir / "remote", false);
  {
    const Lease lease = remote.store().lease();
    REQUIRE(move_ref(remote.refs(), remote.config().repository, RefName::parse("base"), RefKind::branch, resolve_commit(f.ada, "base"), {}, f.box.committer()));
    CHECK_FALSE(gc(remote).waiting.empty());
  }
  f.make_task(1, "task");
  const TransferReport report = push(f.ada, "origin", {RefName::parse("task")}, f.box.committer(), {}, {});
  CHECK(report.bytes < 2 * encoder()[0].bytes.size());
  gc(remote);
  CHECK(whole(remote));
}

TEST_CASE("a training's commit stays while its lease lives") {
  Fixture f;
  const ObjectId commit = f.make_task(1, "task");
  f.move("task", {});
  {
    const Lease lease = keep_commit(f.ada, commit);
    CHECK(gc(f.ada).waiting.empty());
    CHECK(f.ada.store().contains(commit));
  }
  gc(f.ada);
  CHECK_FALSE(f.ada.store().contains(commit));
}

TEST_CASE("repack joins packs, changes their encoding, and no id") {
  Fixture f;
  for (unsigned i = 1; i < 6; ++i) f.make_task(i, "task" + std::to_string(i));
  std::map<ObjectId, ObjectKind> before, after;
  const auto list = [&](std::map<ObjectId, ObjectKind>& out) {
    f.ada.store().for_each(std::nullopt, [&](const ObjectEntry& entry) { out.emplace(entry.id, entry.kind); });
  };
  list(before);
  CHECK(f.ada.store().packs().size() == 6);
  CHECK(repack(f.ada, at_once()).packs_written.size() == 1);
  CHECK(f.ada.store().packs().size() == 1);
  CHECK(repack(f.ada, at_once()).packs_deleted.empty());
  CollectOptions compact = at_once();
  compact.profile = Profile::compact;
  const CollectReport report = repack(f.ada, compact);
  CHECK(report.bytes_after < report.bytes_before);
  CollectOptions fast = at_once();
  fast.profile = Profile::fast;
  repack(f.ada, fast);
  std::size_t planes = 0;
  f.ada.store().for_each(ObjectKind::chunk, [&](const ObjectEntry& entry) { planes += entry.codec == Codec::planes; });
  CHECK(planes == 0);
  CollectOptions small = at_once();
  small.pack_target = 3000;
  CHECK(repack(f.ada, small).packs_written.size() > 2);
  list(after);
  CHECK(after == before);
  CHECK(whole(f.ada));
  for (unsigned i = 1; i < 6; ++i) f.check_model(f.ada, "task" + std::to_string(i), "task" + std::to_string(i));
}

TEST_CASE("usage adds up to the bytes of the packs, whatever is in them") {
  Fixture f;
  const auto check = [&] {
    const DiskUsage usage = disk_usage(f.ada);
    std::uint64_t files = 0, exclusive = 0;
    for (const auto& [name, content] : files_of(f.ada.path("packs"))) files += content.size();
    for (const DiskUsage::Ref& ref : usage.refs) exclusive += ref.exclusive;
    CHECK(usage.total == files);
    CHECK(usage.exclusive == exclusive);
    CHECK(usage.exclusive + usage.shared + usage.elsewhere + usage.copies + usage.garbage + usage.framing + usage.unreadable == files);
    CHECK(usage.bases + usage.tasks == usage.exclusive + usage.shared + usage.elsewhere);
    return usage;
  };
  CHECK(check().garbage == 0);
  f.make_task(1, "one");
  const DiskUsage two = check();
  REQUIRE(two.refs.size() == 2);
  CHECK(two.refs[0].name == "base");
  CHECK(two.refs[0].exclusive == 0);  // the task needs all of it
  CHECK(two.refs[1].exclusive > 0);
  CHECK(two.refs[1].shared == two.shared);
  f.make_task(2, "two");
  f.box.add_remote(f.ada, "origin", f.box.dir / "remote");
  push(f.ada, "origin", {RefName::parse("two")}, f.box.committer(), {}, {});
  f.move("two", {});
  CHECK(check().elsewhere > 0);
  f.make_task(3, "three");
  f.move("three", {});
  CHECK(check().garbage > 0);
  const std::uint64_t garbage = check().garbage;
  const std::uint64_t before = check().total;
  const CollectReport report = gc(f.ada);
  CHECK(check().garbage == 0);
  CHECK(before - check().total >= garbage);
  CHECK(report.bytes_after == check().total);
}

TEST_CASE("forget removes exactly what only that commit uses, and says so") {
  Fixture f;
  const ObjectId kept = f.make_task(1, "kept");
  const ObjectId gone = f.make_task(2, "gone");
  CHECK(error_of([&] { f.forget({gone}); }) == ErrorCode::conflict);
  CHECK(f.ada.refs().forgotten().empty());
  f.check_model(f.ada, "gone", "task2");
  f.move("gone", {});
  const ForgetReport report = f.forget({gone});
  CHECK(report.records.size() == 1);
  CHECK_FALSE(report.records.front().signature.empty());
  CHECK(report.still_there == 0);
  CHECK(report.exclusive > 3);
  CHECK(report.shared > 0);
  CHECK(report.kept_records.empty());
  CHECK_FALSE(f.ada.store().contains(gone));
  CHECK(f.ada.store().contains(kept));
  CHECK(forgotten_commits(f.ada) == std::set<ObjectId>{gone});
  CHECK(whole(f.ada));
  f.check_model(f.ada, "kept", "task1");
  CHECK(f.ada.refs().heads().size() == 2);
}

TEST_CASE("a commit in the middle of a history leaves its record, and the others their content") {
  Fixture f;
  f.make_task(1, "task");
  const ObjectId middle = f.make_task(2, "task");
  f.make_task(3, "task");
  const Commit commit = f.ada.read_commit(middle);
  const ForgetReport report = f.forget({middle});
  CHECK(report.kept_records == std::vector<ObjectId>{middle});
  CHECK(f.ada.store().contains(middle));
  CHECK_FALSE(f.ada.store().contains(commit.checkpoint));
  CHECK_FALSE(f.ada.store().contains(*commit.delta));
  f.check_model(f.ada, "task", "task3");
  f.check_model(f.ada, "task~2", "task1");
  CHECK(error_of([&] { f.box.check_out(f.ada, "task~1", f.box.dir / "no"); }) == ErrorCode::not_found);
  CHECK(error_of([&] { f.move("back", middle); }) == ErrorCode::not_found);
  CHECK(whole(f.ada));
  gc(f.ada);
  CHECK(f.ada.store().contains(middle));
  CHECK(whole(f.ada));
}

TEST_CASE("a base that is forgotten by force takes the branches of its tasks with it") {
  Fixture f;
  make_model(f.box.dir / "second", encoder("", 77));
  f.box.import(f.ada, f.box.dir / "second", "second");
  f.make_task(1, "task");
  const ObjectId base = resolve_commit(f.ada, "base");
  const Commit commit = f.ada.read_commit(base);
  const ObjectId weights = read_checkpoint(f.ada, commit).weights;
  const ForgetReport report = f.forget({base}, true);
  CHECK(report.deleted_refs == std::vector<std::string>{"base", "task"});
  CHECK(report.still_there == 0);
  gc(f.ada);
  CHECK_FALSE(f.ada.store().contains(weights));
  CHECK(whole(f.ada));
  f.check_model(f.ada, "second", "second");
}

TEST_CASE("remotes and clones honour a record, and nobody brings the commit back") {
  Fixture f;
  const ObjectId kept = f.make_task(1, "kept");
  const ObjectId gone = f.make_task(2, "gone");
  f.box.add_remote(f.ada, "origin", f.box.dir / "remote");
  push(f.ada, "origin", {}, f.box.committer(), {}, {});
  const auto clone = [&](const std::string& name) {
    Repository repository = f.box.init(name);
    f.box.add_remote(repository, "origin", f.box.dir / "remote");
    fetch(repository, "origin", {}, {});
    fast_forward(repository, "origin", {}, f.box.committer());
    return repository;
  };
  Repository bob = clone("bob");
  const ObjectId delta = *f.ada.read_commit(gone).delta;

  f.forget({gone}, true);
  CHECK(push(f.ada, "origin", {}, f.box.committer(), {}, {}).forgotten == 1);
  CHECK(push(f.ada, "origin", {}, f.box.committer(), {}, {}).forgotten == 0);
  Repository remote = open_remote(f.box.fs, f.box.dir / "remote", false);
  gc(remote);
  CHECK_FALSE(remote.store().contains(delta));
  CHECK(remote.store().contains(kept));

  CHECK(bob.store().contains(delta));
  CHECK(fetch(bob, "origin", {}, {}).forgotten == 1);
  CHECK(error_of([&] { f.box.check_out(bob, "gone", f.box.dir / "no"); }) == ErrorCode::not_found);
  gc(bob);
  CHECK_FALSE(bob.store().contains(delta));
  CHECK(whole(bob));
  f.check_model(bob, "kept", "task1");
  const TransferReport pushed = push(bob, "origin", {}, f.box.committer(), {}, {});
  CHECK(pushed.skipped == std::vector<std::string>{"gone"});
  CHECK_FALSE(open_remote(f.box.fs, f.box.dir / "remote", false).store().contains(delta));
  fetch(f.ada, "origin", {}, {});
  CHECK_FALSE(f.ada.store().contains(delta));

  Repository carol = clone("carol");  // the remote's branch still names it
  CHECK_FALSE(carol.store().contains(delta));
  CHECK(whole(carol));
  CHECK(error_of([&] { resolve_commit(carol, "gone"); }) == ErrorCode::not_found);
}

TEST_CASE("a record by a stranger does not count") {
  Fixture f;
  const ObjectId task = f.make_task(1, "task");
  f.box.add_remote(f.ada, "origin", f.box.dir / "remote");
  push(f.ada, "origin", {}, f.box.committer(), {}, {});
  Repository remote = open_remote(f.box.fs, f.box.dir / "remote", false);
  f.box.become_stranger();
  REQUIRE(move_ref(remote.refs(), remote.config().repository, forgotten_name(task), RefKind::forgotten, {}, task, f.box.committer()));
  f.box.become_ada();
  CHECK(error_of([&] { fetch(f.ada, "origin", {}, {}); }) == ErrorCode::untrusted);
  CHECK(forgotten_commits(f.ada).empty());
  f.make_task(2, "task");
  push(f.ada, "origin", {}, f.box.committer(), {}, {});
  gc(f.ada);
  f.check_model(f.ada, "task~1", "task1");
}

TEST_CASE("a killed forget is finished by gc, and by itself") {
  Fixture f;
  const ObjectId gone = f.make_task(1, "gone");
  const ObjectId delta = *f.ada.read_commit(gone).delta;
  f.move("gone", {});
  {
    const Lease lease = f.ada.store().lease();
    const ForgetReport waiting = f.forget({gone});
    CHECK_FALSE(waiting.collection.waiting.empty());
    CHECK(waiting.still_there > 0);
  }
  SECTION("again") { CHECK(f.forget({gone}).still_there == 0); }
  SECTION("gc") { gc(f.ada); }
  CHECK_FALSE(f.ada.store().contains(delta));
  CHECK(f.ada.refs().entries(forgotten_name(gone)).size() == 1);
}

}  // namespace
}  // namespace dstore::test
