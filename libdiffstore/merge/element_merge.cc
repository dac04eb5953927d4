#include "merge/element_merge.h"

#include <algorithm>
#include <cstring>

#include "delta/element.h"
#include "delta/stats.h"
#include "merge/number_loops.h"

namespace dstore {
namespace {

void read_values(DType dtype, ByteSpan bits, std::span<float> out) { number_loops<float>(dtype).read(bits.data(), out.size(), out.data()); }
void read_values(DType dtype, ByteSpan bits, std::span<double> out) { read_doubles(dtype, bits, out); }

void write_values(DType dtype, std::span<const float> values, MutableByteSpan bits) { number_loops<float>(dtype).write(values.data(), values.size(), bits.data()); }
/// Through the float loops where those hold the values, so that a NaN is written alike.
void write_values(DType dtype, std::span<const double> values, MutableByteSpan bits) {
  if (dtype == DType::f64) return number_loops<double>(dtype).write(values.data(), values.size(), bits.data());
  std::vector<float> narrow(values.size());
  std::transform(values.begin(), values.end(), narrow.begin(), [](double value) { return static_cast<float>(value); });
  write_values(dtype, std::span<const float>(narrow), bits);
}

void keep_unchanged(DType dtype, ByteSpan base, std::span<const std::byte* const> models, std::size_t count, MutableByteSpan bits) {
  if (dtype == DType::f64) return number_loops<double>(dtype).keep_unchanged(base.data(), models, count, bits.data());
  number_loops<float>(dtype).keep_unchanged(base.data(), models, count, bits.data());
}

bool any_nan(DType dtype, const std::vector<float>& values) { return number_loops<float>(dtype).any_nan(values.data(), values.size()); }
bool any_nan(DType, const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double value) { return value != value; });
}

}  // namespace

ElementMerge::ElementMerge(DType dtype, std::size_t window) : dtype_(dtype), unit_(unit_type(dtype).bytes), window_(window) {}

template <class Value>
NumberWindow<Value> ElementMerge::numbers(const RawElements& raw, Buffers<Value>& buffers) const {
  const std::size_t count = raw.base.size() / unit_;
  buffers.base.resize(count);
  buffers.models.resize(raw.models.size());
  buffers.views.resize(raw.models.size());
  read_values(dtype_, raw.base, std::span<Value>(buffers.base));
  for (std::size_t i = 0; i < raw.models.size(); ++i) {
    buffers.views[i] = buffers.base;
    if (raw.models[i].data() == raw.base.data()) continue;
    buffers.models[i].resize(count);
    read_values(dtype_, raw.models[i], std::span<Value>(buffers.models[i]));
    buffers.views[i] = buffers.models[i];
  }
  return {raw.elements.first, buffers.base, buffers.views, raw.elements.positions};
}

template <class Value, class Apply>
void ElementMerge::write(const RawElements& raw, Buffers<Value>& buffers, MutableByteSpan out, Apply apply) const {
  const NumberWindow<Value> window = numbers(raw, buffers);
  buffers.merged.resize(window.size());
  apply(window, std::span<Value>(buffers.merged));
  write_values(dtype_, std::span<const Value>(buffers.merged), out);
}

/// Calls visit(part of the elements, offset in bytes) where some model differs, or for all that the merge must see.
template <class Visit>
void ElementMerge::for_each_window(const TensorMerge& merge, const RawElements& raw, Visit visit) {
  const bool skip = merge.only_changes();
  for (std::size_t at = 0; at < raw.base.size(); at += window_ * unit_) {
    const std::size_t size = std::min(window_ * unit_, raw.base.size() - at);
    RawElements part{raw.elements, raw.base.subspan(at, size), {}};
    if (part.elements.positions.empty()) part.elements.first += at / unit_;
    else part.elements.positions = part.elements.positions.subspan(at / unit_, size / unit_);
    views_.clear();
    bool differs = false;
    for (const ByteSpan model : raw.models) {
      const bool same = model.data() == raw.base.data() || std::memcmp(model.data() + at, part.base.data(), size) == 0;
      views_.push_back(same ? part.base : model.subspan(at, size));
      differs = differs || !same;
    }
    part.models = views_;
    visit(part, at, differs || !skip, differs);
  }
}

void ElementMerge::look(TensorMerge& merge, const RawElements& raw) {
  for_each_window(merge, raw, [&](const RawElements& part, std::size_t, bool wanted, bool) {
    if (!wanted) return;
    if (merge.takes_floats()) merge.look_floats(numbers(part, floats_));
    else merge.look(numbers(part, doubles_));
  });
}

void ElementMerge::apply(const TensorMerge& merge, const RawElements& raw, MutableByteSpan out) {
  std::vector<const std::byte*> others;
  for_each_window(merge, raw, [&](const RawElements& part, std::size_t at, bool, bool differs) {
    const MutableByteSpan target = out.subspan(at, part.base.size());
    if (!differs) {
      std::copy(part.base.begin(), part.base.end(), target.begin());
      return;
    }
    bool nan = false;
    if (merge.takes_floats()) {
      write(part, floats_, target, [&](const FloatWindow& window, std::span<float> values) { merge.apply_floats(window, values); });
      nan = any_nan(dtype_, floats_.merged);
    } else {
      write(part, doubles_, target, [&](const MergeWindow& window, std::span<double> values) { merge.apply(window, values); });
      nan = any_nan(dtype_, doubles_.merged);
    }
    if (!nan && merge.returns_base()) return;
    others.clear();
    for (const ByteSpan model : part.models) {
      if (model.data() != part.base.data()) others.push_back(model.data());
    }
    keep_unchanged(dtype_, part.base, others, target.size() / unit_, target);
  });
}

}  // namespace dstore
