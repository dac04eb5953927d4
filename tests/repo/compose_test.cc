#include "repo/compose.h"

#include "repo/sandbox.h"

namespace dstore::test {
namespace {

std::vector<TestTensor> tuned(const std::string& prefix) {
  std::vector<TestTensor> tensors = encoder(prefix);
  tensors[2].bytes[7] ^= 1;
  tensors.push_back(tensor(prefix.empty() ? "head" : "classifier.weight", {2, 8}, 70));
  return tensors;
}

TEST_CASE("base+task has the base's shards, the task's names and one more shard") {
  Sandbox box;
  Repository repository = box.init("r");
  make_model(box.dir / "base", encoder(), "base config");
  put(box.dir / "base/vocab.txt", "words");
  box.import(repository, box.dir / "base", "base");
  make_model(box.dir / "task", tuned("bert."), "task config");
  box.commit(repository, box.dir / "task", "base", "task");
  box.check_out(repository, "base+task", box.dir / "out");
  auto files = files_of(box.dir / "out");
  std::vector<TestTensor> expected = tuned("bert.");
  const TestTensor head = expected.back();
  expected.pop_back();
  CHECK(files["model-00001-of-00002.safetensors"] == shard(expected));
  CHECK(files["model-00002-of-00002.safetensors"] == shard({head}));
  CHECK(files["config.json"] == "task config");
  CHECK(files["vocab.txt"] == "words");
  CHECK(files.count("model.safetensors") == 0);
  const std::string& index = files["model.safetensors.index.json"];
  CHECK(index.find("\"total_size\": 1984\n") != std::string::npos);
  CHECK(index.find("\"classifier.weight\": \"model-00002-of-00002.safetensors\"") != std::string::npos);
  CHECK(index.back() == '\n');
  // It is a function of the revision: the same again, and the model it holds is the task's.
  box.check_out(repository, "base+task", box.dir / "again");
  CHECK(files_of(box.dir / "again") == files_of(box.dir / "out"));
  CHECK(box.check_out(repository, "task", box.dir / "plain").weights == box.check_out(repository, "base+task", box.dir / "sum").weights);
}

TEST_CASE("a sharded base keeps its file names and its headers byte for byte") {
  Sandbox box;
  Repository repository = box.init("r");
  const std::vector<TestTensor> e = encoder();
  const auto write_base = [&](const std::string& folder) {
    put(folder + "/model-00001-of-00002.safetensors", shard({e[1], e[0]}, {{"x", "y"}}, 5));
    put(folder + "/model-00002-of-00002.safetensors", shard({e[2], e[3]}));
    put(folder + "/model.safetensors.index.json", R"({"weight_map":{"embed.weight":"model-00001-of-00002.safetensors","layer.0.bias":"model-00001-of-00002.safetensors",)"
        R"("layer.0.weight":"model-00002-of-00002.safetensors","norm":"model-00002-of-00002.safetensors"}})");
  };
  write_base(box.dir / "base");
  box.import(repository, box.dir / "base", "base");
  make_model(box.dir / "task", tuned(""));
  box.commit(repository, box.dir / "task", "base", "task");
  box.check_out(repository, "base+task", box.dir / "out");
  auto files = files_of(box.dir / "out");
  CHECK(files["model-00001-of-00002.safetensors"] == slurp(box.dir / "base/model-00001-of-00002.safetensors"));
  CHECK(files["model-00002-of-00002.safetensors"] == shard({tuned("")[2], e[3]}));
  CHECK(files["model-added.safetensors"] == shard({tensor("head", {2, 8}, 70)}));
  // A colleague has the same weights in one file: the same task fits.
  make_model(box.dir / "elsewhere", e);
  box.import(repository, box.dir / "elsewhere", "elsewhere");
  CHECK(box.check_out(repository, "elsewhere+task", box.dir / "out2").weights == box.check_out(repository, "base+task", box.dir / "out3").weights);
}

TEST_CASE("tensors that the task drops leave the shard without holes") {
  Sandbox box;
  Repository repository = box.init("r");
  make_model(box.dir / "base", encoder());
  box.import(repository, box.dir / "base", "base");
  std::vector<TestTensor> tensors = encoder();
  tensors.erase(tensors.begin() + 1);
  make_model(box.dir / "task", tensors);
  box.commit(repository, box.dir / "task", "base", "task");
  box.check_out(repository, "base+task", box.dir / "out");
  CHECK(slurp(box.dir / "out/model.safetensors") == shard(tensors));
  CHECK_FALSE(std::filesystem::exists(box.dir / "out/model.safetensors.index.json"));
}

TEST_CASE("a task on another base is refused: both ids, the tensor, and what fits") {
  Sandbox box;
  Repository repository = box.init("r");
  make_model(box.dir / "base", encoder());
  box.import(repository, box.dir / "base", "base");
  make_model(box.dir / "task", tuned(""));
  box.commit(repository, box.dir / "task", "base", "task");
  const ObjectId wanted = box.check_out(repository, "base", box.dir / "o1").weights;
  std::vector<TestTensor> other = encoder();
  other[3].bytes[0] ^= 1;
  make_model(box.dir / "new", other);
  box.import(repository, box.dir / "new", "base");
  const ObjectId present = box.check_out(repository, "base", box.dir / "o2").weights;
  const auto load = [&] { load_revision(repository, resolve_revision(repository, "base+task")); };
  CHECK(error_of(load) == ErrorCode::conflict);
  const std::string message = message_of(load);
  CHECK(message.find(wanted.short_hex()) != std::string::npos);
  CHECK(message.find(present.short_hex()) != std::string::npos);
  CHECK(message.find("norm differs") != std::string::npos);
  CHECK(message.find("base~1+task fits") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(box.dir / "out"));
  CHECK_NOTHROW(load_revision(repository, resolve_revision(repository, "base~1+task")));
  CHECK(error_of([&] { load_revision(repository, resolve_revision(repository, "base~1+base")); }) == ErrorCode::invalid_argument);
  CHECK(error_of([&] { load_revision(repository, resolve_revision(repository, "task+task")); }) == ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace dstore::test
