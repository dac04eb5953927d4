#include "call_filesystem.h"
#include "catch.h"
#include "memory_filesystem.h"
#include "operations.h"
#include "repo/sandbox.h"

namespace dstore::test {
namespace {

using Kind = DiskCall::Kind;

struct Cost {
  std::size_t syncs = 0;
  std::size_t packs = 0;
};

/// Of a commit of `folder`, a task of `base`, from opening the repository on.
Cost cost_of_commit(MemoryFilesystem& memory, const std::string& folder, const std::string& branch) {
  Cost cost;
  CallFilesystem fs(memory, [&](const DiskCall& call, const auto& run, const auto&) {
    run();
    cost.syncs += call.kind == Kind::sync_file || call.kind == Kind::sync_directory ? 1 : 0;
    cost.packs += call.kind == Kind::link && call.path.ends_with(".pack") ? 1 : 0;
  });
  Repository repository = Repository::open(fs, kRepository, IndexMode::database);
  FolderCommit options;
  options.base = resolve_commit(repository, "base");
  const PrivateKey key = PrivateKey::parse(scene().key, "key");
  commit_folder(repository, CheckpointFolder(fs, folder), options, RefName::parse(branch), {"Ada", &key, 1}, {});
  return cost;
}

std::vector<TestTensor> tensors(std::size_t count, unsigned change) {
  std::vector<TestTensor> made;
  for (std::size_t i = 0; i < count; ++i) {
    made.push_back(tensor("layer." + std::to_string(1000 + i), {16, 4}, static_cast<unsigned>(i)));
    made.back().bytes[change] ^= 1;
  }
  return made;
}

void put(Filesystem& fs, const std::string& path, std::string_view content) {
  make_directories(fs, parent_path(path));
  fs.open(path, OpenMode::create_new)->write_at(0, as_bytes(content));
}

}  // namespace

TEST_CASE("a commit is one pack and four syncs, one more for a new branch, whatever the number of tensors", "[sync]") {
  for (const std::size_t count : {2u, 300u}) {
    MemoryFilesystem memory(scene().disk);
    put(memory, "/many/model.safetensors", shard(tensors(count, 0)));
    put(memory, "/many-changed/model.safetensors", shard(tensors(count, 5)));
    put(memory, "/many-again/model.safetensors", shard(tensors(count, 7)));
    const PrivateKey key = PrivateKey::parse(scene().key, "key");
    {
      Repository repository = Repository::open(memory, kRepository, IndexMode::database);
      import_folder(repository, CheckpointFolder(memory, "/many"), RefName::parse("base"), "", {"Ada", &key, 1}, {});
    }
    const Cost first = cost_of_commit(memory, "/many-changed", "fresh");
    CHECK(first.packs == 1);
    CHECK(first.syncs == 5);
    const Cost second = cost_of_commit(memory, "/many-again", "fresh");
    CHECK(second.packs == 1);
    CHECK(second.syncs == 4);
  }
}

}  // namespace dstore::test
