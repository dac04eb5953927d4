// Sync calls, packs and time of a commit, by the number of tensors: bench/run syncs.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "durability/call_filesystem.h"
#include "repo/commit_task.h"
#include "repo/import.h"
#include "tensor/safetensors.h"

namespace dstore {
namespace {

using test::CallFilesystem;
using test::DiskCall;

/// `count` tensors of 1024 numbers; in every tensor 5 of them depend on `version` (0.5 %).
void write_model(const std::string& folder, std::size_t count, std::uint32_t version) {
  std::vector<TensorInfo> infos;
  for (std::size_t i = 0; i < count; ++i) infos.push_back({"layer." + std::to_string(100'000 + i), DType::f32, {1024}, 4096});
  std::filesystem::create_directories(folder);
  const auto file = posix_filesystem().open(join_path(folder, "model.safetensors"), OpenMode::create_new);
  const Bytes header = render_safetensors_header(infos, {});
  file->write_at(0, header);
  std::vector<std::uint32_t> values(1024);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < values.size(); ++j) values[j] = static_cast<std::uint32_t>(i * 7919 + j * 104'729) & 0x3fffffff;
    for (std::size_t j = 0; j < 5; ++j) values[j * 200] ^= version;
    file->write_at(header.size() + i * 4096, std::as_bytes(std::span(values)));
  }
}

void measure(const std::string& scratch, std::size_t count) {
  std::size_t syncs = 0, packs = 0;
  CallFilesystem fs(posix_filesystem(), [&](const DiskCall& call, const auto& run, const auto&) {
    run();
    syncs += call.kind == DiskCall::Kind::sync_file || call.kind == DiskCall::Kind::sync_directory ? 1 : 0;
    packs += call.kind == DiskCall::Kind::link && call.path.ends_with(".pack") ? 1 : 0;
  });
  const std::string store = join_path(scratch, "store"), base = join_path(scratch, "base");
  const Committer committer{"bench", nullptr, 1};
  write_model(base, count, 0);
  Repository repository = Repository::create(fs, store, IndexMode::database);
  FolderCommit options;
  options.base = import_folder(repository, CheckpointFolder(posix_filesystem(), base), RefName::parse("base"), "", committer, {}).commit;
  for (std::uint32_t version = 1; version <= 2; ++version) {
    const std::string task = join_path(scratch, "task" + std::to_string(version));
    write_model(task, count, version);
    syncs = packs = 0;
    const auto start = std::chrono::steady_clock::now();
    commit_folder(repository, CheckpointFolder(posix_filesystem(), task), options, RefName::parse("task"), committer, {});
    const double milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    std::printf("commit of %6zu tensors, %s branch: %zu pack, %zu syncs, %.0f ms\n", count, version == 1 ? "new" : "same", packs, syncs,
                milliseconds);
  }
}

}  // namespace
}  // namespace dstore

int main() {
  for (const std::size_t count : {10u, 100u, 1'000u, 10'000u}) {
    const std::string scratch = (std::filesystem::temp_directory_path() / ("dstore-bench-" + dstore::random_name())).string();
    std::filesystem::create_directory(scratch);
    dstore::measure(scratch, count);
    std::filesystem::remove_all(scratch);
  }
}
