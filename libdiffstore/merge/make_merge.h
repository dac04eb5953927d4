#pragma once

#include <memory>
#include <type_traits>

#include "merge/merge_method.h"
#include "merge/rounding.h"

namespace dstore {

/// A row's `make` for a class template over the arithmetic.
template <template <class> class Merge>
std::unique_ptr<TensorMerge> make_merge(const MergeSettings& settings, const MergedTensor& tensor) {
  return with_arithmetic(tensor.dtype, [&]<class A>(A) -> std::unique_ptr<TensorMerge> {
    if constexpr (std::is_constructible_v<Merge<A>, const MergeSettings&, const MergedTensor&>) return std::make_unique<Merge<A>>(settings, tensor);
    else return std::make_unique<Merge<A>>(settings);
  });
}

}  // namespace dstore
