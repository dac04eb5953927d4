#include "repo/shard_stream.h"

#include "base/ordered_pipeline.h"
#include "base/sha256.h"
#include "dstore/error.h"

namespace dstore {
namespace {

/// A chunk of a stored tensor, or a whole piece of a derived one: what is decoded at once.
struct Part {
  std::size_t tensor = 0;  ///< index into weights
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};
/// Consecutive small parts that are produced as one unit of work.
struct Batch {
  std::vector<Part> parts;
  std::uint64_t offset = 0;  ///< in the file
  std::uint64_t bytes = 0;
};

/// Whether the tensor is made by whole pieces: by a delta, or by a computation.
bool comes_in_pieces(const TensorSource& weights, std::size_t index) {
  const auto* stored = dynamic_cast<const StoredWeights*>(&weights);
  return stored == nullptr || stored->is_modified(index);
}

std::vector<Batch> plan(const TensorSource& weights, const ShardFile& shard) {
  std::vector<Batch> batches{{{}, shard.header.raw.size(), 0}};
  for (const SafetensorsEntry& entry : shard.header.entries) {
    const auto index = weights.find(entry.info.name);
    if (!index || weights.tensors()[*index] != entry.info) {
      throw Error(ErrorCode::corrupt, shard.path + ": its header lists the tensor " + printable(entry.info.name) + ", which the weights do not have so");
    }
    const std::uint64_t step = comes_in_pieces(weights, *index) ? kPieceBytes : kChunkBytes;
    for (std::uint64_t at = 0; at < entry.info.bytes; at += step) {
      const std::uint64_t size = std::min(step, entry.info.bytes - at);
      if (batches.back().bytes + size > kChunkBytes && batches.back().bytes > 0) {
        const std::uint64_t end = batches.back().offset + batches.back().bytes;
        batches.push_back({{}, end, 0});
      }
      batches.back().parts.push_back({*index, at, size});
      batches.back().bytes += size;
    }
  }
  return batches;
}

/// Gathers the chunk ids of tensors that a delta derives and compares with the tensor's id when the last one is in.
class ResultCheck {
 public:
  explicit ResultCheck(const StoredWeights& weights) : weights_(weights), chunks_(weights.tensors().size()) {}

  bool wants(std::size_t tensor) const { return weights_.is_modified(tensor); }

  /// In order; one thread.
  void add(const Part& part, const std::vector<ObjectId>& ids) {
    if (!wants(part.tensor)) return;
    const TensorInfo& info = weights_.tensors()[part.tensor];
    std::vector<ObjectId>& chunks = chunks_[part.tensor];
    chunks.insert(chunks.end(), ids.begin(), ids.end());
    if (chunks.size() < chunk_count(info.bytes)) return;
    const TensorObject tensor{info.dtype, info.shape, info.bytes, std::move(chunks)};
    const ObjectId id = object_id(ObjectKind::tensor, tensor.serialize());
    if (id != weights_.tensor_id(part.tensor)) {
      throw Error(ErrorCode::corrupt, "tensor " + printable(info.name) + ": the delta gives " + id.short_hex() + ", not " +
                                          weights_.tensor_id(part.tensor).short_hex());
    }
  }

 private:
  const StoredWeights& weights_;
  std::vector<std::vector<ObjectId>> chunks_;
};

/// Fills the first batch.bytes bytes of `out`, which only ever grows.
void produce(const TensorSource& weights, const ResultCheck* check, const Batch& batch, Bytes& out, std::vector<std::vector<ObjectId>>& chunk_ids) {
  if (out.size() < batch.bytes) out.resize(batch.bytes);
  chunk_ids.resize(batch.parts.size());
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < batch.parts.size(); ++i) {
    const Part& part = batch.parts[i];
    const MutableByteSpan target = MutableByteSpan(out).subspan(at, part.size);
    weights.read(part.tensor, part.offset, target);
    for (std::uint64_t c = 0; check != nullptr && check->wants(part.tensor) && c < chunk_count(part.size); ++c) {
      chunk_ids[i].push_back(object_id(ObjectKind::chunk, target.subspan(c * kChunkBytes, chunk_size(part.size, c))));
    }
    at += part.size;
  }
}

/// With `check` every derived tensor is proved by its id.
ObjectId stream(const TensorSource& weights, const ShardFile& shard, unsigned threads, const std::function<void(std::uint64_t, ByteSpan)>& sink,
                ResultCheck* check) {
  const std::vector<Batch> batches = plan(weights, shard);
  std::vector<std::vector<std::vector<ObjectId>>> chunk_ids(batches.size());  // of each part of each batch
  Sha256 hash;
  hash.update(shard.header.raw);
  sink(0, shard.header.raw);
  ordered_pipeline(
      batches.size(), threads,
      [&](std::size_t i, Bytes& buffer) {
        produce(weights, check, batches[i], buffer, chunk_ids[i]);
        sink(batches[i].offset, ByteSpan(buffer).first(batches[i].bytes));
      },
      [&](std::size_t i, const Bytes& buffer) {
        for (std::size_t p = 0; check != nullptr && p < batches[i].parts.size(); ++p) check->add(batches[i].parts[p], chunk_ids[i][p]);
        chunk_ids[i].clear();
        hash.update(ByteSpan(buffer).first(batches[i].bytes));
      });
  return hash.finish();
}

}  // namespace

ObjectId stream_shard(const TensorSource& weights, const ShardFile& shard, unsigned threads,
                      const std::function<void(std::uint64_t, ByteSpan)>& sink) {
  std::optional<ResultCheck> check;
  if (const auto* stored = dynamic_cast<const StoredWeights*>(&weights)) check.emplace(*stored);
  const ObjectId digest = stream(weights, shard, threads, sink, check ? &*check : nullptr);
  if (shard.sha256 && digest != *shard.sha256) {
    throw Error(ErrorCode::corrupt, shard.path + ": SHA-256 " + digest.short_hex() + ", not the recorded " + shard.sha256->short_hex());
  }
  return digest;
}

bool stream_recorded_shard(const TensorSource& weights, const ShardFile& shard, unsigned threads,
                           const std::function<void(std::uint64_t, ByteSpan)>& sink) {
  const auto* stored = dynamic_cast<const StoredWeights*>(&weights);
  if (stored == nullptr || !shard.sha256) return false;
  const StoredWeights::ByDigest proof(*stored);
  try {
    return stream(weights, shard, threads, sink, nullptr) == *shard.sha256;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::corrupt) throw;
    return false;
  }
}

ObjectId hash_shard(const TensorSource& source, const SafetensorsHeader& header, unsigned threads) {
  struct Range {
    std::size_t tensor;
    std::uint64_t offset, size;
  };
  std::vector<Range> ranges;
  for (const SafetensorsEntry& entry : header.entries) {
    const auto index = source.find(entry.info.name);
    if (!index) throw Error(ErrorCode::corrupt, "a shard's header lists the unknown tensor " + printable(entry.info.name));
    for (std::uint64_t at = 0; at < entry.info.bytes; at += kPieceBytes) ranges.push_back({*index, at, std::min(kPieceBytes, entry.info.bytes - at)});
  }
  Sha256 hash;
  hash.update(header.raw);
  ordered_pipeline(
      ranges.size(), threads,
      [&](std::size_t i, Bytes& buffer) {
        if (!source.view(ranges[i].tensor).empty()) return;
        if (buffer.size() < ranges[i].size) buffer.resize(ranges[i].size);
        source.read(ranges[i].tensor, ranges[i].offset, MutableByteSpan(buffer).first(ranges[i].size));
      },
      [&](std::size_t i, const Bytes& buffer) {
        const ByteSpan view = source.view(ranges[i].tensor);
        hash.update(view.empty() ? ByteSpan(buffer).first(ranges[i].size) : view.subspan(ranges[i].offset, ranges[i].size));
      });
  return hash.finish();
}

}  // namespace dstore
