#include "repo/sum_source.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "delta/stats.h"
#include "dstore/error.h"
#include "merge/rounding.h"
#include "repo/same_tensor.h"
#include "tensor/dtype.h"

namespace dstore {
namespace {

constexpr std::size_t kWindow = 1 << 14;  ///< units that are calculated with at once

/// b + r(sum of weight * (x - b)): differences, products and sums in fp32 (fp64 for f64), the result rounded once.
template <class A>
double sum_of(double base, std::span<const double> values, std::span<const double> weights) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum = A::widen(sum + A::widen(weights[i] * A::widen(values[i] - base)));
  if (sum == 0) return base;
  const double result = A::round(base + sum);
  return std::isnan(result) ? std::numeric_limits<double>::quiet_NaN() : result;
}

}  // namespace

SumSource::SumSource(std::unique_ptr<StoredWeights> base, std::vector<SumTerm> terms)
    : base_(std::move(base)), terms_(std::move(terms)), of_base_(terms_.size(), std::vector<std::optional<std::size_t>>(base_->tensors().size())) {
  for (std::size_t t = 0; t < terms_.size(); ++t) {
    for (const Pairing& pair : terms_[t].pairs) {
      if (pair.base) of_base_[t][*pair.base] = pair.task;
    }
  }
  choose_shape();
  for (std::size_t i = 0; i < base_->tensors().size(); ++i) check_same_form(i);
  const TensorSource& layout = shape_ ? *terms_[*shape_].weights : *base_;
  std::vector<std::optional<std::size_t>> base_of(layout.tensors().size());
  if (shape_) {
    for (const Pairing& pair : terms_[*shape_].pairs) base_of[*pair.task] = pair.base;
  } else {
    for (std::size_t i = 0; i < base_of.size(); ++i) base_of[i] = i;
  }
  for (std::size_t i = 0; i < layout.tensors().size(); ++i) {
    infos_.push_back(layout.tensors()[i]);
    tensors_.push_back(base_of[i] ? plan(*base_of[i]) : Tensor{std::nullopt, {{*shape_, i}}, true});
    pairs_.push_back({infos_.back().name, base_of[i], i});
  }
}

void SumSource::choose_shape() {
  std::string with_own;
  bool own_chosen = false;
  for (std::size_t t = 0; t < terms_.size(); ++t) {
    if (terms_[t].weight <= 0) continue;
    if (!shape_) shape_ = t;
    const auto own = std::find_if(terms_[t].pairs.begin(), terms_[t].pairs.end(), [](const Pairing& pair) { return !pair.base; });
    if (own == terms_[t].pairs.end()) continue;
    if (own_chosen) {
      throw Error(ErrorCode::conflict, with_own + " and " + terms_[t].name + " (" + printable(own->name) +
                                           ") bring tensors that the base lacks, such as heads: these are never added; say whose are kept: merge(METHOD,heads=1: …), or heads=none");
    }
    own_chosen = true;
    shape_ = t;
    with_own = terms_[t].name + " (" + printable(own->name) + ")";
  }
}

/// Every term has the base's tensor with its shape and dtype, or lacks it where no other term changes it.
void SumSource::check_same_form(std::size_t base_index) const {
  const TensorInfo& info = base_->tensors()[base_index];
  const SumTerm* without = nullptr;
  const SumTerm* changing = nullptr;
  for (std::size_t t = 0; t < terms_.size(); ++t) {
    const TensorSource& weights = *terms_[t].weights;
    // A tensor of the same name that replaces the base's is another version of it.
    const auto own = of_base_[t][base_index] ? of_base_[t][base_index] : weights.find(info.name);
    if (!own) {
      without = &terms_[t];
      continue;
    }
    const TensorInfo& other = weights.tensors()[*own];
    if (other.shape != info.shape || other.dtype != info.dtype) {
      throw Error(ErrorCode::conflict, "tensor " + printable(info.name) + ": " + terms_[t].name + " has it as " + form_text(other) +
                                           ", the base as " + form_text(info) + "; models can be added where their shapes and dtypes are the base's");
    }
    if (!known_equal(weights, *own, *base_, base_index)) changing = &terms_[t];
  }
  if (without == nullptr || changing == nullptr) return;
  throw Error(ErrorCode::conflict, "tensor " + printable(info.name) + ": " + without->name + " does not have it, and " + changing->name + " changes it; a sum cannot decide");
}

SumSource::Tensor SumSource::plan(std::size_t base_index) const {
  Tensor out{base_index, {}, false};
  const TensorInfo& info = base_->tensors()[base_index];
  const bool numeric = is_numeric(info.dtype);
  for (std::size_t t = 0; t < terms_.size(); ++t) {
    const auto own = of_base_[t][base_index];
    if (!own || known_equal(*terms_[t].weights, *own, *base_, base_index)) continue;
    if (!numeric && (terms_[t].weight <= 0 || same_tensor(*terms_[t].weights, *own, *base_, base_index))) continue;
    out.changed.emplace_back(t, *own);
  }
  if (numeric || out.changed.empty()) return out;
  const auto [first, tensor] = out.changed.front();
  for (const auto& [t, own] : out.changed) {
    if (same_tensor(*terms_[first].weights, tensor, *terms_[t].weights, own)) continue;
    throw Error(ErrorCode::conflict, "tensor " + printable(info.name) + " (" + std::string(dtype_info(info.dtype).name) + ", no arithmetic): " + terms_[first].name + " and " +
                                         terms_[t].name + " change it differently; a sum cannot decide");
  }
  out.changed.resize(1);
  out.whole = true;
  return out;
}

SumSource::Overlap SumSource::add(const Tensor& tensor, DType dtype, std::uint64_t offset, MutableByteSpan out) const {
  const std::size_t unit = unit_type(dtype).bytes, count = tensor.changed.size();
  std::vector<Bytes> bytes(count, Bytes(out.size()));
  std::vector<double> weights, column(count);
  for (std::size_t t = 0; t < count; ++t) {
    terms_[tensor.changed[t].first].weights->read(tensor.changed[t].second, offset, bytes[t]);
    weights.push_back(terms_[tensor.changed[t].first].weight);
  }
  Overlap found;
  std::vector<double> base(kWindow), sum(kWindow);
  std::vector<std::vector<double>> values(count, std::vector<double>(kWindow));
  Bytes result;
  with_arithmetic(dtype, [&]<class A>(A) {
    std::vector<double> rounded_weights;
    for (const double weight : weights) rounded_weights.push_back(A::widen(weight));
    for (std::size_t at = 0; at < out.size(); at += kWindow * unit) {
      const std::size_t size = std::min(out.size() - at, kWindow * unit), units = size / unit;
      const MutableByteSpan target = out.subspan(at, size);
      const auto differs = [&](std::size_t t) { return !std::equal(target.begin(), target.end(), bytes[t].begin() + static_cast<std::ptrdiff_t>(at)); };
      bool any = false;
      for (std::size_t t = 0; t < count; ++t) any = any || differs(t);
      if (!any) continue;
      read_doubles(dtype, target, std::span(base).first(units));
      for (std::size_t t = 0; t < count; ++t) read_doubles(dtype, ByteSpan(bytes[t]).subspan(at, size), std::span(values[t]).first(units));
      for (std::size_t i = 0; i < units; ++i) {
        for (std::size_t t = 0; t < count; ++t) column[t] = values[t][i];
        sum[i] = sum_of<A>(base[i], column, rounded_weights);
      }
      result.resize(size);
      write_doubles(dtype, std::span<const double>(sum).first(units), result);
      for (std::size_t i = 0; i < units; ++i) {
        std::byte* here = target.data() + i * unit;
        std::size_t changing = 0, last = 0;
        for (std::size_t t = 0; t < count; ++t) {
          if (std::memcmp(here, bytes[t].data() + at + i * unit, unit) == 0) continue;
          ++changing;
          last = t;
        }
        if (changing == 0) continue;
        ++found.changed;
        found.shared += changing > 1 ? 1 : 0;
        const bool exact = changing == 1 && weights[last] == 1;
        const bool same = !exact && std::bit_cast<std::uint64_t>(sum[i]) == std::bit_cast<std::uint64_t>(base[i]);
        if (!same) std::memcpy(here, exact ? bytes[last].data() + at + i * unit : result.data() + i * unit, unit);
      }
    }
  });
  return found;
}

/// The base's bytes of a piece, or of a part of one, become the sum.
void SumSource::add_part(std::size_t index, std::uint64_t offset, MutableByteSpan base) const {
  const std::uint64_t end = offset + base.size();
  const Overlap found = add(tensors_[index], infos_[index].dtype, offset, base);
  if (offset % kPieceBytes != 0 || (end % kPieceBytes != 0 && end != infos_[index].bytes)) return;
  const std::scoped_lock lock(mutex_);
  overlaps_[{index, offset / kPieceBytes}] = found;
}

ChangeSource::Touch SumSource::touch(std::size_t index, std::uint64_t offset) const {
  const Tensor& tensor = tensors_[index];
  const bool none = !tensor.whole && std::all_of(tensor.changed.begin(), tensor.changed.end(), [&](const auto& change) {
    const auto* stored = dynamic_cast<const StoredWeights*>(terms_[change.first].weights.get());
    const DerivedTensor* derived = stored == nullptr ? nullptr : stored->derived(change.second);
    return derived != nullptr && derived->op == DeltaOp::modify && derived->index == tensor.base && stored->changed_at(change.second, offset) == 0;
  });
  return none ? Touch::none : Touch::dense;
}

Changes SumSource::changes(std::size_t index, std::uint64_t, ByteSpan) const {
  throw Error(ErrorCode::invalid_argument, "tensor " + printable(infos_[index].name) + ": no piece of a sum is sparse");
}

void SumSource::make(std::size_t index, std::uint64_t offset, ByteSpan base, MutableByteSpan out) const {
  if (tensors_[index].whole) return read(index, offset, out);
  std::copy(base.begin(), base.end(), out.begin());
  add_part(index, offset, out);
}

void SumSource::read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const {
  const Tensor& tensor = tensors_[index];
  if (tensor.whole) return terms_[tensor.changed.front().first].weights->read(tensor.changed.front().second, offset, out);
  if (tensor.changed.empty()) return base_->read(*tensor.base, offset, out);
  const TensorInfo& info = infos_[index];
  const std::uint64_t unit = unit_type(info.dtype).bytes;
  if (offset % unit != 0 || out.size() % unit != 0) {
    const std::uint64_t begin = offset / unit * unit, end = (offset + out.size() + unit - 1) / unit * unit;
    Bytes whole(end - begin);
    read(index, begin, whole);
    std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(offset - begin), out.size(), out.begin());
    return;
  }
  for (std::uint64_t at = offset, end = offset + out.size(); at < end;) {
    const std::uint64_t next = std::min(end, (at / kPieceBytes + 1) * kPieceBytes);
    const MutableByteSpan part = out.subspan(at - offset, next - at);
    base_->read(*tensor.base, at, part);
    add_part(index, at, part);
    at = next;
  }
}

SumSource::Overlap SumSource::overlap() const {
  const std::scoped_lock lock(mutex_);
  Overlap out;
  for (const auto& [place, found] : overlaps_) {
    out.changed += found.changed;
    out.shared += found.shared;
  }
  return out;
}

}  // namespace dstore
