#include "repo/base_folder.h"

#include "dstore/error.h"
#include "repo/link_folder.h"
#include "repo/model_files.h"

namespace dstore {

ObjectId base_weights(const Repository& repository, const Commit& commit) {
  return commit.is_task() ? read_delta(repository, commit).base_weights : read_checkpoint(repository, commit).weights;
}

void attach_base(Repository& repository, const CheckpointFolder& folder, const Commit& commit) {
  const ObjectId wanted = base_weights(repository, commit);
  const WeightsTable weights = WeightsTable::parse(repository.store().read(ObjectKind::weights, wanted), "weights " + wanted.short_hex());
  std::vector<LinkFile> links;
  for (const Shard& shard : folder.shards()) links.push_back(describe_file(repository.fs(), join_path(folder.path(), shard.path)));
  for (const WeightsTable::Row& row : weights.rows) {
    const TensorObject tensor = TensorObject::parse(repository.store().read(ObjectKind::tensor, row.tensor), "tensor " + printable(row.name));
    const auto index = folder.tensors().find(row.name);
    if (!index || folder.tensors().tensors()[*index] != TensorInfo{row.name, tensor.dtype, tensor.shape, tensor.bytes}) {
      throw Error(ErrorCode::conflict, printable(folder.path()) + ": is not the base (weights " + wanted.hex() + "): the tensor " + printable(row.name) +
                                           (index ? " has another dtype or shape" : " is not there"));
    }
    const TensorLocation& at = folder.location(*index);
    const std::uint64_t start = folder.shards()[at.shard].header.raw.size() + at.offset;
    for (std::size_t i = 0; i < tensor.chunks.size(); ++i) {
      links[at.shard].rows.push_back({tensor.chunks[i], start + i * kChunkBytes, chunk_size(tensor.bytes, i)});
    }
  }
  for (LinkFile& link : links) {
    link.finish_rows();
    repository.store().links().attach(std::move(link));
  }
}

}  // namespace dstore
