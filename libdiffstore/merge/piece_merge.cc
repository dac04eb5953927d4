#include "merge/piece_merge.h"

#include <algorithm>

#include "delta/bits.h"
#include "delta/kernels.h"
#include "delta/residual.h"

namespace dstore {
namespace {

constexpr std::uint64_t kRange = 1 << 16;    ///< units whose bits are gathered at once: their places fit 16 bits
constexpr std::size_t kLeast = kMergeWindow; ///< elements that next() looks for
constexpr std::size_t kRoom = 8;             ///< that list_ones() asks for

std::vector<Changes> read_changes(std::uint64_t first, ByteSpan base, std::span<const ModelPiece> models, std::string_view tensor) {
  std::vector<Changes> out(models.size());
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (models[i].reader != nullptr) out[i] = models[i].reader->changes(models[i].index, first, base, tensor);
  }
  return out;
}

template <class Vector>
void make_room(Vector& vector, std::size_t size) {
  if (vector.size() < size) vector.resize(size);
}

/// Appends what differs of `count` elements.
template <class U>
void append_differing(std::span<const std::uint64_t> positions, ByteSpan before, ByteSpan after, Changes& out) {
  const std::size_t begin = out.positions.size(), most = begin + positions.size();
  out.positions.resize(most);
  out.old_values.resize(most * sizeof(U));
  out.new_values.resize(most * sizeof(U));
  std::uint64_t* to = out.positions.data() + begin;
  std::byte* old_value = out.old_values.data() + begin * sizeof(U);
  std::byte* new_value = out.new_values.data() + begin * sizeof(U);
  std::size_t count = 0;  // written in any case, and overwritten by the next where nothing changed
  for (std::size_t j = 0; j < positions.size(); ++j) {
    const U x = load_le<U>(before.data() + j * sizeof(U)), y = load_le<U>(after.data() + j * sizeof(U));
    to[count] = positions.data()[j];
    store_le(old_value + count * sizeof(U), x);
    store_le(new_value + count * sizeof(U), y);
    count += x != y;
  }
  out.positions.resize(begin + count);
  out.old_values.resize((begin + count) * sizeof(U));
  out.new_values.resize((begin + count) * sizeof(U));
}

}  // namespace

bool merges_sparsely(const TensorMerge& merge, std::uint64_t units, std::uint64_t changed) {
  return merge.only_changes() && changed <= units / kDenseMergeShare;
}

ChangeUnion::ChangeUnion(DType dtype, std::uint64_t first, std::uint64_t units, std::span<const Changes> models)
    : unit_(unit_type(dtype).bytes), first_(first), at_(first), end_(first + units), words_(kRange / 64), ones_(kRange + kRoom), places_(kRange), views_(models.size()) {
  for (const Changes& changes : models) models_.push_back({changes});
}

bool ChangeUnion::next() {
  count_ = 0;
  for (Model& model : models_) model.touched = false;
  for (; at_ < end_ && count_ < kLeast; at_ += std::min(kRange, end_ - at_)) add_range(at_, std::min(end_, at_ + kRange));
  for (std::size_t i = 0; i < models_.size(); ++i) views_[i] = models_[i].touched ? ByteSpan(models_[i].values).first(count_ * unit_) : base_view();
  return count_ != 0;
}

void ChangeUnion::add_range(std::uint64_t begin, std::uint64_t end) {
  std::fill(words_.begin(), words_.end(), 0);
  for (Model& model : models_) {
    const std::vector<std::uint64_t>& positions = model.changes.positions;
    model.begin = model.end;
    model.end = static_cast<std::size_t>(std::lower_bound(positions.begin() + static_cast<std::ptrdiff_t>(model.begin), positions.end(), end) - positions.begin());
    std::uint64_t* const words = words_.data();
    const std::uint64_t* const from = positions.data();
    for (std::size_t j = model.begin; j < model.end; ++j) words[(from[j] - begin) / 64] |= std::uint64_t{1} << (from[j] - begin) % 64;
  }
  const std::size_t added = kernels().list_ones(words_.data(), words_.size(), ones_.data());
  if (added == 0) return;
  make_room(positions_, count_ + added);
  std::uint64_t* const positions = positions_.data() + count_;
  const std::uint32_t* const ones = ones_.data();
  std::uint16_t* const places = places_.data();
  for (std::size_t j = 0; j < added; ++j) positions[j] = begin + ones[j];
  for (std::size_t j = 0; j < added; ++j) places[ones[j]] = static_cast<std::uint16_t>(j);
  with_unit(unit_, [&]<class U>(U) { put_values<U>(added); });
  count_ += added;
}

/// The values of the range at hand, of so many elements.
template <class U>
void ChangeUnion::put_values(std::size_t added) {
  const std::size_t offset = count_ * sizeof(U), size = added * sizeof(U);
  const std::uint16_t* const places = places_.data();
  const auto put = [&](const Model& model, const Bytes& values, std::byte* out) {
    const std::uint64_t* const positions = model.changes.positions.data();
    const std::byte* const from = values.data();
    for (std::size_t j = model.begin; j < model.end; ++j) store_le(out + places[(positions[j] - first_) % kRange] * sizeof(U), load_le<U>(from + j * sizeof(U)));
  };
  make_room(base_, offset + size);
  for (const Model& model : models_) put(model, model.changes.old_values, base_.data() + offset);
  for (Model& model : models_) {
    if (model.changes.positions.empty()) continue;
    make_room(model.values, offset + size);
    std::copy_n(base_.data() + offset, size, model.values.data() + offset);
    put(model, model.changes.new_values, model.values.data() + offset);
    model.touched = true;
  }
}

PieceMerge::PieceMerge(DType dtype, std::uint64_t first, ByteSpan base, std::span<const ModelPiece> models, std::string_view tensor, std::size_t window)
    : dtype_(dtype), first_(first), units_(unit_count(dtype, base.size())), models_(read_changes(first, base, models, tensor)), merge_(dtype, window) {}

void PieceMerge::look(TensorMerge& merge) {
  for (ChangeUnion part = elements(); part.next();) merge_.look(merge, part.elements());
}

Changes PieceMerge::apply(const TensorMerge& merge) {
  const unsigned unit = unit_type(dtype_).bytes;
  std::size_t most = 0;
  for (const Changes& model : models_) most += model.positions.size();
  most = std::min<std::size_t>(most, units_);
  Changes out;
  out.positions.reserve(most);
  out.old_values.reserve(most * unit);
  out.new_values.reserve(most * unit);
  Bytes merged;
  for (ChangeUnion part = elements(); part.next();) {
    const RawElements raw = part.elements();
    merged.resize(raw.base.size());
    merge_.apply(merge, raw, merged);
    with_unit(unit, [&]<class U>(U) { append_differing<U>(raw.elements.positions, raw.base, merged, out); });
  }
  return out;
}

}  // namespace dstore
