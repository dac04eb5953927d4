#include "tensor/checkpoint_folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "base/sha256.h"
#include "catch.h"
#include "dstore/error.h"
#include "tensor/safetensors_samples.h"
#include "tensor/temporary_folder.h"

using namespace dstore;

namespace {

// One shard with U8 tensors of one byte each, the byte being `value`.
std::string shard(const std::vector<std::string>& names, char value = 7) {
  std::vector<TensorInfo> tensors;
  for (const std::string& name : names) tensors.push_back({name, DType::u8, {1}, 1});
  const Bytes header = render_safetensors_header(tensors, {{"format", "pt"}});
  return std::string(as_text(header)) + std::string(names.size(), value);
}

std::string index_of(const std::string& weight_map) { return "{\"metadata\":{\"total_size\":3},\"weight_map\":{" + weight_map + "}}"; }

constexpr const char* kTwoShardMap =
    R"("a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors","c":"model-00001-of-00002.safetensors")";

void write_two_shards(const TemporaryFolder& folder) {
  folder.write("model-00001-of-00002.safetensors", shard({"c", "a"}, 1));
  folder.write("model-00002-of-00002.safetensors", shard({"b"}, 2));
  folder.write("model.safetensors.index.json", index_of(kTwoShardMap));
}

void expect_refused(const TemporaryFolder& folder, ErrorCode code, const std::string& part) {
  try {
    CheckpointFolder opened(posix_filesystem(), folder.path());
    FAIL("opened, expected: " << part);
  } catch (const Error& error) {
    INFO(error.what());
    CHECK(error.code() == code);
    CHECK(std::string(error.what()).find(part) != std::string::npos);
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
  }
}

std::vector<std::string> names_of(const Model& model) {
  std::vector<std::string> names;
  for (const TensorInfo& info : model.tensors().tensors()) names.push_back(info.name);
  return names;
}

bool has_notice(const CheckpointFolder& folder, const std::string& part) {
  return std::ranges::any_of(folder.notices(), [&](const std::string& line) { return line.find(part) != line.npos; });
}

}  // namespace

TEST_CASE("a folder with one model file is read") {
  TemporaryFolder folder;
  folder.write("model.safetensors", kSmallFile);
  folder.write("config.json", "{}");
  folder.write("1_Pooling/config.json", "{\"x\":1}");
  folder.write("empty.txt", "");
  const CheckpointFolder opened(posix_filesystem(), folder.path());
  CHECK(names_of(opened) == std::vector<std::string>{"n", "w"});
  CHECK(opened.side_files() == std::vector<std::string>{"1_Pooling/config.json", "config.json", "empty.txt"});
  CHECK(opened.side_file("1_Pooling/config.json") == "{\"x\":1}");
  CHECK(opened.side_file("empty.txt") == "");
  CHECK_FALSE(opened.side_file("model.safetensors"));
  CHECK_FALSE(opened.side_file("../config.json"));
  CHECK_FALSE(opened.index_file());
  CHECK_FALSE(opened.commit());
  CHECK(opened.notices().empty());
  CHECK(opened.description() == "folder " + folder.path());
  REQUIRE(opened.shards().size() == 1);
  CHECK(as_text(opened.shards()[0].bytes) == kSmallFile);

  const TensorSource& tensors = opened.tensors();
  CHECK(tensors.find("w") == 1);
  CHECK_FALSE(tensors.find("x"));
  CHECK(as_text(tensors.view(0)) == "\x18");
  Bytes middle(4);
  tensors.read(1, 20, middle);
  CHECK(as_text(middle) == std::string("\x14\x15\x16\x17"));
  CHECK_THROWS_AS(tensors.read(1, 21, middle), Error);
  CHECK_THROWS_AS(tensors.read(1, ~std::uint64_t{0}, middle), Error);
}

TEST_CASE("a sharded folder is read through its index") {
  TemporaryFolder folder;
  write_two_shards(folder);
  folder.write("consolidated.safetensors", shard({"other"}));
  const CheckpointFolder opened(posix_filesystem(), folder.path());
  CHECK(names_of(opened) == std::vector<std::string>{"a", "b", "c"});
  CHECK(opened.index_file() == "model.safetensors.index.json");
  CHECK(opened.side_file("model.safetensors.index.json") == index_of(kTwoShardMap));
  REQUIRE(opened.shards().size() == 2);
  CHECK(opened.shards()[1].path == "model-00002-of-00002.safetensors");
  for (std::size_t i = 0; i < 3; ++i) {
    const TensorLocation& at = opened.location(i);
    const Shard& holder = opened.shards()[at.shard];
    CHECK(holder.header.entries[at.entry].info == opened.tensors().tensors()[i]);
    CHECK(holder.data().subspan(at.offset, 1).data() == opened.tensors().view(i).data());
  }
  CHECK(opened.tensors().view(1)[0] == std::byte{2});
  CHECK(has_notice(opened, "consolidated.safetensors is kept as a plain file"));
}

TEST_CASE("an index that does not fit its shards is refused") {
  TemporaryFolder folder;
  write_two_shards(folder);
  const auto index = [&](const std::string& text) { folder.write("model.safetensors.index.json", text); };
  SECTION("a shard is missing") {
    std::filesystem::remove(folder.path("model-00002-of-00002.safetensors"));
    expect_refused(folder, ErrorCode::not_found, "model-00002-of-00002.safetensors: this shard is named by");
  }
  SECTION("a tensor is in another shard") {
    index(index_of(R"("a":"model-00001-of-00002.safetensors","b":"model-00001-of-00002.safetensors","c":"model-00002-of-00002.safetensors")"));
    expect_refused(folder, ErrorCode::corrupt, "tensor 'b' is not in model-00001-of-00002.safetensors but in model-00002");
  }
  SECTION("a tensor is nowhere") {
    index(index_of(std::string(kTwoShardMap) + R"(,"d":"model-00001-of-00002.safetensors")"));
    expect_refused(folder, ErrorCode::corrupt, "tensor 'd' is not in");
  }
  SECTION("a tensor is not named") {
    index(index_of(R"("a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors")"));
    expect_refused(folder, ErrorCode::corrupt, "does not name tensor 'c' of model-00001");
  }
  SECTION("a tensor is in two shards") {
    folder.write("model-00002-of-00002.safetensors", shard({"b", "a"}));
    expect_refused(folder, ErrorCode::corrupt, "tensor 'a' is both in model-00001");
  }
  SECTION("a shard is damaged") {
    folder.write("model-00002-of-00002.safetensors", shard({"b"}).substr(0, 30));
    expect_refused(folder, ErrorCode::corrupt, "model-00002-of-00002.safetensors: header length");
  }
  SECTION("the index leads out of the folder") {
    for (const char* path : {"../x.safetensors", "/x.safetensors", "sub/x.safetensors", "..", "x.bin", "a\\\\b.safetensors", ""}) {
      index(index_of(R"("a":")" + std::string(path) + "\""));
      expect_refused(folder, ErrorCode::corrupt, "not the plain name");
    }
  }
  SECTION("the index is not what it must be") {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "not valid JSON"},
        {"[]", "not a JSON object"},
        {"{}", "no weight_map"},
        {"{\"weight_map\":[]}", "weight_map is not an object"},
        {"{\"weight_map\":\"a\"}", "weight_map is not an object"},
        {"{\"weight_map\":{\"a\":1}}", "weight_map is not an object"},
        {"{\"weight_map\":{\"a\":{}}}", "weight_map is not an object"},
        {"{\"weight_map\":{},\"weight_map\":{}}", "duplicate weight_map"},
        {index_of(R"("a":"m.safetensors","a":"m.safetensors")"), "'a' is named twice"},
        {index_of(R"("":"m.safetensors")"), "tensor name is empty"},
        {"{\"x\":" + std::string(100, '[') + std::string(100, ']') + "}", "nested too deeply"},
        {"\xff", "not UTF-8"},
        {std::string("{}\0", 3), "not UTF-8"},
        {"{\"weight_map\":{}", "not valid JSON"},
    };
    for (const auto& [text, part] : cases) {
      index(text);
      expect_refused(folder, ErrorCode::corrupt, part);
    }
  }
}

TEST_CASE("beside a model file an index and its shards are plain files") {
  TemporaryFolder folder;
  write_two_shards(folder);
  folder.write("model.safetensors", kSmallFile);
  const CheckpointFolder opened(posix_filesystem(), folder.path());
  CHECK(names_of(opened) == std::vector<std::string>{"n", "w"});
  CHECK_FALSE(opened.index_file());
  CHECK(opened.side_files().size() == 3);
  CHECK(has_notice(opened, "model-00001-of-00002.safetensors is kept as a plain file: the weights are those of model.safetensors"));
}

TEST_CASE("a folder with only an adapter is a model") {
  TemporaryFolder folder;
  folder.write("adapter_model.safetensors", shard({"lora_A", "lora_B"}));
  folder.write("adapter_config.json", "{}");
  folder.write("sub/model.safetensors", "not even checked");
  const CheckpointFolder opened(posix_filesystem(), folder.path());
  CHECK(names_of(opened) == std::vector<std::string>{"lora_A", "lora_B"});
  CHECK(opened.side_files() == std::vector<std::string>{"adapter_config.json", "sub/model.safetensors"});
}

TEST_CASE("two files with the same tensor are refused") {
  TemporaryFolder folder;
  folder.write("x.safetensors", shard({"a"}));
  folder.write("y.safetensors", shard({"a"}));
  expect_refused(folder, ErrorCode::corrupt, "tensor 'a' is both in x.safetensors and in y.safetensors");
}

TEST_CASE("pickles beside safetensors are skipped with a notice, alone they are refused") {
  TemporaryFolder folder;
  folder.write("pytorch_model.bin", "\x80\x02.");
  folder.write("pytorch_model.bin.index.json", "{}");
  folder.write("checkpoint-1/Optimizer.PT", "\x80\x02.");
  expect_refused(folder, ErrorCode::unsupported, "convert it: python -c");
  folder.write("model.safetensors", kSmallFile);
  const CheckpointFolder opened(posix_filesystem(), folder.path());
  CHECK(opened.side_files().empty());
  CHECK(opened.notices().size() == 3);
  CHECK(has_notice(opened, "skipped pytorch_model.bin: pickles are never read"));
  CHECK(has_notice(opened, "checkpoint-1/Optimizer.PT"));
}

TEST_CASE("a folder without a model, or none at all, is refused") {
  TemporaryFolder folder;
  expect_refused(folder, ErrorCode::not_found, "no .safetensors file in this folder");
  folder.write("sub/model.safetensors", kSmallFile);
  expect_refused(folder, ErrorCode::not_found, "no .safetensors file in this folder");
  CHECK_THROWS_AS(CheckpointFolder(posix_filesystem(), folder.path("missing")), Error);
  CHECK_THROWS_AS(CheckpointFolder(posix_filesystem(), folder.path("sub/model.safetensors")), Error);
}

TEST_CASE("what .dstoreignore names and what belongs to dstore and git is left out") {
  TemporaryFolder folder;
  folder.write("model.safetensors", kSmallFile);
  folder.write("keep.json", "{}");
  folder.write("runs/events.1", "x");
  folder.write("scratch.tmp", "x");
  folder.write("bad\nname.tmp", "x");
  folder.write("huge.safetensors", "not read");
  for (const char* own : {".dstore/config", ".dstore-checkout", ".git/HEAD", ".cache/huggingface/x", "sub/.git"}) folder.write(own, "x");
  folder.write(".dstoreignore", "# training\nruns/\n*.tmp\n/huge.safetensors\n");
  const CheckpointFolder opened(posix_filesystem(), folder.path());
  CHECK(opened.side_files() == std::vector<std::string>{".dstoreignore", "keep.json"});
  CHECK(opened.notices().empty());
}

TEST_CASE("file names that no checkpoint can hold are refused") {
  for (const char* name : {"a\nb", "a\\b", "\xff", "x/\x1b[31m"}) {
    TemporaryFolder folder;
    folder.write("model.safetensors", kSmallFile);
    folder.write(name, "x");
    expect_refused(folder, ErrorCode::invalid_argument, "no checkpoint can hold a file of that name");
  }
}

TEST_CASE("a hub cache, whose files are links into blobs, is read") {
  TemporaryFolder folder;
  folder.write("blobs/aaaa", kSmallFile);
  folder.write("blobs/bbbb", "{\"a\":1}");
  std::filesystem::create_directories(folder.path("snapshots/rev/1_Pooling"));
  std::filesystem::create_symlink("../../blobs/aaaa", folder.path("snapshots/rev/model.safetensors"));
  std::filesystem::create_symlink("../../../blobs/bbbb", folder.path("snapshots/rev/1_Pooling/config.json"));
  std::filesystem::create_symlink("rev", folder.path("snapshots/main"));
  for (const char* start : {"snapshots/rev", "snapshots/main", "snapshots/main/"}) {
    const CheckpointFolder opened(posix_filesystem(), folder.path(start));
    CHECK(names_of(opened) == std::vector<std::string>{"n", "w"});
    CHECK(opened.side_file("1_Pooling/config.json") == "{\"a\":1}");
    CHECK(opened.side_file_list() == std::vector<SideFile>{{"1_Pooling/config.json", 7}});
  }
}

TEST_CASE("links to folders or to nothing are skipped with a notice") {
  TemporaryFolder folder;
  folder.write("model.safetensors", kSmallFile);
  std::filesystem::create_directory_symlink("/", folder.path("root"));
  std::filesystem::create_directory_symlink(".", folder.path("self"));
  std::filesystem::create_symlink("nowhere", folder.path("dangling.json"));
  const CheckpointFolder opened(posix_filesystem(), folder.path());
  CHECK(opened.side_files().empty());
  CHECK(opened.notices().size() == 3);
}

TEST_CASE("a model file that is a dangling link is refused as an unfinished download") {
  TemporaryFolder folder;
  std::filesystem::create_symlink("blobs/gone", folder.path("model.safetensors"));
  expect_refused(folder, ErrorCode::not_found, "an unfinished download?");
}

TEST_CASE("FIFOs are never opened") {
  TemporaryFolder folder;
  REQUIRE(::mkfifo(folder.path("model.safetensors").c_str(), 0600) == 0);
  REQUIRE(::mkfifo(folder.path("config.json").c_str(), 0600) == 0);
  REQUIRE(::mkfifo(folder.path(".dstoreignore").c_str(), 0600) == 0);
  expect_refused(folder, ErrorCode::not_found, "no .safetensors file");
  folder.write("other.safetensors", shard({"a"}));
  std::filesystem::create_symlink("/dev/zero", folder.path("zero.safetensors"));
  const CheckpointFolder opened(posix_filesystem(), folder.path());
  CHECK(names_of(opened) == std::vector<std::string>{"a"});
  CHECK(opened.notices().size() == 4);
  CHECK(has_notice(opened, "skipped zero.safetensors: not a regular file"));
}

TEST_CASE("a real sentence model is read") {
  const char* folder = std::getenv("DSTORE_MINILM");
  if (folder == nullptr) {
    WARN("skipped: DSTORE_MINILM does not name the folder of all-MiniLM-L6-v2");
    return;
  }
  const CheckpointFolder opened(posix_filesystem(), folder);
  CHECK(opened.tensors().tensors().size() == 104);
  CHECK(opened.side_file("config.json"));
  CHECK(opened.side_file("1_Pooling/config.json"));
  std::uint64_t elements = 0;
  for (const TensorInfo& info : opened.tensors().tensors()) {
    if (info.dtype == DType::f32) elements += info.bytes / 4;
  }
  CHECK(elements == 22713216);
  REQUIRE(opened.shards().size() == 1);
  const Shard& model = opened.shards()[0];
  CHECK(model.header.raw.size() + model.header.data_bytes() == model.bytes.size());
  std::vector<TensorInfo> ordered;
  for (const SafetensorsEntry& entry : model.header.entries) ordered.push_back(entry.info);
  CHECK(render_safetensors_header(ordered, model.header.metadata) == model.header.raw);
}
