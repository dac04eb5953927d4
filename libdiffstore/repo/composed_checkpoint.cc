#include "repo/composed_checkpoint.h"

#include "repo/shard_stream.h"
#include "repo/write_delta.h"

namespace dstore {

CheckpointTable compose_checkpoint(PackSession& session, const std::vector<ShardFile>& base_shards, const DeltaTable& delta, const TensorSource& result,
                                   std::map<std::string, PlainFile> files, std::uint64_t& full_bytes) {
  CheckpointTable checkpoint;
  checkpoint.weights = delta.result_weights;
  const std::vector<ShardFile> shards = compose_shards(base_shards, delta, result.tensors());
  files.erase(std::string(kIndexFile));
  for (const ShardFile& shard : shards) {
    checkpoint.shards.push_back({shard.path, write_file(session, shard.header.raw), shard.bytes(), hash_shard(result, shard.header, 0)});
    full_bytes += shard.bytes();
    files.erase(shard.path);
  }
  for (const auto& [path, file] : files) checkpoint.files.push_back({path, *file.file});
  if (const Bytes index = make_index(shards); !index.empty()) checkpoint.files.push_back({std::string(kIndexFile), write_file(session, index)});
  return checkpoint;
}

}  // namespace dstore
