#include "repo/shard_hashes.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "dstore/error.h"

namespace dstore {

ShardHashes::ShardHashes(const TensorSource& task, const std::vector<ShardFile>& shards, const std::vector<Pairing>& pairs)
    : task_(task), pairs_(pairs), places_(task.tensors().size()) {
  for (const ShardFile& file : shards) {
    Shard shard;
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

std::vector<std::size_t> ShardHashes::order() const {
  std::vector<std::size_t> order(pairs_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto place = [&](std::size_t pair) {
    const Place of = pairs_[pair].task ? places_[*pairs_[pair].task] : Place{};
    return std::tuple(of.shard, of.at, pair);
  };
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
  return order;
}

void ShardHashes::take(std::size_t pair, std::uint64_t, ByteSpan bytes) {
  const std::size_t tensor = *pairs_[pair].task;
  const Place place = places_[tensor];
  if (place.shard == SIZE_MAX) return;
  Shard& shard = shards_[place.shard];
  while (shard.next < place.at) hash_next(shard);
  shard.hash.update(bytes);
  taken_ += bytes.size();
  if (taken_ < task_.tensors()[tensor].bytes) return;
  taken_ = 0;
  ++shard.next;
}

void ShardHashes::hash_next(Shard& shard) {
  const std::size_t tensor = shard.tensors[shard.next++];
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
  for (Shard& shard : shards_) {
    while (shard.next < shard.tensors.size()) hash_next(shard);
    digests.push_back(shard.hash.finish());
  }
  return digests;
}

}  // namespace dstore
