#include "repo/shard_hashes.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "dstore/error.h"

namespace dstore {

ShardOrder::ShardOrder(const TensorSource& task, const std::vector<ShardFile>& shards, const std::vector<Pairing>& pairs)
    : task_(task), pairs_(pairs), places_(task.tensors().size()) {
  for (const ShardFile& file : shards) {
    std::vector<std::size_t>& tensors = tensors_.emplace_back();
    for (const SafetensorsEntry& entry : file.header.entries) {
      const auto tensor = task.find(entry.info.name);
      if (!tensor) throw Error(ErrorCode::corrupt, file.path + ": its header lists the unknown tensor " + printable(entry.info.name));
      places_[*tensor] = {tensors_.size() - 1, tensors.size()};
      tensors.push_back(*tensor);
    }
  }
}

std::vector<std::size_t> ShardOrder::order() const {
  std::vector<std::size_t> order(pairs_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto place = [&](std::size_t pair) {
    const Place of = pairs_[pair].task ? places_[*pairs_[pair].task] : Place{};
    return std::tuple(of.shard, of.at, pair);
  };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
  return order;
}

ShardHashes::ShardHashes(const TensorSource& task, const std::vector<ShardFile>& shards, const std::vector<Pairing>& pairs) : ShardOrder(task, shards, pairs) {
  for (const ShardFile& file : shards) shards_.emplace_back().hash.update(file.header.raw);
}

void ShardHashes::take(std::size_t pair, std::uint64_t, ByteSpan bytes) {
  const std::size_t tensor = *pairs_[pair].task;
  const Place place = places_[tensor];
  if (place.shard == SIZE_MAX) return;
  Shard& shard = shards_[place.shard];
  while (shard.next < place.at) hash_next(place.shard);
  shard.hash.update(bytes);
  taken_ += bytes.size();
  if (taken_ < task_.tensors()[tensor].bytes) return;
  taken_ = 0;
  ++shard.next;
}

void ShardHashes::hash_next(std::size_t shard_at) {
  Shard& shard = shards_[shard_at];
  const std::size_t tensor = tensors_[shard_at][shard.next++];
  const std::uint64_t size = task_.tensors()[tensor].bytes;
  Bytes buffer;
  for (std::uint64_t at = 0; at < size; at += kPieceBytes) {
    buffer.resize(std::min(kPieceBytes, size - at));
    task_.read(tensor, at, buffer);
    shard.hash.update(buffer);
  }
}

std::vector<ObjectId> ShardHashes::finish() {
  std::vector<ObjectId> digests;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    while (shards_[i].next < tensors_[i].size()) hash_next(i);
    digests.push_back(shards_[i].hash.finish());
  }
  return digests;
}

}  // namespace dstore
