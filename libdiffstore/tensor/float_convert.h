#pragma once

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// Whether convert_floats() knows this dtype: f64, f32, f16, bf16.
bool is_convertible_float(DType dtype);

/// The elements of `in` as elements of `to`, bit for bit as in spec/objects.md, "Conversion of floats": to nearest, ties
/// to even, subnormals kept, overflow to infinity, NaN to the quiet NaN of its sign. Integer arithmetic alone, so the bits
/// depend on no flag and no processor. Both dtypes are convertible; `in` and `out` hold the same number of elements.
void convert_floats(DType from, ByteSpan in, DType to, MutableByteSpan out);

}  // namespace dstore
