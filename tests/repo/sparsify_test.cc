#include "repo/sparsify.h"

#include <set>

#include "delta/element.h"
#include "delta/segment.h"
#include "repo/model_files.h"
#include "repo/sandbox.h"

namespace dstore::test {
namespace {

/// `tensor` with the exponent's low bit of every value flipped: all change, by about their own size.
TestTensor tuned(TestTensor tensor, std::string name = "") {
  const std::size_t unit = unit_type(tensor.dtype).bytes;
  for (std::size_t at = 0; at < tensor.bytes.size(); at += unit) tensor.bytes[at + unit - 2] ^= static_cast<char>(0x80 + at / unit % 3);
  if (!name.empty()) tensor.name = std::move(name);
  return tensor;
}

struct Fixture {
  Sandbox box;
  Repository repository = box.init("repository");
  std::vector<TestTensor> base = encoder(), task;
  Fixture() {
    base.push_back(tensor("ids", {6}, 8, DType::i64));
    base.push_back(tensor("pooler", {3}, 9));
    base.push_back(tensor("same", {5}, 10));
    make_model(box.dir / "base", base);
    box.import(repository, box.dir / "base", "base");
    // Renamed by a prefix, all floats but one changed, integers changed, one tensor dropped, one added.
    for (const TestTensor& t : base) {
      if (t.name == "pooler") continue;
      task.push_back(t.name == "same" ? t : tuned(t));
      task.back().name = "bert." + t.name;
    }
    task.push_back(tensor("classifier", {2, 8}, 20));
    make_model(box.dir / "task", task, "{\"labels\": 2}\n");
    box.commit(repository, box.dir / "task", "base", "full");
  }
  SparsifyReport sparsify(const std::string& revision, double density, SparsifyScope scope, const std::string& branch) {
    SparsifyOptions options;
    options.density = density;
    options.scope = scope;
    options.score = &find_score("magnitude");
    options.message = "sparse";
    return dstore::sparsify(repository, {resolve_commit(repository, revision), revision}, options, RefName::parse(branch), box.committer(), {});
  }
};

std::string read_tensor(const StoredWeights& weights, const std::string& name) {
  const std::size_t index = weights.find(name).value();
  std::string out(weights.tensors()[index].bytes, '\0');
  weights.read(index, 0, std::as_writable_bytes(std::span(out)));
  return out;
}

TEST_CASE("a sparsified task changes exactly k weights, each with the full task's bits, and keeps the rest of its files") {
  Fixture f;
  const ObjectId full = resolve_commit(f.repository, "full");
  const SparsifyReport report = f.sparsify("full", 0.1, SparsifyScope::global, "sparse");
  CHECK(report.elements == 50 * 8 + 8 + 64 + 8 + 3 + 5);
  CHECK(report.places == 48);
  CHECK(report.all.kept == 48);
  CHECK(report.all.changed == 50 * 8 + 8 + 64 + 8);
  CHECK(report.whole.size() == 2);  // ids, classifier
  CHECK(report.delta.changed == 48 + 6);

  const auto base = load_weights(f.repository, f.repository.read_commit(resolve_commit(f.repository, "base")));
  const auto sparse = load_weights(f.repository, f.repository.read_commit(report.commit));
  std::size_t kept = 0;
  for (const TestTensor& t : f.task) {
    const std::string now = read_tensor(*sparse, t.name);
    if (t.name == "classifier" || t.name == "bert.ids") {
      CHECK(now == t.bytes);
      continue;
    }
    const std::string before = read_tensor(*base, t.name.substr(5));
    for (std::size_t at = 0; at < now.size(); at += 4) {
      if (now.substr(at, 4) == before.substr(at, 4)) continue;
      CHECK(now.substr(at, 4) == t.bytes.substr(at, 4));
      ++kept;
    }
  }
  CHECK(kept == 48);
  CHECK_FALSE(sparse->find("bert.pooler"));

  const Commit commit = f.repository.read_commit(report.commit);
  CHECK(commit.parents == std::vector<ObjectId>{full});
  CHECK(commit.derived_from == std::vector<ObjectId>{full});
  CHECK(commit.base == resolve_commit(f.repository, "base"));
  CHECK(commit.fact("method") == "sparsify");
  CHECK(commit.fact("density") == "0.1");
  CHECK(commit.fact("scope") == "global");
  CHECK(commit.fact("by") == "magnitude");
  CHECK(commit.fact("source") == full.hex());
  CHECK(commit.fact("selected") == "48");
  // The folder is the full one's but for the weights.
  f.box.check_out(f.repository, "full", f.box.dir / "full");
  f.box.check_out(f.repository, "sparse", f.box.dir / "sparse");
  auto have = files_of(f.box.dir / "sparse"), want = files_of(f.box.dir / "full");
  CHECK(have.at("model.safetensors").size() == want.at("model.safetensors").size());
  have.erase("model.safetensors");
  want.erase("model.safetensors");
  CHECK(have == want);
  f.box.check_out(f.repository, "base+sparse", f.box.dir / "composed");
}

TEST_CASE("with scope tensor every tensor has its own share") {
  Fixture f;
  const SparsifyReport report = f.sparsify("full", 0.25, SparsifyScope::tensor, "sparse");
  for (const SparsifyReport::Tensor& t : report.tensors) CHECK(t.share.kept == t.units / 4);
  CHECK(report.places == 100 + 2 + 16 + 2);
}

TEST_CASE("where the density leaves room for all, a branch stays and a new branch gets the same weights") {
  Fixture f;
  const ObjectId full = resolve_commit(f.repository, "full");
  const SparsifyReport same = f.sparsify("full", 1, SparsifyScope::global, "full");
  CHECK(same.unchanged);
  CHECK(same.all.kept == same.all.changed);
  CHECK(resolve_commit(f.repository, "full") == full);
  const SparsifyReport copy = f.sparsify("full", 1, SparsifyScope::global, "copy");
  CHECK_FALSE(copy.unchanged);
  CHECK(f.repository.read_commit(copy.commit).checkpoint == f.repository.read_commit(full).checkpoint);
}

TEST_CASE("a branch moves on from the full task; doing it again changes nothing") {
  Fixture f;
  const ObjectId full = resolve_commit(f.repository, "full");
  const SparsifyReport report = f.sparsify("full", 0.1, SparsifyScope::global, "full");
  CHECK(resolve_commit(f.repository, "full") == report.commit);
  CHECK(resolve_commit(f.repository, "full~1") == full);
  CHECK(f.sparsify("full", 0.1, SparsifyScope::global, "full").unchanged);
  // Sparser still: from what is left.
  const SparsifyReport less = f.sparsify("full", 0.01, SparsifyScope::global, "full");
  CHECK(less.all.changed == 48);
  CHECK(less.all.kept == 4);
  // The same content the long way and the short way.
  const SparsifyReport direct = f.sparsify("full~2", 0.01, SparsifyScope::global, "direct");
  CHECK(f.repository.read_commit(direct.commit).delta == f.repository.read_commit(less.commit).delta);
}

TEST_CASE("a base, a branch elsewhere and an untrusted task are refused, and nothing is written") {
  Fixture f;
  const auto packs = f.repository.store().packs();
  CHECK(error_of([&] { f.sparsify("base", 0.1, SparsifyScope::global, "new"); }) == ErrorCode::invalid_argument);
  CHECK(error_of([&] { f.sparsify("full", 0.1, SparsifyScope::global, "base"); }) == ErrorCode::conflict);
  f.box.become_stranger();
  f.repository = Repository::open(f.box.fs, f.repository.directory(), IndexMode::database);
  CHECK(error_of([&] { f.sparsify("full", 0.1, SparsifyScope::global, "new"); }) == ErrorCode::untrusted);
  CHECK(f.repository.store().packs() == packs);
}

TEST_CASE("scopes have names") {
  for (const SparsifyScope scope : {SparsifyScope::global, SparsifyScope::tensor}) CHECK(parse_scope(scope_name(scope)) == scope);
  CHECK(error_of([&] { parse_scope("layer"); }) == ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace dstore::test
