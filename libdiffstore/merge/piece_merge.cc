#include "merge/piece_merge.h"

#include <bit>
#include <cstring>

#include "delta/residual.h"

namespace dstore {
namespace {

std::vector<Changes> read_changes(std::uint64_t first, ByteSpan base, std::span<const ModelPiece> models, std::string_view tensor) {
  std::vector<Changes> out(models.size());
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (models[i].reader != nullptr) out[i] = models[i].reader->changes(models[i].index, first, base, tensor);
  }
  return out;
}

/// A bit for each unit of a piece.
class UnitBits {
 public:
  UnitBits(std::uint64_t first, std::uint64_t units) : first_(first), words_((units + 63) / 64) {}
  void set(std::span<const std::uint64_t> positions) {
    for (const std::uint64_t position : positions) words_[(position - first_) / 64] |= std::uint64_t{1} << (position - first_) % 64;
  }
  const std::vector<std::uint64_t>& words() const { return words_; }

 private:
  std::uint64_t first_;
  std::vector<std::uint64_t> words_;
};

}  // namespace

bool merges_sparsely(const TensorMerge& merge, std::uint64_t units, std::uint64_t changed) {
  return merge.only_changes() && changed <= units / kDenseMergeShare;
}

ChangeUnion::ChangeUnion(DType dtype, std::uint64_t first, std::uint64_t units, std::vector<Changes> changes) : models_(changes.size()), views_(changes.size()) {
  std::size_t most = 0;
  UnitBits all(first, units);
  for (const Changes& model : changes) {
    most += model.positions.size();
    all.set(model.positions);
  }
  positions_.resize(most);
  std::uint64_t* to = positions_.data();
  for (std::size_t w = 0; w < all.words().size(); ++w) {
    for (std::uint64_t word = all.words()[w]; word != 0; word &= word - 1) *to++ = first + 64 * w + static_cast<unsigned>(std::countr_zero(word));
  }
  positions_.resize(static_cast<std::size_t>(to - positions_.data()));

  with_unit(unit_type(dtype).bytes, [&]<class U>(U) {
    base_.resize(positions_.size() * sizeof(U));
    // No branches: whether a model changes an element of the union is as good as random. So each has an end that is never reached.
    const auto walk = [&](Changes& model, auto take) {
      model.positions.push_back(UINT64_MAX);
      model.old_values.resize(model.old_values.size() + sizeof(U));
      model.new_values.resize(model.new_values.size() + sizeof(U));
      std::size_t next = 0;
      for (std::size_t j = 0; j < positions_.size(); ++j) {
        const bool changes_it = model.positions[next] == positions_[j];
        take(j * sizeof(U), next * sizeof(U), changes_it);
        next += changes_it;
      }
    };
    for (Changes& model : changes) {
      if (model.positions.empty()) continue;
      walk(model, [&](std::size_t at, std::size_t from, bool changes_it) {
        const U before = load_le<U>(&base_[at]), own = load_le<U>(&model.old_values[from]);
        store_le(&base_[at], changes_it ? own : before);
      });
      model.positions.pop_back();
    }
    for (std::size_t i = 0; i < changes.size(); ++i) {
      views_[i] = base_;
      if (changes[i].positions.empty()) continue;
      models_[i].resize(base_.size());
      walk(changes[i], [&](std::size_t at, std::size_t from, bool changes_it) {
        const U before = load_le<U>(&base_[at]), own = load_le<U>(&changes[i].new_values[from]);
        store_le(&models_[i][at], changes_it ? own : before);
      });
      views_[i] = models_[i];
    }
  });
}

PieceMerge::PieceMerge(DType dtype, std::uint64_t first, ByteSpan base, std::span<const ModelPiece> models, std::string_view tensor, std::size_t window)
    : dtype_(dtype), union_(dtype, first, unit_count(dtype, base.size()), read_changes(first, base, models, tensor)), elements_(dtype, window) {}

void PieceMerge::look(TensorMerge& merge) { elements_.look(merge, union_.elements()); }

Changes PieceMerge::apply(const TensorMerge& merge) {
  const RawElements raw = union_.elements();
  Bytes merged(raw.base.size());
  elements_.apply(merge, raw, merged);
  Changes out;
  out.positions.resize(union_.size());
  out.old_values.resize(merged.size());
  out.new_values.resize(merged.size());
  std::size_t count = 0;
  with_unit(unit_type(dtype_).bytes, [&]<class U>(U) {
    for (std::size_t j = 0; j < union_.size(); ++j) {
      const U before = load_le<U>(&raw.base[j * sizeof(U)]), after = load_le<U>(&merged[j * sizeof(U)]);
      out.positions[count] = raw.elements.positions[j];
      store_le(&out.old_values[count * sizeof(U)], before);
      store_le(&out.new_values[count * sizeof(U)], after);
      count += before != after;
    }
    out.old_values.resize(count * sizeof(U));
    out.new_values.resize(count * sizeof(U));
  });
  out.positions.resize(count);
  return out;
}

}  // namespace dstore
