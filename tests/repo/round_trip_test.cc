#include "repo/sandbox.h"

namespace dstore::test {
namespace {

void check_round_trip(Sandbox& box, const std::string& folder) {
  Repository repository = box.init("repository");
  box.import(repository, folder, "base");
  const CheckoutReport report = box.check_out(repository, "base", box.dir / "out");
  CHECK(files_of(box.dir / "out") == files_of(folder));
  CHECK(report.written == files_of(folder).size());
  CHECK_FALSE(report.in_place);
  // What was checked out is the same model, and importing it again stores nothing.
  const ImportReport again = import_folder(repository, CheckpointFolder(box.fs, box.dir / "out"), RefName::parse("base"), "again", box.committer(), {});
  CHECK(again.unchanged);
  CHECK(again.weights == report.weights);
}

TEST_CASE("a single file with every dtype, scalars and empty tensors comes back byte for byte") {
  Sandbox box;
  std::vector<TestTensor> tensors;
  unsigned seed = 0;
  for (const DTypeInfo& dtype : dtype_table()) {
    const std::string name(dtype.name);
    tensors.push_back(tensor("t." + name, {3, 8}, ++seed, dtype.dtype));
    for (char& c : tensors.back().bytes) c = static_cast<char>(c * 37 + 201);  // NaN payloads and -0 too
    tensors.push_back(tensor("empty." + name, {0, 4}, 0, dtype.dtype));
    if (dtype.bits >= 8) tensors.push_back(tensor("scalar." + name, {}, ++seed, dtype.dtype));
  }
  put(box.dir / "in/model.safetensors", shard(tensors, {{"format", "pt"}, {"author", "\xc3\xa9 \"quoted\""}}));
  put(box.dir / "in/config.json", "{}");
  check_round_trip(box, box.dir / "in");
}

TEST_CASE("odd padding, no metadata, odd alignment and order come back byte for byte") {
  Sandbox box;
  put(box.dir / "in/model.safetensors", shard({tensor("z", {3}, 1, DType::u8), tensor("a", {5}, 2), tensor("m", {1}, 3, DType::i16)}, {}, 13));
  check_round_trip(box, box.dir / "in");
}

TEST_CASE("a model without tensors comes back") {
  Sandbox box;
  put(box.dir / "in/model.safetensors", shard({}, {}));
  check_round_trip(box, box.dir / "in");
}

TEST_CASE("shards, their index and side files in subfolders come back byte for byte") {
  Sandbox box;
  put(box.dir / "in/model-00001-of-00002.safetensors", shard({tensor("a", {4, 4}, 1), tensor("b", {4}, 2)}));
  put(box.dir / "in/model-00002-of-00002.safetensors", shard({tensor("c", {100, 30}, 3, DType::bf16)}, {{"k", "v"}}, 8));
  put(box.dir / "in/model.safetensors.index.json",
      R"({"weight_map": {"a": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors", "b": "model-00001-of-00002.safetensors"}, "metadata": {"x": 1}})");
  put(box.dir / "in/vocab.txt", "one\ntwo\n");
  put(box.dir / "in/deep/er/file", std::string(300000, 'x'));
  put(box.dir / "in/empty", "");
  put(box.dir / "in/.gitattributes", "* text\n");
  check_round_trip(box, box.dir / "in");
}

TEST_CASE("tensors and files of several chunks come back") {
  Sandbox box;
  put(box.dir / "in/model.safetensors", shard({tensor("big", {5 << 20}, 1, DType::u8), tensor("next", {(4 << 20) + 1}, 2, DType::u8)}));
  put(box.dir / "in/big.txt", tensor("", {(8 << 20) + 5}, 3, DType::u8).bytes);
  check_round_trip(box, box.dir / "in");
}

TEST_CASE("tied tensors are stored once and come back") {
  Sandbox box;
  TestTensor a = tensor("a", {40, 40}, 1), b = a;
  b.name = "b";
  put(box.dir / "in/model.safetensors", shard({a, b}));
  check_round_trip(box, box.dir / "in");
}

TEST_CASE("what belongs to git and dstore is not imported") {
  Sandbox box;
  make_model(box.dir / "in", encoder());
  const auto files = files_of(box.dir / "in");
  for (const char* name : {".git/config", ".dstore-checkout", ".dstore-intent", ".dstore-tmp-0123", ".cache/x", "pytorch_model.bin"}) put(box.dir / (std::string("in/") + name), "x");
  Repository repository = box.init("repository");
  box.import(repository, box.dir / "in", "base");
  box.check_out(repository, "base", box.dir / "out");
  CHECK(files_of(box.dir / "out") == files);
}

TEST_CASE("the same folder gives the same ids in any repository") {
  Sandbox box;
  make_model(box.dir / "in", encoder());
  Repository a = box.init("a"), b = box.init("b");
  CHECK(box.import(a, box.dir / "in", "base") != box.import(b, box.dir / "in", "other"));  // the message differs
  CHECK(a.read_commit(resolve_commit(a, "base")).checkpoint == b.read_commit(resolve_commit(b, "other")).checkpoint);
}

TEST_CASE("one file holds all tensors where that is asked for") {
  Sandbox box;
  put(box.dir / "in/model-00001-of-00002.safetensors", shard({tensor("a", {4, 4}, 1)}));
  put(box.dir / "in/model-00002-of-00002.safetensors", shard({tensor("c", {10}, 3, DType::i64)}));
  put(box.dir / "in/model.safetensors.index.json", R"({"weight_map": {"a": "model-00001-of-00002.safetensors", "c": "model-00002-of-00002.safetensors"}})");
  Repository repository = box.init("repository");
  box.import(repository, box.dir / "in", "base");
  CheckoutOptions options;
  options.single_file = true;
  box.check_out(repository, "base", box.dir / "out", options);
  const auto files = files_of(box.dir / "out");
  CHECK(files.size() == 1);
  CHECK(files.at("model.safetensors") == shard({tensor("c", {10}, 3, DType::i64), tensor("a", {4, 4}, 1)}));
}

}  // namespace
}  // namespace dstore::test
