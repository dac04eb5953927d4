// What is computed, as a side of a merge, a rebase, a sparsification and in a bundle: always the commit that commit_computed() makes.
#include "repo/model_version.h"

#include "repo/bit_models.h"
#include "repo/bundle.h"
#include "repo/sparsify.h"
#include "repo/three_way.h"

namespace dstore::test {
namespace {

using Kind = ThreeWayOutcome::Kind;

/// `mine` comes from `start`, as `a` does; `b` comes from the base, and the base has a newer version.
struct Fixture : RepositoryWithBase {
  std::vector<TestTensor> start = changed_model(base, 4, 20);
  Fixture() {
    add("start", start, "start");
    for (const char* name : {"a", "mine"}) point(name, "start");
    add("mine", changed_model(start, 5, 40), "mine");
    auto a = changed_model(start, 5, 60);
    a.push_back(tensor("head", {2, 8}, 70));
    add("a", a, "a");
    add("b", changed_model(base, 5, 80), "b");
    make_model(box.dir / "next", changed_model(base, 4, 90));
    box.import(repository, box.dir / "next", "next");
  }
  void add(const std::string& name, const std::vector<TestTensor>& tensors, const std::string& config) {
    const std::string folder = box.dir / ("folder-" + name);
    make_model(folder, tensors, config);
    box.commit(repository, folder, "base", name);
  }
  Commit read(const std::string& revision) { return repository.read_commit(id(revision)); }
  void drop(const std::string& name) { REQUIRE(move_ref(repository.refs(), repository.config().repository, RefName::parse(name), RefKind::branch, id(name), {}, box.committer())); }
  ObjectId keep(const std::string& expression, const std::string& name) {
    return commit_computed(repository, resolve_revision(repository, expression), expression, RefName::parse(name), box.committer(), {}).commit;
  }
  static ThreeWayOptions options(const std::string& policy) {
    ThreeWayOptions out;
    out.resolution.policy = find_conflict_policy(policy, true);
    out.message = policy;
    out.files = Side::ours;
    return out;
  }
  ThreeWayOutcome merge(const std::string& theirs, const std::string& into, const ThreeWayOptions& options) {
    return merge_into(repository, find_merge_source(repository, theirs), RefName::parse(into), options, box.committer(), {});
  }
  ThreeWayOutcome onto(const std::string& task, const std::string& target, const ThreeWayOptions& options, const std::string& name) {
    return rebase(repository, find_merge_source(repository, task), {id(target), target}, RefName::parse(name), options, box.committer(), {});
  }
  /// Names and commits of all branches and tags, and the packs.
  std::pair<std::vector<std::string>, std::vector<ObjectId>> state() {
    std::vector<std::string> refs;
    for (const RefEntry& head : repository.refs().heads()) refs.push_back(head.ref.text() + " " + head.new_commit.hex());
    return {refs, repository.store().packs()};
  }
  bool no_leftovers() { return box.fs.list(repository.path("tmp")).empty(); }
};

const char* const kExpressions[] = {"base+0.7*a - b", "base+a+b", "base+-0.5*b", "merge(ties,density=50%,seed=3: a, 0.5*b)", "base+0.5*merge(linear: a, b)", "rebase(add: rebase(add: a, next), base)"};

void check_same_content(const Commit& commit, const Commit& expected) {
  CHECK(commit.checkpoint == expected.checkpoint);
  CHECK(commit.delta == expected.delta);
  CHECK(commit.base == expected.base);
}

TEST_CASE("a computed side merges as the commit of it would, and no branch is made") {
  Fixture f;
  for (const std::string expression : kExpressions) {
    INFO(expression);
    f.point("one", "mine");
    f.point("two", "mine");
    const std::size_t refs = f.state().first.size();
    const ThreeWayOutcome direct = f.merge(expression, "one", f.options("add"));
    CHECK(f.state().first.size() == refs);
    const ObjectId kept = f.keep(expression, "kept");
    const ThreeWayOutcome by_hand = f.merge("kept", "two", f.options("add"));
    REQUIRE(direct.kind == Kind::merged);
    CHECK(direct.ancestor == by_hand.ancestor);
    CHECK(direct.ancestor == f.id(expression.find('a', 4) == std::string::npos || expression == "base+-0.5*b" ? "base" : "start"));
    CHECK(direct.report.all.conflict == by_hand.report.all.conflict);
    check_same_content(f.read("one"), f.read("two"));
    const Commit merged = f.read("one");
    CHECK(merged.parents == std::vector<ObjectId>{f.id("mine"), direct.theirs});
    CHECK(merged.training == f.read("two").training);
    const Commit side = f.repository.require_commit(direct.theirs).commit, expected = f.repository.read_commit(kept);
    check_same_content(side, expected);
    CHECK(side.parents == expected.parents);
    CHECK(side.derived_from == expected.derived_from);
    CHECK(side.training == expected.training);
    CHECK(side.message == expression);
    CHECK(f.repository.check_commit(direct.theirs).signature.verdict == Verdict::good);
    // The same again is there already, whoever asks.
    CHECK(f.merge(expression, "one", f.options("add")).kind == Kind::up_to_date);
    CHECK(f.merge(expression, "one", f.options("add")).theirs == direct.theirs);
    CHECK(f.no_leftovers());
    for (const char* name : {"one", "two", "kept"}) f.drop(name);
  }
}

TEST_CASE("what is computed from a branch is ahead of it") {
  Fixture f;
  f.point("ours", "a");
  ThreeWayOptions dry = f.options("fail");
  dry.dry_run = true;
  const auto before = f.state();
  const ThreeWayOutcome would = f.merge("base+0.5*a+0.5*b", "ours", dry);
  CHECK(would.kind == Kind::fast_forward);
  CHECK(would.theirs.is_none());
  CHECK(f.state() == before);
  const ThreeWayOutcome forward = f.merge("base+0.5*a+0.5*b", "ours", f.options("fail"));
  CHECK(forward.kind == Kind::fast_forward);
  REQUIRE(forward.overlap.has_value());
  CHECK(forward.overlap->shared > 0);
  CHECK(f.id("ours") == forward.commit);
  f.keep("base+0.5*a+0.5*b", "kept");
  check_same_content(f.read("ours"), f.read("kept"));
  CHECK(f.read("ours").parents == std::vector<ObjectId>{f.id("a"), f.id("b")});
}

TEST_CASE("conflicts and dry runs with what is computed write nothing") {
  Fixture f;
  const auto before = f.state();
  ThreeWayOptions dry = f.options("add");
  dry.dry_run = true;
  for (const std::string expression : kExpressions) {
    INFO(expression);
    const ThreeWayOutcome failed = f.merge(expression, "mine", f.options("fail"));
    CHECK(failed.kind == Kind::conflicts);
    CHECK(failed.theirs.is_none());
    CHECK(f.merge(expression, "mine", dry).kind == Kind::merged);
    CHECK(f.onto(expression, "next", f.options("fail"), "new").kind == Kind::conflicts);
    CHECK(f.onto(expression, "next", dry, "new").kind == Kind::merged);
    CHECK(f.onto(expression, "base", f.options("fail"), "new").kind == Kind::up_to_date);
  }
  CHECK(error_of([&] { f.onto("base+0.5*b", "next", f.options("add"), "b"); }) == ErrorCode::conflict);
  CHECK(error_of([&] { f.merge("base+0.5*b", "base", f.options("add")); }) == ErrorCode::invalid_argument);
  f.add("other", changed_model(f.base, 3, 3), "other");
  CHECK(f.state().first.size() == before.first.size() + 1);
  CHECK(f.no_leftovers());
}

TEST_CASE("a computed task is rebased to the bits of rebase(...)") {
  Fixture f;
  for (const std::string expression : kExpressions) {
    for (const std::string policy : {"keep-task", "keep-base", "old-base", "add"}) {
      INFO(expression + " " + policy);
      const ThreeWayOutcome outcome = f.onto(expression, "next", f.options(policy), "moved");
      REQUIRE(outcome.kind == Kind::merged);
      f.box.check_out(f.repository, "moved", f.box.dir / "x");
      f.box.check_out(f.repository, "rebase(" + policy + ": " + expression + ", next)", f.box.dir / "y");
      CHECK(files_of(f.box.dir / "x") == files_of(f.box.dir / "y"));
      const Commit commit = f.read("moved");
      CHECK(commit.parents == std::vector<ObjectId>{outcome.ours});
      CHECK(commit.base == f.id("next"));
      CHECK(commit.fact("ancestor") == f.id("base").hex());
      CHECK(f.repository.read_commit(outcome.ours).fact("expression") == pinned(resolve_revision(f.repository, expression)));
      f.drop("moved");
      for (const char* folder : {"x", "y"}) std::filesystem::remove_all(f.box.dir / folder);
    }
  }
  CHECK(f.no_leftovers());
}

TEST_CASE("a bundle has a computed task as the commit of it, which the repository does not get") {
  Fixture f;
  for (const std::string expression : kExpressions) {
    INFO(expression);
    const auto before = f.state();
    const std::string file = f.box.dir / "x.bundle";
    const BundleReport report = create_bundle(f.repository, {{"calm", find_merge_source(f.repository, expression)}, {"", find_merge_source(f.repository, "base+b")}}, file, true, f.box.committer(), {});
    CHECK(f.state() == before);
    CHECK(f.no_leftovers());
    REQUIRE(report.tasks.size() == 2);
    CHECK(report.tasks[1].name == f.id("b").short_hex());
    Bundle bundle(f.box.fs, file, f.box.dir / "new");
    CHECK(bundle.tasks().at("calm") == report.tasks[0].commit);
    const Commit commit = bundle.repository().require_commit(bundle.choose("calm", false).commit).commit;
    f.keep(expression, "kept");
    check_same_content(commit, f.read("kept"));
    CHECK(commit.parents == f.read("kept").parents);
    CHECK(commit.training == f.read("kept").training);
    f.drop("kept");
  }
  CHECK(error_of([&] { create_bundle(f.repository, {{"x", find_merge_source(f.repository, "a")}, {"x", find_merge_source(f.repository, "base+0.5*b")}}, f.box.dir / "y", false, f.box.committer(), {}); }) ==
        ErrorCode::invalid_argument);
  CHECK_FALSE(exists(f.box.fs, f.box.dir / "y"));
}

TEST_CASE("of what is computed the largest changes are kept as of the commit of it") {
  Fixture f;
  SparsifyOptions options;
  options.density = 0.02;
  options.score = &find_score("magnitude");
  options.message = "sparse";
  for (const std::string expression : kExpressions) {
    INFO(expression);
    const auto sparse = [&](const std::string& revision, const char* name) {
      return sparsify(f.repository, find_merge_source(f.repository, revision), options, RefName::parse(name), f.box.committer(), {});
    };
    const SparsifyReport direct = sparse(expression, "direct");
    f.keep(expression, "kept");
    sparse("kept", "by-hand");
    check_same_content(f.read("direct"), f.read("by-hand"));
    check_same_content(f.repository.read_commit(direct.source), f.read("kept"));
    CHECK(f.read("direct").parents == std::vector<ObjectId>{direct.source});
    CHECK(f.read("direct").fact("source") == direct.source.hex());
    for (const char* name : {"direct", "by-hand", "kept"}) f.drop(name);
  }
}

}  // namespace
}  // namespace dstore::test
