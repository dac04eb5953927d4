#pragma once

#include <cstddef>
#include <span>

#include "dstore/tensor.h"

namespace dstore {

/// Little-endian F64, F32, BF16 or F16 elements to fp32 (F64: rounded to nearest even).
void to_float(DType dtype, std::span<const std::byte> raw, std::span<float> out);

/// `values` as elements of `dtype`, rounded to nearest even, but where a value has the bits of `before` (the fp32 form of
/// what `raw` holds), raw keeps its bytes: what was not trained is not rounded either. Returns how many elements' bytes changed.
std::size_t store_changed(DType dtype, std::span<const float> values, std::span<const float> before, std::span<std::byte> raw);

/// What the values read back as once stored as `dtype`: BF16 and F16 round them, F32 and F64 hold them exactly.
void round_to(DType dtype, std::span<float> values);

}  // namespace dstore
