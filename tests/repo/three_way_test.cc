#include "repo/three_way.h"

#include <cmath>

#include "delta/stats.h"
#include "repo/bit_models.h"
#include "repo/common_ancestor.h"

namespace dstore::test {
namespace {

using Kind = ThreeWayOutcome::Kind;

struct Fixture : RepositoryWithBase {
  ObjectId commit(const std::string& name, const std::vector<TestTensor>& tensors, const std::string& config = "{\"a\": 1}\n", const std::string& on = "base") {
    const std::string folder = box.dir / ("folder-" + std::to_string(folders_++));
    make_model(folder, tensors, config);
    return box.commit(repository, folder, on, name).commit;
  }
  ObjectId branch(const std::string& name, const std::string& at) {
    point(name, at);
    return id(at);
  }
  ThreeWayOptions options(const std::string& policy) {
    ThreeWayOptions out;
    out.resolution.policy = find_conflict_policy(policy, true);
    out.message = policy;
    return out;
  }
  MergeSource source(const std::string& name) { return {resolve_commit(repository, name), name}; }
  ThreeWayOutcome merge(const std::string& theirs, const std::string& into, const ThreeWayOptions& options) {
    return merge_into(repository, source(theirs), RefName::parse(into), options, box.committer(), {});
  }
  ThreeWayOutcome onto(const std::string& task, const std::string& target, const ThreeWayOptions& options, const std::string& name = "") {
    return rebase(repository, source(task), source(target), RefName::parse(name.empty() ? task : name), options, box.committer(), {});
  }
  std::string tensor_of(const std::string& revision, const std::string& name) {
    return read_tensor(open_revision(repository, resolve_revision(repository, revision)).files.source(), name);
  }

 private:
  int folders_ = 0;
};

double number(DType dtype, const std::string& unit) {
  double out = 0;
  read_doubles(dtype, as_bytes(unit), std::span(&out, 1));
  return out;
}

/// spec/merging.md, "Three-way", unit by unit.
std::string plain(const std::string& policy, const TestTensor& o, const TestTensor& a, const TestTensor& b, ConflictCounts& counts) {
  const std::size_t unit = unit_type(o.dtype).bytes;
  std::string out;
  for (std::size_t at = 0; at < o.bytes.size(); at += unit) {
    const std::string base = o.bytes.substr(at, unit), ours = a.bytes.substr(at, unit), theirs = b.bytes.substr(at, unit);
    ++counts.elements;
    if (ours != base && theirs != base) ++(ours == theirs ? counts.same : counts.conflict);
    else if (ours != base) ++counts.ours;
    else if (theirs != base) ++counts.theirs;
    if (ours == base) out += theirs;
    else if (theirs == base || ours == theirs || policy == "ours") out += ours;
    else if (policy == "theirs") out += theirs;
    else if (policy == "base") out += base;
    else {
      double sum = number(o.dtype, ours) + number(o.dtype, theirs);
      sum -= number(o.dtype, base);
      if (std::isnan(sum)) sum = std::numeric_limits<double>::quiet_NaN();
      std::string bits(unit, '\0');
      write_doubles(o.dtype, std::span(&sum, 1), std::as_writable_bytes(std::span(bits)));
      out += bits;
    }
  }
  return out;
}

TEST_CASE("a three-way merge works on bits, in every dtype and by every policy") {
  Fixture f;
  const auto start = changed_model(f.base, 4, 20), a = changed_model(start, 3, 40), b = changed_model(start, 3, 60);
  f.commit("start", start);
  f.branch("a", "start");
  f.branch("b", "start");
  f.commit("a", a);
  f.commit("b", b);
  const ObjectId ours = resolve_commit(f.repository, "a"), theirs = resolve_commit(f.repository, "b");
  for (const std::string policy : {"ours", "theirs", "base", "add"}) {
    INFO(policy);
    f.branch("into-" + policy, "a");
    const ThreeWayOutcome outcome = f.merge("b", "into-" + policy, f.options(policy));
    REQUIRE(outcome.kind == Kind::merged);
    CHECK(outcome.ancestor == resolve_commit(f.repository, "start"));
    ConflictCounts counts;
    for (std::size_t t = 0; t < f.base.size(); ++t) {
      INFO(f.base[t].name);
      CHECK(f.tensor_of("into-" + policy, f.base[t].name) == plain(policy, start[t], a[t], b[t], counts));
    }
    CHECK(outcome.report.all.elements == counts.elements);
    CHECK(outcome.report.all.ours == counts.ours);
    CHECK(outcome.report.all.theirs == counts.theirs);
    CHECK(outcome.report.all.same == counts.same);
    CHECK(outcome.report.all.conflict == counts.conflict);
    CHECK(counts.conflict > 0);
    std::uint64_t distances = 0;
    for (const std::uint64_t n : outcome.report.all.distances) distances += n;
    CHECK(distances == counts.conflict);
    const Commit commit = f.repository.read_commit(outcome.commit);
    CHECK(commit.parents == std::vector<ObjectId>{ours, theirs});
    CHECK(commit.base == resolve_commit(f.repository, "base"));
    f.box.check_out(f.repository, "into-" + policy, f.box.dir / ("out-" + policy));
  }
}

TEST_CASE("without a policy a conflict is reported and nothing is written") {
  Fixture f;
  f.commit("a", changed_model(f.base, 3, 40));
  f.commit("b", changed_model(f.base, 3, 60));
  const ObjectId before = resolve_commit(f.repository, "a");
  const std::size_t packs = f.repository.store().packs().size();
  const ThreeWayOutcome outcome = f.merge("b", "a", f.options("fail"));
  CHECK(outcome.kind == Kind::conflicts);
  CHECK(outcome.report.unresolved == outcome.report.all.conflict);
  CHECK(outcome.report.unresolved > 0);
  CHECK(resolve_commit(f.repository, "a") == before);
  ThreeWayOptions dry = f.options("add");
  dry.dry_run = true;
  CHECK(f.merge("b", "a", dry).kind == Kind::merged);
  CHECK(resolve_commit(f.repository, "a") == before);
  CHECK(f.repository.store().packs().size() == packs);
}

TEST_CASE("merges without conflicts need no policy and give the same from both sides") {
  Fixture f;
  auto a = f.base, b = f.base;
  for (std::size_t t = 0; t < 5; ++t) (t % 2 == 0 ? a : b)[t] = changed(f.base[t], 2, 30);
  b[5] = tensor("ids", {6}, 77, DType::i64);
  f.commit("a", a);
  f.commit("b", b);
  f.branch("c", "b");
  CHECK(f.merge("b", "a", f.options("fail")).kind == Kind::merged);
  CHECK(f.merge("a~1", "c", f.options("fail")).kind == Kind::merged);
  for (std::size_t t = 0; t < f.base.size(); ++t) {
    CHECK(f.tensor_of("a", f.base[t].name) == (t == 5 || t % 2 == 1 ? b : a)[t].bytes);
    CHECK(f.tensor_of("c", f.base[t].name) == f.tensor_of("a", f.base[t].name));
  }
  // Merged already; and the other way it is a fast-forward.
  CHECK(f.merge("b", "a", f.options("fail")).kind == Kind::up_to_date);
  const ThreeWayOutcome forward = f.merge("a", "b", f.options("fail"));
  CHECK(forward.kind == Kind::fast_forward);
  CHECK(resolve_commit(f.repository, "b") == resolve_commit(f.repository, "a"));
}

TEST_CASE("a merge method may decide what is in conflict, and sees nothing else") {
  Fixture f;
  const auto a = changed_model(f.base, 3, 40), b = changed_model(f.base, 3, 60);
  f.commit("a", a);
  f.commit("b", b);
  ThreeWayOptions options = f.options("fail");
  const MergeMethod& method = find_merge_method("magnitude_prune");
  const MergeSettings settings(method.name, method.parameters, {{"density", {"0.01"}}}, 2, 0);
  options.resolution.method = &method;
  options.resolution.settings = &settings;
  const ThreeWayOutcome outcome = f.merge("b", "a", options);
  REQUIRE(outcome.kind == Kind::merged);
  for (std::size_t t = 0; t < 5; ++t) {
    ConflictCounts counts;
    const std::string kept = plain("ours", f.base[t], a[t], b[t], counts), result = f.tensor_of("a", f.base[t].name);
    const std::size_t unit = unit_type(f.base[t].dtype).bytes;
    std::size_t moved = 0;
    for (std::size_t at = 0; at < kept.size(); at += unit) {
      const auto is = [&](const TestTensor& x, const TestTensor& y) { return x.bytes.compare(at, unit, y.bytes, at, unit) == 0; };
      const bool conflict = !is(a[t], f.base[t]) && !is(b[t], f.base[t]) && !is(a[t], b[t]);
      if (!conflict) CHECK(result.compare(at, unit, kept, at, unit) == 0);
      else moved += result.compare(at, unit, f.base[t].bytes, at, unit) != 0;
    }
    // Of each side at most 1 % of the elements are kept: of those in conflict, since there is nothing else.
    CHECK(moved > 0);
    CHECK(moved <= 2 * (kept.size() / unit) / 100);
  }
}

TEST_CASE("tensors that both sides change as a whole are conflicts by name") {
  Fixture f;
  const auto with = [&](const TestTensor& more, bool drop) {
    auto out = f.base;
    if (drop) out.erase(out.begin() + 2);
    out.push_back(more);
    return out;
  };
  auto a = with(tensor("head", {2, 8}, 70), false), b = with(tensor("head", {2, 8}, 71), true);
  a[2] = changed(a[2], 5, 9);
  a.push_back(tensor("only.ours", {4}, 1));
  b.push_back(tensor("only.theirs", {4}, 2));
  f.commit("a", a, "{\"labels\": 2}\n");
  f.commit("b", b, "{\"labels\": 3}\n");
  const ThreeWayOutcome failed = f.merge("b", "a", f.options("add"));
  CHECK(failed.kind == Kind::conflicts);
  REQUIRE(failed.report.whole.size() == 2);
  CHECK(failed.report.whole[0].name == "w.F32");
  CHECK(failed.report.whole[0].what == "ours: F32 [300, 8], theirs removed it, the common base: F32 [300, 8]");
  CHECK(failed.report.whole[1].name == "head");
  REQUIRE(failed.files.size() == 1);
  CHECK(failed.files[0].path == "config.json");
  CHECK_FALSE(failed.files_resolved);
  f.branch("t", "a");
  CHECK(f.merge("b", "a", f.options("ours")).kind == Kind::merged);
  CHECK(f.merge("b", "t", f.options("theirs")).kind == Kind::merged);
  CHECK(f.tensor_of("a", "head") == tensor("head", {2, 8}, 70).bytes);
  CHECK(f.tensor_of("t", "head") == tensor("head", {2, 8}, 71).bytes);
  CHECK(f.tensor_of("a", "w.F32") == a[2].bytes);
  CHECK_FALSE(open_revision(f.repository, resolve_revision(f.repository, "t")).files.source().find("w.F32").has_value());
  for (const std::string name : {"a", "t"}) {
    CHECK(f.tensor_of(name, "only.ours") == tensor("only.ours", {4}, 1).bytes);
    CHECK(f.tensor_of(name, "only.theirs") == tensor("only.theirs", {4}, 2).bytes);
    f.box.check_out(f.repository, name, f.box.dir / name);
    CHECK(slurp(f.box.dir / name + "/config.json") == (name == "a" ? "{\"labels\": 2}\n" : "{\"labels\": 3}\n"));
    // Reads back as what it is: the folder commits as no change.
    const CheckpointFolder folder(f.box.fs, f.box.dir / name);
    CHECK(folder.tensors().tensors().size() == open_revision(f.repository, resolve_revision(f.repository, name)).files.source().tensors().size());
  }
  // Only the files in conflict: a choice for them is enough.
  ThreeWayOptions files = f.options("ours");
  files.files = Side::theirs;
  f.branch("u", "a~1");
  CHECK(f.merge("b", "u", files).kind == Kind::merged);
  f.box.check_out(f.repository, "u", f.box.dir / "u");
  CHECK(slurp(f.box.dir / "u/config.json") == "{\"labels\": 3}\n");
}

TEST_CASE("the common ancestor is the nearest; of several the newest") {
  Fixture f;
  const ObjectId one = f.commit("a", changed_model(f.base, 4, 1));
  const ObjectId two = f.commit("b", changed_model(f.base, 4, 2));
  CHECK(common_ancestors(f.repository, one, {two}) == std::vector<ObjectId>{resolve_commit(f.repository, "base")});
  CHECK(common_ancestors(f.repository, one, {one}) == std::vector<ObjectId>{one});
  CHECK(common_ancestors(f.repository, one, {resolve_commit(f.repository, "base")}) == std::vector<ObjectId>{resolve_commit(f.repository, "base")});
  f.branch("a1", "a");
  f.branch("b1", "b");
  REQUIRE(f.merge("b", "a1", f.options("ours")).kind == Kind::merged);
  REQUIRE(f.merge("a", "b1", f.options("ours")).kind == Kind::merged);
  const ThreeWayOutcome crossed = f.merge("b1", "a1", f.options("ours"));
  CHECK(crossed.ancestors == 2);
  CHECK(crossed.kind == Kind::merged);
  CHECK(common_ancestors(f.repository, resolve_commit(f.repository, "a1"), {two}) == std::vector<ObjectId>{two});
  make_model(f.box.dir / "other", wild_model(5));
  const ObjectId stranger = f.box.import(f.repository, f.box.dir / "other", "other");
  CHECK(common_ancestors(f.repository, one, {stranger}).empty());
  f.commit("on-other", changed_model(wild_model(5), 3, 3), "{}", "other");
  CHECK(message_of([&] { f.merge("on-other", "a", f.options("ours")); }).find("no history in common") != std::string::npos);
  CHECK(message_of([&] { f.merge("base", "a", f.options("ours")); }).find("dstore rebase") != std::string::npos);
  CHECK(error_of([&] { f.merge("a", "nobody", f.options("ours")); }) == ErrorCode::not_found);
}

TEST_CASE("a rebase takes a task's changes to another base, and says what both changed") {
  Fixture f;
  auto task = changed_model(f.base, 4, 40);
  for (TestTensor& t : task) t.name = "bert." + t.name;
  task.push_back(tensor("head", {2, 8}, 70));
  f.commit("task", task, "{\"labels\": 2}\n");
  auto target = changed_model(f.base, 4, 90);
  make_model(f.box.dir / "new", target, "{\"a\": 1}\n");
  put(f.box.dir / "new/README.md", "new\n");
  const ObjectId new_base = f.box.import(f.repository, f.box.dir / "new", "base");
  const ObjectId old = resolve_commit(f.repository, "task");
  for (const auto& [policy, plain_policy] : std::map<std::string, std::string>{{"keep-task", "ours"}, {"keep-base", "theirs"}, {"add", "add"}}) {
    INFO(policy);
    const ThreeWayOutcome outcome = f.onto("task", "base", f.options(policy), "to-" + policy);
    REQUIRE(outcome.kind == Kind::merged);
    ConflictCounts counts;
    for (std::size_t t = 0; t < f.base.size(); ++t) CHECK(f.tensor_of("to-" + policy, "bert." + f.base[t].name) == plain(plain_policy, f.base[t], task[t], target[t], counts));
    CHECK(outcome.report.all.conflict == counts.conflict);
    CHECK(f.tensor_of("to-" + policy, "head") == task.back().bytes);
    const Commit commit = f.repository.read_commit(outcome.commit);
    CHECK(commit.base == new_base);
    CHECK(commit.parents == std::vector<ObjectId>{old});
    const CheckoutReport report = f.box.check_out(f.repository, "base+to-" + policy, f.box.dir / policy);
    CHECK(slurp(f.box.dir / policy + "/config.json") == "{\"labels\": 2}\n");
    CHECK(slurp(f.box.dir / policy + "/README.md") == "new\n");
    // The same in an expression.
    f.box.check_out(f.repository, "rebase(" + policy + ": task, base)", f.box.dir / ("x-" + policy));
    f.box.check_out(f.repository, "to-" + policy, f.box.dir / ("y-" + policy));
    CHECK(files_of(f.box.dir / ("x-" + policy)) == files_of(f.box.dir / ("y-" + policy)));
    f.box.check_out(f.repository, "base+rebase(" + policy + ": task, base)", f.box.dir / ("z-" + policy));
    CHECK(files_of(f.box.dir / ("z-" + policy)) == files_of(f.box.dir / policy));
  }
  CHECK(f.onto("task", "base", f.options("fail")).kind == Kind::conflicts);
  CHECK(resolve_commit(f.repository, "task") == old);
  CHECK(error_of([&] { f.tensor_of("rebase(task, base)", "head"); }) == ErrorCode::conflict);
  CHECK(f.onto("task", "base~1", f.options("fail")).kind == Kind::up_to_date);
  commit_computed(f.repository, resolve_revision(f.repository, "rebase(task, base~1)"), "same", RefName::parse("same"), f.box.committer(), {});
  CHECK(f.tensor_of("same", "head") == task.back().bytes);
  CHECK(f.onto("task", "base", f.options("add")).kind == Kind::merged);
  CHECK(resolve_commit(f.repository, "task~1") == old);
  CHECK(error_of([&] { f.onto("base", "base~1", f.options("add")); }) == ErrorCode::invalid_argument);
  CHECK(error_of([&] { f.onto("task", "task~1", f.options("add")); }) == ErrorCode::invalid_argument);
}

TEST_CASE("a rebase is clean where the base did not change, bit for bit") {
  Fixture f;
  auto task = f.base, target = f.base;
  for (std::size_t t = 0; t < 5; ++t) {
    const TestTensor a = changed(f.base[t], 2, 30), b = changed(f.base[t], 2, 31);
    const std::size_t unit = unit_type(a.dtype).bytes;
    for (std::size_t at = 0; at < a.bytes.size(); at += unit) {
      if (at / unit % 2 == 0) std::copy_n(a.bytes.begin() + static_cast<std::ptrdiff_t>(at), unit, task[t].bytes.begin() + static_cast<std::ptrdiff_t>(at));
      else std::copy_n(b.bytes.begin() + static_cast<std::ptrdiff_t>(at), unit, target[t].bytes.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }
  f.commit("task", task);
  make_model(f.box.dir / "new", target);
  f.box.import(f.repository, f.box.dir / "new", "base");
  const ThreeWayOutcome outcome = f.onto("task", "base", f.options("fail"));
  REQUIRE(outcome.kind == Kind::merged);
  for (std::size_t t = 0; t < 5; ++t) {
    ConflictCounts counts;
    CHECK(f.tensor_of("task", f.base[t].name) == plain("ours", f.base[t], task[t], target[t], counts));
    CHECK(counts.conflict == 0);
  }
  // There and back again.
  CHECK(f.onto("task", "base~1", f.options("fail")).kind == Kind::merged);
  for (std::size_t t = 0; t < 5; ++t) CHECK(f.tensor_of("task", f.base[t].name) == task[t].bytes);
}

TEST_CASE("tensors with other rows are refused with their shapes, or merged where all have rows") {
  Fixture f;
  const auto rows_of = [](const TestTensor& tensor, std::uint64_t rows, unsigned seed) {
    TestTensor out = wild(tensor.name, {rows, 8}, seed, tensor.dtype);
    std::copy_n(tensor.bytes.begin(), std::min(out.bytes.size(), tensor.bytes.size()), out.bytes.begin());
    return out;
  };
  auto task = changed_model(f.base, 3, 40), target = changed_model(f.base, 3, 50);
  task[2] = rows_of(task[2], 310, 7);
  target[2] = rows_of(target[2], 320, 8);
  f.commit("task", task);
  make_model(f.box.dir / "new", target);
  put(f.box.dir / "new/tokenizer.json", "{}");
  f.box.import(f.repository, f.box.dir / "new", "base");
  const ThreeWayOutcome refused = f.onto("task", "base", f.options("add"));
  CHECK(refused.kind == Kind::conflicts);
  REQUIRE(refused.report.whole.size() == 1);
  CHECK(refused.report.whole[0].rows);
  CHECK(refused.report.whole[0].what == "ours: F32 [310, 8], theirs: F32 [320, 8], the common base: F32 [300, 8]");
  CHECK(refused.tokenizers.find("tokenizer.json none (ours), ") == 0);
  ThreeWayOptions options = f.options("add");
  options.common_rows = true;
  REQUIRE(f.onto("task", "base", options).kind == Kind::merged);
  const std::string result = f.tensor_of("task", "w.F32");
  ConflictCounts counts;
  TestTensor a = task[2], b = target[2];
  a.bytes.resize(300 * 8 * 4);
  b.bytes.resize(300 * 8 * 4);
  CHECK(result.substr(0, a.bytes.size()) == plain("add", f.base[2], a, b, counts));
  CHECK(result.substr(a.bytes.size()) == task[2].bytes.substr(a.bytes.size()));
}

}  // namespace
}  // namespace dstore::test
