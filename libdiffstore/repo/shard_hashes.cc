#include "repo/shard_hashes.h"

#include <algorithm>

#include "dstore/error.h"
#include "repo/shard_stream.h"

namespace dstore {

ShardHashes::ShardHashes(const TensorSource& task, const std::vector<ShardFile>& shards, const std::vector<Pairing>& pairs)
    : task_(task), pairs_(pairs), places_(task.tensors().size()), pair_of_(task.tensors().size()) {
  for (std::size_t p = 0; p < pairs.size(); ++p) {
    if (pairs[p].task) pair_of_[*pairs[p].task] = p;
  }
  for (const ShardFile& file : shards) {
    Shard shard{&file.header};
    shard.hash.update(file.header.raw);
    for (const SafetensorsEntry& entry : file.header.entries) {
      const auto tensor = task.find(entry.info.name);
      if (!tensor) throw Error(ErrorCode::corrupt, file.path + ": its header lists the unknown tensor " + printable(entry.info.name));
      places_[*tensor] = {shards_.size(), shard.tensors.size()};
      shard.tensors.push_back(*tensor);
    }
    shards_.push_back(std::move(shard));
  }
}

void ShardHashes::take(std::size_t pair, std::uint64_t offset, ByteSpan bytes) {
  const std::size_t tensor = *pairs_[pair].task;
  const Place place = places_[tensor];
  if (place.shard == SIZE_MAX) return;
  Shard& shard = shards_[place.shard];
  if (!shard.ordered) return;
  hash_what_is_not_shown(shard, place.at, pair);
  shard.ordered = shard.ordered && shard.next == place.at && shard.offset == offset;
  if (!shard.ordered) return;
  shard.hash.update(bytes);
  shard.offset += bytes.size();
  if (shard.offset < task_.tensors()[tensor].bytes) return;
  shard.offset = 0;
  ++shard.next;
}

/// Tensors before `end`, unless they are still to come.
void ShardHashes::hash_what_is_not_shown(Shard& shard, std::size_t end, std::size_t pair) {
  while (shard.ordered && shard.offset == 0 && shard.next < end) {
    shard.ordered = pair_of_[shard.tensors[shard.next]] < pair;
    if (shard.ordered) hash_next(shard);
  }
}

void ShardHashes::hash_next(Shard& shard) {
  const std::size_t tensor = shard.tensors[shard.next++];
  const std::uint64_t size = task_.tensors()[tensor].bytes;
  Bytes buffer;
  for (std::uint64_t at = 0; at < size; at += kChunkBytes) {
    buffer.resize(std::min(kChunkBytes, size - at));
    task_.read(tensor, at, buffer);
    shard.hash.update(buffer);
  }
}

std::vector<ObjectId> ShardHashes::finish() {
  std::vector<ObjectId> digests;
  for (Shard& shard : shards_) {
    const bool begun = shard.ordered && shard.next > 0 && shard.offset == 0;
    while (begun && shard.next < shard.tensors.size()) hash_next(shard);
    digests.push_back(begun ? shard.hash.finish() : hash_shard(task_, *shard.header, 0));
  }
  return digests;
}

}  // namespace dstore
