#include "repo/publish.h"

#include <atomic>
#include <set>
#include <thread>

#include "repo/history.h"
#include "repo/sandbox.h"

namespace dstore::test {
namespace {

TEST_CASE("writers that race for a branch all succeed, in one line of history") {
  Sandbox box;
  Repository first = box.init("r");
  make_model(box.dir / "base", encoder());
  const ObjectId base = box.import(first, box.dir / "base", "base");
  constexpr int kWriters = 3, kEach = 4;
  std::atomic<int> failures{0};
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w] {
        try {
          Repository repository = Repository::open(box.fs, first.directory(), IndexMode::database);
          for (int i = 0; i < kEach; ++i) {
            PackSession session = repository.store().begin_write();
            Commit commit = repository.read_commit(base);
            commit.message = "writer " + std::to_string(w) + " commit " + std::to_string(i);
            publish_commit(repository, session, commit, RefName::parse("base"), box.committer());
          }
        } catch (const std::exception&) {
          ++failures;
        }
      });
    }
  }
  CHECK(failures == 0);
  Repository repository = Repository::open(box.fs, first.directory(), IndexMode::memory);
  const auto line = first_parents(repository, resolve_commit(repository, "base"));
  CHECK(line.size() == 1 + kWriters * kEach);
  CHECK(line.back() == base);
  std::set<std::string> messages;
  for (const ObjectId& id : line) {
    messages.insert(repository.read_commit(id).message);
    CHECK(repository.read_commit(id).parents.size() <= 1);
    CHECK(repository.require_commit(id).signature.verdict == Verdict::good);
  }
  CHECK(messages.size() == line.size());
  CHECK(repository.refs().entries(RefName::parse("base")).size() == line.size());
}

TEST_CASE("a ref moves only from where it was expected") {
  Sandbox box;
  Repository repository = box.init("r");
  make_model(box.dir / "base", encoder());
  const ObjectId base = box.import(repository, box.dir / "base", "base");
  const ObjectId other = *ObjectId::from_hex(std::string(64, 'a'));
  const auto move = [&](const char* name, const ObjectId& expected, const ObjectId& target) {
    return move_ref(repository.refs(), repository.config().repository, RefName::parse(name), RefKind::branch, expected, target, box.committer());
  };
  CHECK_FALSE(move("base", other, base));
  CHECK_FALSE(move("base", {}, base));
  CHECK_FALSE(move("new", other, base));
  CHECK(move("new", {}, base));
  CHECK(move("new", base, {}));
  CHECK(error_of([&] { resolve_commit(repository, "new"); }) == ErrorCode::not_found);
  CHECK(move("new", {}, base));
  CHECK(repository.refs().entries(RefName::parse("new")).size() == 3);
}

TEST_CASE("a commit that expects a branch somewhere is made there or not at all") {
  Sandbox box;
  Repository repository = box.init("r");
  make_model(box.dir / "base", encoder());
  const ObjectId base = box.import(repository, box.dir / "base", "base");
  const auto publish = [&](const char* branch, const ObjectId& expected, const std::string& message) {
    PackSession session = repository.store().begin_write();
    Commit commit = repository.read_commit(base);
    commit.message = message;
    commit.parents = {base};
    return publish_commit(repository, session, commit, RefName::parse(branch), box.committer(), expected);
  };
  CHECK(error_of([&] { publish("base", {}, "x"); }) == ErrorCode::conflict);
  CHECK(error_of([&] { publish("base", *ObjectId::from_hex(std::string(64, 'a')), "x"); }) == ErrorCode::conflict);
  CHECK(error_of([&] { publish("new", base, "x"); }) == ErrorCode::conflict);
  CHECK(resolve_commit(repository, "base") == base);
  const ObjectId first = publish("new", {}, "first");
  CHECK(repository.read_commit(first).parents == std::vector<ObjectId>{base});
  const ObjectId second = publish("new", first, "second");
  CHECK(repository.read_commit(second).parents == std::vector<ObjectId>{first});
  CHECK(resolve_commit(repository, "new") == second);
}

TEST_CASE("a commit whose signature does not hold is refused, one without is not") {
  Sandbox box;
  Repository repository = box.init("r");
  make_model(box.dir / "base", encoder());
  box.import(repository, box.dir / "base", "signed");
  box.become_stranger();
  make_model(box.dir / "other", encoder("", 5));
  box.import(repository, box.dir / "other", "strange");
  const ObjectId plain = import_folder(repository, CheckpointFolder(box.fs, box.dir / "base"), RefName::parse("plain"), "plain", box.unsigned_committer(), {}).commit;
  box.become_ada();
  const Repository reopened = Repository::open(box.fs, repository.directory(), IndexMode::database);
  CHECK(reopened.require_commit(resolve_commit(reopened, "signed")).signature.verdict == Verdict::good);
  CHECK(error_of([&] { box.check_out(reopened, "strange", box.dir / "out"); }) == ErrorCode::untrusted);
  CHECK_FALSE(std::filesystem::exists(box.dir / "out"));
  CHECK(reopened.require_commit(plain).signature.verdict == Verdict::unsigned_);
}

}  // namespace
}  // namespace dstore::test
