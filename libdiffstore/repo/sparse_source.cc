#include "repo/sparse_source.h"

#include <algorithm>
#include <cstring>

#include "base/tensor_range.h"
#include "delta/element.h"

namespace dstore {

SparseSource::SparseSource(const ChangeRanks& ranks, std::vector<Cut> cuts)
    : ranks_(ranks), cuts_(std::move(cuts)), ranked_(ranks.task().tensors().size()) {
  for (std::size_t t = 0; t < ranks.tensors().size(); ++t) ranked_[ranks.tensors()[t].task] = t;
}

void SparseSource::read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const {
  if (!ranked_[index]) return ranks_.task().read(index, offset, out);
  const std::size_t t = *ranked_[index];
  const ChangeRanks::Tensor& tensor = ranks_.tensors()[t];
  const std::uint64_t unit = unit_type(tensor.dtype).bytes;
  const std::uint64_t first = offset / unit, end = (offset + out.size() + unit - 1) / unit;
  Bytes result((end - first) * unit), scratch;
  ranks_.base().read(tensor.base, first * unit, result);
  const ByteSpan after = tensor_range(ranks_.task(), index, first * unit, result.size(), scratch);
  if (!std::equal(result.begin(), result.end(), after.begin())) {
    ranks_.rank(t, first, result, after, [&](const ChangeRanks::Block& block) {
      for (std::size_t i = 0; i < block.ranks.size(); ++i) {
        if (block.ranks[i] == 0 || !cuts_[t].keeps(block.ranks[i], t, block.first + i)) continue;
        const std::uint64_t at = (block.first + i - first) * unit;
        std::memcpy(result.data() + at, after.data() + at, unit);
      }
    });
  }
  std::copy_n(result.begin() + static_cast<std::ptrdiff_t>(offset - first * unit), out.size(), out.begin());
}

}  // namespace dstore
