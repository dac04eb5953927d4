#include "repo/forgotten.h"
#include "repo/upkeep.h"

namespace dstore::test {
namespace {

TEST_CASE("forget removes exactly what only that commit uses, and says so") {
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
  Upkeep f;
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
