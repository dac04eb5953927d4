#pragma once

#include "dstore/tensor.h"

namespace dstore {

/// Whether the ids say that two tensors are equal: false also where one is computed and has none.
bool known_equal(const TensorSource& a, std::size_t i, const TensorSource& b, std::size_t j);
/// Whether dtype, shape and bytes are equal; read where the ids do not say.
bool same_tensor(const TensorSource& a, std::size_t i, const TensorSource& b, std::size_t j);

/// Whether they differ in nothing but the first dimension, of which both have something: embeddings of two vocabularies.
bool only_rows_differ(const TensorInfo& a, const TensorInfo& b);

/// "F32 [30522, 384]".
std::string form_text(const TensorInfo& info);

}  // namespace dstore
