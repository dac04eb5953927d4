#include "odb/condemned.h"
#include "repo/disk_usage.h"
#include "repo/repack.h"
#include "repo/upkeep.h"

namespace dstore::test {
namespace {

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

TEST_CASE("gc removes what no branch, tag, mirror or stage leads to, and nothing else") {
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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

}  // namespace
}  // namespace dstore::test
