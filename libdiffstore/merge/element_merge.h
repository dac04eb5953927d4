#pragma once

#include <span>
#include <vector>

#include "base/bytes.h"
#include "merge/merge_method.h"

namespace dstore {

/// Elements of one tensor as they are stored, in the base and in every model: equally long. A model with the base's bits in all of
/// them may be the base's view.
struct RawElements {
  ElementList elements;
  ByteSpan base;
  std::span<const ByteSpan> models;
};

/// Elements that a merge sees at once; its result does not depend on it.
inline constexpr std::size_t kMergeWindow = 4096;

/// Shows raw elements to a merge, window by window. One thread; the buffers are kept from call to call.
class ElementMerge {
 public:
  explicit ElementMerge(DType dtype, std::size_t window = kMergeWindow);

  void look(TensorMerge& merge, const RawElements& raw);
  /// The merged elements; where no model has other bits, the base's.
  void apply(const TensorMerge& merge, const RawElements& raw, MutableByteSpan out);

 private:
  template <class Value>
  struct Buffers {
    std::vector<Value> base, merged;
    std::vector<std::vector<Value>> models;
    std::vector<std::span<const Value>> views;
  };
  template <class Visit>
  void for_each_window(const TensorMerge& merge, const RawElements& raw, Visit visit);
  template <class Value>
  NumberWindow<Value> numbers(const RawElements& raw, Buffers<Value>& buffers) const;
  template <class Value, class Apply>
  void write(const RawElements& raw, Buffers<Value>& buffers, MutableByteSpan out, Apply apply) const;

  DType dtype_;
  std::size_t unit_, window_;
  Buffers<float> floats_;
  Buffers<double> doubles_;
  std::vector<ByteSpan> views_;
};

}  // namespace dstore
