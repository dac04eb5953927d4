#include "repo/sandbox.h"

namespace dstore::test {
namespace {

struct Fixture {
  Sandbox box;
  Repository repository = box.init("repository");
  Fixture() {
    make_model(box.dir / "base", encoder());
    box.import(repository, box.dir / "base", "base");
  }
  /// Commits the folder `task` and checks that it comes back byte for byte.
  CommitReport commit(FolderCommit options = {}) {
    const CommitReport report = box.commit(repository, box.dir / "task", "base", "task", options);
    box.check_out(repository, "task", box.dir / "out");
    CHECK(files_of(box.dir / "out") == files_of(box.dir / "task"));
    return report;
  }
  std::size_t count(const CommitReport& report, DeltaOp op) {
    std::size_t n = 0;
    for (const auto& change : report.delta.table.changes) n += change.op == op;
    return n;
  }
};

std::vector<TestTensor> tuned(const std::string& prefix = "") {
  std::vector<TestTensor> tensors = encoder(prefix);
  tensors[1].bytes[5] ^= 1;
  tensors[2].bytes[100] ^= 8;
  return tensors;
}

TEST_CASE("a changed folder is stored as its difference and comes back byte for byte") {
  Fixture f;
  make_model(f.box.dir / "task", tuned(), "{\"a\": 2}\n");
  const CommitReport report = f.commit();
  CHECK(report.delta.changed == 2);
  CHECK(report.delta.table.changes.size() == 2);
  CHECK(f.count(report, DeltaOp::modify) == 2);
  CHECK(f.repository.read_commit(report.commit).base == resolve_commit(f.repository, "base"));
  CHECK(f.repository.read_commit(report.commit).parents == std::vector<ObjectId>{resolve_commit(f.repository, "base")});
  // Again: nothing to do.
  CHECK(f.box.commit(f.repository, f.box.dir / "task", "base", "task").unchanged);
}

TEST_CASE("a head's prefix over the base's names costs renamings, not tensors") {
  Fixture f;
  std::vector<TestTensor> tensors = tuned("bert.");
  tensors.push_back(tensor("classifier.weight", {2, 8}, 77));
  make_model(f.box.dir / "task", tensors);
  const CommitReport report = f.commit();
  CHECK(report.alignment.prefix == "bert.");
  CHECK_FALSE(report.alignment.prefix_in_base);
  CHECK(f.count(report, DeltaOp::rename) == 2);
  CHECK(f.count(report, DeltaOp::modify) == 2);
  CHECK(f.count(report, DeltaOp::add) == 1);
}

TEST_CASE("a prefix that only the base has is found too") {
  Fixture f;
  make_model(f.box.dir / "prefixed", encoder("bert."));
  f.box.import(f.repository, f.box.dir / "prefixed", "prefixed");
  make_model(f.box.dir / "task", tuned());
  const CommitReport report = f.box.commit(f.repository, f.box.dir / "task", "prefixed", "task");
  CHECK(report.alignment.prefix_in_base);
  CHECK(report.alignment.matched == 4);
  f.box.check_out(f.repository, "task", f.box.dir / "out");
  CHECK(files_of(f.box.dir / "out") == files_of(f.box.dir / "task"));
}

TEST_CASE("dropped, added and reshaped tensors come back") {
  Fixture f;
  std::vector<TestTensor> tensors = tuned();
  tensors.erase(tensors.begin());
  tensors.back() = tensor("norm", {4, 2}, 5);
  tensors.push_back(tensor("score", {}, 6));
  tensors.push_back(tensor("void", {0}, 6));
  make_model(f.box.dir / "task", tensors);
  const CommitReport report = f.commit();
  CHECK(report.alignment.dropped == 1);
  CHECK(f.count(report, DeltaOp::remove) == 1);
  CHECK(f.count(report, DeltaOp::add) == 3);
}

TEST_CASE("weights that the task ties or unties come back") {
  Fixture f;
  std::vector<TestTensor> tensors = encoder();
  tensors[3] = tensors[1];
  tensors[3].name = "norm";
  make_model(f.box.dir / "task", tensors);
  f.commit();
}

TEST_CASE("another layout of the files comes back as it was committed") {
  Fixture f;
  const std::vector<TestTensor> tensors = tuned();
  put(f.box.dir / "task/a.safetensors", shard({tensors[3], tensors[0]}, {}, 3));
  put(f.box.dir / "task/b.safetensors", shard({tensors[1], tensors[2]}));
  CHECK(f.commit().delta.changed == 2);
}

TEST_CASE("another dtype is stored as a difference, or cast to the base's where that is asked for") {
  Sandbox box;
  Repository repository = box.init("repository");
  put(box.dir / "base/model.safetensors", shard({tensor("w", {64, 64}, 1, DType::bf16), tensor("x", {4}, 2)}));
  box.import(repository, box.dir / "base", "base");
  // The base's own values as F32, one of them changed.
  TestTensor wide{"w", DType::f32, {64, 64}, {}};
  const std::string narrow = tensor("w", {64, 64}, 1, DType::bf16).bytes;
  for (std::size_t i = 0; i < narrow.size(); i += 2) wide.bytes += std::string(2, '\0') + narrow.substr(i, 2);
  wide.bytes[3] ^= 1;
  put(box.dir / "task/model.safetensors", shard({wide, tensor("x", {4}, 2)}));
  const CommitReport kept = box.commit(repository, box.dir / "task", "base", "kept");
  CHECK(kept.delta.added_bytes == 0);
  CHECK(kept.delta.changed == 1);
  CHECK(kept.delta.table.changes.front().op == DeltaOp::convert);
  box.check_out(repository, "kept", box.dir / "out1");
  CHECK(files_of(box.dir / "out1") == files_of(box.dir / "task"));

  FolderCommit options;
  options.dtype = DTypeChoice::base;
  const CommitReport cast = box.commit(repository, box.dir / "task", "base", "cast", options);
  CHECK(cast.delta.added_bytes == 0);
  CHECK(cast.delta.changed == 1);
  box.check_out(repository, "cast", box.dir / "out2");
  std::string changed = narrow;
  changed[1] ^= 1;
  CHECK(slurp(box.dir / "out2/model.safetensors") == shard({{"w", DType::bf16, {64, 64}, changed}, tensor("x", {4}, 2)}));
}

TEST_CASE("names are paired by hand, also crosswise, and wrong pairs are refused") {
  Fixture f;
  std::vector<TestTensor> tensors = encoder();
  std::swap(tensors[1].bytes, tensors[3].bytes);  // layer.0.bias and norm
  tensors[0].name = "shared";
  make_model(f.box.dir / "task", tensors);
  FolderCommit options;
  options.name_map = {{"shared", "embed.weight"}, {"norm", "layer.0.bias"}, {"layer.0.bias", "norm"}};
  const CommitReport report = f.commit(options);
  CHECK(report.delta.changed == 0);
  CHECK(f.count(report, DeltaOp::rename) == 3);
  options.name_map = {{"nothing", "norm"}};
  CHECK(error_of([&] { f.box.commit(f.repository, f.box.dir / "task", "base", "task", options); }) == ErrorCode::invalid_argument);
  options.name_map = {{"norm", "nothing"}};
  CHECK(error_of([&] { f.box.commit(f.repository, f.box.dir / "task", "base", "task", options); }) == ErrorCode::invalid_argument);
}

TEST_CASE("a pair by hand of unequal shapes replaces and removes, each name once") {
  Fixture f;
  make_model(f.box.dir / "task", encoder());
  FolderCommit options;
  options.name_map = {{"norm", "layer.0.weight"}, {"layer.0.weight", "norm"}};
  const CommitReport report = f.commit(options);
  CHECK(f.count(report, DeltaOp::add) == 2);
  CHECK(f.count(report, DeltaOp::remove) == 0);
}

TEST_CASE("a folder that shares nothing with the base is refused unless asked for") {
  Fixture f;
  make_model(f.box.dir / "task", {tensor("other", {3}, 1)});
  CHECK(error_of([&] { f.box.commit(f.repository, f.box.dir / "task", "base", "task"); }) == ErrorCode::conflict);
  FolderCommit options;
  options.allow_unaligned = true;
  f.commit(options);
}

TEST_CASE("a task committed on a task is one hop from the base and says what it came from") {
  Fixture f;
  make_model(f.box.dir / "task", tuned());
  const ObjectId first = f.commit().commit;
  make_model(f.box.dir / "second", encoder("", 1), "{}");
  const CommitReport report = f.box.commit(f.repository, f.box.dir / "second", "task", "second");
  const Commit commit = f.repository.read_commit(report.commit);
  CHECK(commit.base == resolve_commit(f.repository, "base"));
  CHECK(commit.derived_from == std::vector<ObjectId>{first});
}

TEST_CASE("a branch holds bases or tasks, never both, and a tag holds still") {
  Fixture f;
  make_model(f.box.dir / "task", tuned());
  CHECK(error_of([&] { f.box.commit(f.repository, f.box.dir / "task", "base", "base"); }) == ErrorCode::conflict);
  f.commit();
  CHECK(error_of([&] { f.box.import(f.repository, f.box.dir / "base", "task"); }) == ErrorCode::conflict);
  move_ref(f.repository.refs(), f.repository.config().repository, RefName::parse("v1"), RefKind::tag, {}, resolve_commit(f.repository, "base"), f.box.committer());
  make_model(f.box.dir / "new", encoder("", 4));
  CHECK(error_of([&] { f.box.import(f.repository, f.box.dir / "new", "v1"); }) == ErrorCode::conflict);
}

}  // namespace
}  // namespace dstore::test
