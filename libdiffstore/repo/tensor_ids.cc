#include "repo/tensor_ids.h"

#include "base/parallel.h"
#include "dstore/error.h"

namespace dstore {
namespace {

ObjectId tensor_id(const TensorInfo& info, ByteSpan bytes) {
  TensorObject tensor{info.dtype, info.shape, info.bytes, {}};
  for (std::uint64_t chunk = 0; chunk < chunk_count(info.bytes); ++chunk) {
    tensor.chunks.push_back(object_id(ObjectKind::chunk, bytes.subspan(chunk * kChunkBytes, chunk_size(info.bytes, chunk))));
  }
  return object_id(ObjectKind::tensor, tensor.serialize());
}

}  // namespace

WeightsTable weights_of(const TensorSource& source, unsigned threads) {
  WeightsTable table;
  table.rows.resize(source.tensors().size());
  parallel_for(table.rows.size(), threads, [&](std::size_t i) {
    const TensorInfo& info = source.tensors()[i];
    table.rows[i] = {info.name, tensor_id(info, source.view(i))};
  });
  return table;
}

void require_tensors(Filesystem& fs, const std::string& path, const SafetensorsHeader& header, const StoredWeights& weights, unsigned threads) {
  const Mapping mapping = fs.map(path);
  parallel_for(header.entries.size(), threads, [&](std::size_t i) {
    const SafetensorsEntry& entry = header.entries[i];
    const ByteSpan bytes = mapping.bytes.subspan(header.raw.size() + entry.begin, entry.info.bytes);
    if (tensor_id(entry.info, bytes) != weights.tensor_id(*weights.find(entry.info.name))) {
      throw Error(ErrorCode::corrupt, printable(path) + ": the tensor " + printable(entry.info.name) + " is not what it should be");
    }
  });
}

}  // namespace dstore
