#include "repo/edited_source.h"

#include <algorithm>
#include <cstring>

#include "delta/element.h"
#include "dstore/error.h"
#include "tensor/dtype.h"
#include "tensor/float_convert.h"

namespace dstore {
namespace {

std::vector<float> read_as_floats(DType dtype, ByteSpan bytes) {
  std::vector<float> out(bytes.size() / dtype_info(dtype).bytes());
  convert_floats(dtype, bytes, DType::f32, std::as_writable_bytes(std::span(out)));
  return out;
}

/// out[i] = fl(base + fl(scale * value)) for one element; false if that is NaN.
inline bool add_value(float& base, float value, float scale) {
  const float change = scale * value;
  base += change;
  return base == base;
}

/// One element at a time: the others keep their bits, also where a conversion to F32 and back would not (NaN).
void add_values(const TensorInfo& info, const SparseEdit& edit, std::uint64_t first, std::span<const std::uint64_t> positions, std::span<const float> values,
                MutableByteSpan out) {
  const std::uint64_t unit = dtype_info(info.dtype).bytes();
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const MutableByteSpan element = out.subspan((positions[i] - first) * unit, unit);
    float number;
    const MutableByteSpan wide = std::as_writable_bytes(std::span(&number, 1));
    convert_floats(info.dtype, element, DType::f32, wide);
    if (!add_value(number, values[i], *edit.scale)) {
      throw Error(ErrorCode::invalid_argument, "tensor " + printable(info.name) + ": base and value of element " + std::to_string(positions[i]) + " give a NaN");
    }
    convert_floats(DType::f32, wide, info.dtype, element);
  }
}

void apply(const TensorInfo& info, const SparseEdit& edit, std::uint64_t offset, MutableByteSpan out) {
  const std::uint64_t unit = dtype_info(info.dtype).bytes();
  const std::uint64_t first = offset / unit, end = first + out.size() / unit;
  const auto from = std::lower_bound(edit.positions.begin(), edit.positions.end(), first);
  const auto to = std::lower_bound(from, edit.positions.end(), end);
  if (from == to) return;
  const std::span<const std::uint64_t> positions(from, to);
  const DType dtype = edit.values->tensors()[edit.tensor].dtype;
  const std::uint64_t value_unit = dtype_info(dtype).bytes();
  Bytes values(positions.size() * value_unit);
  edit.values->read(edit.tensor, (edit.first + static_cast<std::uint64_t>(from - edit.positions.begin())) * value_unit, values);
  if (edit.scale) return add_values(info, edit, first, positions, read_as_floats(dtype, values), out);
  for (std::size_t i = 0; i < positions.size(); ++i) std::memcpy(out.data() + (positions[i] - first) * unit, values.data() + i * unit, unit);
}

}  // namespace

EditedSource::EditedSource(const TensorSource& base, std::vector<TensorEdit> edits) : base_(base), edits_(std::move(edits)) {
  std::sort(edits_.begin(), edits_.end(), [](const TensorEdit& a, const TensorEdit& b) { return a.name < b.name; });
  for (const TensorEdit& edit : edits_) {
    if (!infos_.empty() && infos_.back().name == edit.name) {
      throw Error(ErrorCode::invalid_argument, "the result would have two tensors " + printable(edit.name));
    }
    infos_.push_back(edit.whole ? edit.whole->source->tensors()[edit.whole->index] : base.tensors()[*edit.base]);
    infos_.back().name = edit.name;
  }
}

void EditedSource::read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const {
  const TensorEdit& edit = edits_[index];
  if (edit.whole) return edit.whole->source->read(edit.whole->index, offset, out);
  base_.read(*edit.base, offset, out);
  if (edit.low_rank) add_low_rank(infos_[index], *edit.low_rank, offset, out);
  if (edit.sparse) apply(infos_[index], *edit.sparse, offset, out);
}

std::vector<Pairing> EditedSource::pairs() const {
  std::vector<Pairing> out;
  for (std::size_t i = 0; i < edits_.size(); ++i) {
    out.push_back({edits_[i].name, edits_[i].base, edits_[i].changes() ? std::optional(i) : std::nullopt});
  }
  return out;
}

std::map<std::string, LowRankFactors> EditedSource::low_rank() const {
  std::map<std::string, LowRankFactors> out;
  for (const TensorEdit& edit : edits_) {
    if (edit.low_rank) out.emplace(edit.name, *edit.low_rank);
  }
  return out;
}

std::uint64_t EditedSource::touched() const {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < edits_.size(); ++i) {
    if (edits_[i].low_rank) count += unit_count(infos_[i].dtype, infos_[i].bytes);
    if (edits_[i].sparse) count += edits_[i].sparse->positions.size();
  }
  return count;
}

}  // namespace dstore
