#pragma once

#include "delta/segment.h"
#include "dstore/tensor.h"

namespace dstore {

/// What is made of a base piece by piece (kPieceBytes), by something that knows beforehand which pieces change little or not at all.
/// `index` is a tensor of the result that comes from a tensor of the base, `offset` where the piece starts. Thread-safe.
class ChangeSource {
 public:
  enum class Touch : unsigned char { none, sparse, dense };

  virtual ~ChangeSource() = default;
  /// Known without a look at the base. none: the piece is the base's.
  virtual Touch touch(std::size_t index, std::uint64_t offset) const = 0;
  /// Of a sparse piece; `base` is all of it.
  virtual Changes changes(std::size_t index, std::uint64_t offset, ByteSpan base) const = 0;
  /// Of a dense piece: its bytes.
  virtual void make(std::size_t index, std::uint64_t offset, ByteSpan base, MutableByteSpan out) const = 0;
};

}  // namespace dstore
