#include "repo/compare_stage.h"

#include <algorithm>
#include <cstring>

#include "repo/model_files.h"
#include "repo/overlay_source.h"
#include "tensor/checkpoint_folder.h"
#include "tensor/dtype.h"

namespace dstore {
namespace {

constexpr std::uint64_t kChunk = std::uint64_t{1} << 20;

std::uint64_t elements(const TensorInfo& info) { return element_count(info.shape, info.name); }

/// Differing elements; of dtypes narrower than a byte, differing bytes.
std::uint64_t differing(const TensorSource& a, std::size_t i, const TensorSource& b, std::size_t j) {
  const TensorInfo& info = a.tensors()[i];
  const std::uint64_t size = std::max<std::uint64_t>(1, dtype_info(info.dtype).bytes());
  std::uint64_t count = 0;
  for (std::uint64_t at = 0; at < info.bytes; at += kChunk) {
    Bytes x(std::min(kChunk, info.bytes - at)), y(x.size());
    a.read(i, at, x);
    b.read(j, at, y);
    for (std::size_t k = 0; k < x.size(); k += size) count += std::memcmp(x.data() + k, y.data() + k, size) != 0;
  }
  return count;
}

}  // namespace

EntryDifferences compare_stage(const Repository& repository, const std::string& folder, const std::string& base_prefix, const ObjectId& base,
                               const ObjectId& commit) {
  const auto started_from = load_weights(repository, repository.read_commit(base));
  const auto recorded = load_weights(repository, repository.read_commit(commit));
  const CheckpointFolder stage(repository.fs(), folder);
  const std::vector<Pairing> pairs = pair_up(*started_from, stage.tensors(), base_prefix);
  const OverlaySource now(*started_from, stage.tensors(), pairs);
  EntryDifferences result;
  const auto add = [&](std::uint64_t count, std::uint64_t of) {
    result.entries += of;
    result.different += count;
    result.tensors += count > 0;
  };
  for (std::size_t i = 0; i < now.tensors().size(); ++i) {
    const TensorInfo& info = now.tensors()[i];
    const auto j = recorded->find(info.name);
    const bool same_kind = j && recorded->tensors()[*j].dtype == info.dtype && recorded->tensors()[*j].shape == info.shape;
    add(same_kind ? differing(now, i, *recorded, *j) : elements(info), elements(info));
  }
  for (const TensorInfo& info : recorded->tensors()) {
    if (!now.find(info.name)) add(elements(info), elements(info));
  }
  return result;
}

}  // namespace dstore
