#pragma once

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// Bytes [offset, offset + size) of a tensor, where the source has them or read into `scratch`.
inline ByteSpan tensor_range(const TensorSource& source, std::size_t index, std::uint64_t offset, std::uint64_t size, Bytes& scratch) {
  if (const auto view = source.view(index); !view.empty()) return view.subspan(offset, size);
  scratch.resize(size);
  source.read(index, offset, scratch);
  return scratch;
}

}  // namespace dstore
