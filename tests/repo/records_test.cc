#include "repo/sandbox.h"

namespace dstore::test {
namespace {

const std::string kIdText(64, 'a');

TEST_CASE("a configuration has one form") {
  RepositoryConfig config;
  config.repository = *ObjectId::from_hex(kIdText);
  config.remotes["origin"] = "/mnt/models/store";
  const std::string text = "{\"remotes\":{\"origin\":\"/mnt/models/store\"},\"repository\":\"" + kIdText + "\",\"v\":1}\n";
  CHECK(config.serialize() == text);
  CHECK(RepositoryConfig::parse(text, "config").serialize() == text);
  for (const std::string& bad :
       {text.substr(0, text.size() - 1), text + "\n", std::string("{}\n"), std::string(), "{\"remotes\":{\"../x\":\"/\"},\"repository\":\"" + kIdText + "\",\"v\":1}\n",
        "{\"remotes\":{\"a/b\":\"/\"},\"repository\":\"" + kIdText + "\",\"v\":1}\n", "{\"remotes\":{},\"repository\":\"" + std::string(64, '0') + "\",\"v\":1}\n",
        "{\"remotes\":{},\"repository\":\"" + kIdText + "\",\"v\":1,\"w\":1}\n", "{\"remotes\":{\"a\":1},\"repository\":\"" + kIdText + "\",\"v\":1}\n"}) {
    INFO(bad);
    CHECK(error_of([&] { RepositoryConfig::parse(bad, "config"); }) == ErrorCode::corrupt);
  }
  CHECK(error_of([&] { RepositoryConfig::parse("{\"v\":3}\n", "config"); }) == ErrorCode::unsupported);
  config.without_base = true;
  const std::string light = config.serialize();
  CHECK(light.ends_with("\"v\":2,\"without_base\":1}\n"));
  CHECK(RepositoryConfig::parse(light, "config").without_base);
  for (const char* end : {"\"v\":1,\"without_base\":1}\n", "\"v\":2,\"without_base\":0}\n", "\"v\":2}\n"}) {
    CHECK(error_of([&] { RepositoryConfig::parse(light.substr(0, light.find("\"v\"")) + end, "config"); }) == ErrorCode::corrupt);
  }
}

TEST_CASE("a checkout's record has one form, whatever byte is changed") {
  const std::string text = "{\"base\":\"\",\"branch\":\"base\",\"commit\":\"" + kIdText + "\",\"files\":{\"a/b\":{\"inode\":\"41\",\"mtime_ns\":\"1700000000000000000\",\"sha256\":\"" +
                           kIdText + "\",\"size\":6}},\"revision\":\"base\",\"v\":1}";
  CHECK(CheckoutRecord::parse(text, "record").serialize() == text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char value : {'\0', '"', '-', '/', '0', '9', 'A', '{', '\xff'}) {
      std::string changed = text;
      changed[i] = value;
      try {
        if (CheckoutRecord::parse(changed, "record").serialize() != changed) FAIL("second form: " << changed);
      } catch (const Error& error) {
        if (error.code() != ErrorCode::corrupt && error.code() != ErrorCode::unsupported) FAIL(error.what());
      }
    }
  }
}

TEST_CASE("an intent that somebody else wrote cannot touch other files") {
  Sandbox box;
  put(box.dir / "outside", "kept");
  const std::string record = "{\"base\":\"\",\"branch\":\"\",\"commit\":\"" + kIdText + "\",\"files\":{},\"revision\":\"x\",\"v\":1}";
  const auto intent = [&](const std::string& removals, const std::string& renames) {
    std::string quoted;
    for (const char c : record) quoted += c == '"' ? std::string("\\\"") : std::string(1, c);
    return "{\"record\":\"" + quoted + "\",\"removals\":[" + removals + "],\"renames\":{" + renames + "},\"v\":1}";
  };
  const auto refused = [&](const std::string& text) {
    put(box.dir / "folder/.dstore-intent", text);
    put(box.dir / "folder/.dstore-tmp-1", "x");
    put(box.dir / "folder/.dstore/config", "kept");
    return error_of([&] { read_checkout_record(box.fs, box.dir / "folder"); });
  };
  for (const char* path : {"\"../outside\"", "\"/etc/passwd\"", "\".dstore/config\"", "\".dstore-checkout\"", "\".git/config\"", "\"\""}) CHECK(refused(intent(path, "")) == ErrorCode::corrupt);
  CHECK(refused(intent("", "\".dstore-tmp-1\":\"../outside\"")) == ErrorCode::corrupt);
  CHECK(refused(intent("", "\".dstore-tmp-1\":\"unlisted\"")) == ErrorCode::corrupt);
  CHECK(refused(intent("", "\"other\":\"x\"")) == ErrorCode::corrupt);
  CHECK(refused("{}") == ErrorCode::corrupt);
  std::filesystem::create_directories(box.dir / "elsewhere");
  put(box.dir / "elsewhere/file", "kept");
  std::filesystem::create_directory_symlink(box.dir / "elsewhere", box.dir / "folder/link");
  CHECK(refused(intent("\"link/file\"", "")) == std::nullopt);
  CHECK(slurp(box.dir / "elsewhere/file") == "kept");
  CHECK(slurp(box.dir / "outside") == "kept");
  CHECK(slurp(box.dir / "folder/.dstore/config") == "kept");
}

TEST_CASE("a stage is refused if a member is missing or of another type") {
  Sandbox box;
  Repository repository = box.init("r");
  make_model(box.dir / "base", encoder());
  const ObjectId base = box.import(repository, box.dir / "base", "base");
  const RefName name = RefName::parse("task");
  const std::string good = R"({"version":1,"base_prefix":"bert.","training":{"method":"bitfit"},"metrics":[{"split":"test","metric":"accuracy","value":"0.5","n":10,"data_sha256":"x"}]})";
  const auto stage = [&](std::string text) {
    std::vector<TestTensor> changed = {encoder()[1], tensor("classifier.bias", {2}, 5)};
    changed[0].bytes[0] ^= 1;
    put(box.dir / "r/.dstore/tmp/out/tensors.safetensors", shard(changed));
    put(box.dir / "r/.dstore/tmp/out/files/config.json", "trained");
    put(box.dir / "r/.dstore/tmp/out/stage.json", text);
    publish_stage(repository, box.dir / "r/.dstore/tmp/out", name, base);
    return error_of([&] { read_stage(repository, name); });
  };
  for (const char* bad : {"", "[]", "{}", "1", R"({"version":"1","base_prefix":"","training":{},"metrics":[]})", R"({"version":2,"base_prefix":"","training":{},"metrics":[]})",
                          R"({"version":1,"training":{},"metrics":[]})", R"({"version":1,"base_prefix":1,"training":{},"metrics":[]})", R"({"version":1,"base_prefix":"","metrics":[]})",
                          R"({"version":1,"base_prefix":"","training":{"a":1},"metrics":[]})", R"({"version":1,"base_prefix":"","training":{},"metrics":[1]})",
                          R"({"version":1,"base_prefix":"","training":{},"metrics":[{"split":"t","metric":"m","value":"1","n":"x","data_sha256":""}]})",
                          R"({"version":1,"base_prefix":"","training":{},"metrics":[{"split":"t","metric":"m","value":"1","n":1.5,"data_sha256":""}]})"}) {
    INFO(bad);
    CHECK(stage(bad) == ErrorCode::corrupt);
  }
  CHECK(stage(good) == std::nullopt);
  CHECK(list_stages(repository) == std::vector<std::string>{"task"});
  const CommitReport report = commit_stage(repository, read_stage(repository, name), "trained", box.committer(), {});
  CHECK(list_stages(repository).empty());
  CHECK(repository.read_commit(report.commit).fact("method") == "bitfit");
  CHECK(repository.read_commit(report.commit).metrics.front().n == 10);
  // The files of a trained task are those of base+task.
  box.check_out(repository, "task", box.dir / "out");
  box.check_out(repository, "base+task", box.dir / "sum");
  CHECK(files_of(box.dir / "out") == files_of(box.dir / "sum"));
  CHECK(slurp(box.dir / "out/config.json") == "trained");
  std::vector<TestTensor> expected = encoder("bert.");
  expected[1].bytes[0] ^= 1;
  CHECK(slurp(box.dir / "out/model-00001-of-00002.safetensors") == shard(expected));
}

}  // namespace
}  // namespace dstore::test
