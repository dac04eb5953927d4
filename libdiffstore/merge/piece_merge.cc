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

/// Where each unit of a piece stands among those that are set.
class Ranks {
 public:
  explicit Ranks(std::uint64_t units) : words_((units + 63) / 64), before_(words_.size()) {}
  void set(std::uint64_t at) { words_[at / 64] |= std::uint64_t{1} << at % 64; }
  std::size_t count() {
    std::uint32_t total = 0;
    for (std::size_t w = 0; w < words_.size(); ++w) {
      before_[w] = total;
      total += static_cast<std::uint32_t>(std::popcount(words_[w]));
    }
    return total;
  }
  std::size_t rank(std::uint64_t at) const {
    return before_[at / 64] + static_cast<std::size_t>(std::popcount(words_[at / 64] & ((std::uint64_t{1} << at % 64) - 1)));
  }
  const std::vector<std::uint64_t>& words() const { return words_; }

 private:
  std::vector<std::uint64_t> words_;
  std::vector<std::uint32_t> before_;
};

}  // namespace

bool merges_sparsely(const TensorMerge& merge, std::uint64_t units, std::uint64_t changed) {
  return merge.only_changes() && changed <= units / kDenseMergeShare;
}

ChangeUnion::ChangeUnion(DType dtype, std::uint64_t first, std::uint64_t units, std::span<const Changes> models) : models_(models.size()), views_(models.size()) {
  Ranks ranks(units);
  for (const Changes& model : models) {
    for (const std::uint64_t position : model.positions) ranks.set(position - first);
  }
  positions_.resize(ranks.count());
  std::uint64_t* to = positions_.data();
  for (std::size_t w = 0; w < ranks.words().size(); ++w) {
    for (std::uint64_t word = ranks.words()[w]; word != 0; word &= word - 1) *to++ = first + 64 * w + static_cast<unsigned>(std::countr_zero(word));
  }
  with_unit(unit_type(dtype).bytes, [&]<class U>(U) {
    base_.resize(positions_.size() * sizeof(U));
    const auto put = [&](const Changes& model, const Bytes& values, Bytes& out) {
      for (std::size_t i = 0; i < model.positions.size(); ++i) {
        std::memcpy(&out[ranks.rank(model.positions[i] - first) * sizeof(U)], &values[i * sizeof(U)], sizeof(U));
      }
    };
    for (const Changes& model : models) put(model, model.old_values, base_);
    for (std::size_t i = 0; i < models.size(); ++i) {
      views_[i] = base_;
      if (models[i].positions.empty()) continue;
      models_[i] = base_;
      put(models[i], models[i].new_values, models_[i]);
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
