#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "dstore/tensor.h"

namespace dstore {

/// Bytes are hashed and stored in chunks of this size; the last one of a tensor or file is shorter (spec/objects.md).
inline constexpr std::uint64_t kChunkBytes = 4u << 20;

inline std::uint64_t chunk_count(std::uint64_t bytes) { return bytes / kChunkBytes + (bytes % kChunkBytes != 0 ? 1 : 0); }
/// Size of chunk `index` of something `bytes` long.
inline std::uint64_t chunk_size(std::uint64_t bytes, std::uint64_t index) {
  return std::min(kChunkBytes, bytes - index * kChunkBytes);
}

/// The content of an object of kind `tensor`: what the bytes mean and where they are. Its id is the tensor id.
struct TensorObject {
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;
  std::uint64_t bytes = 0;  ///< derived from dtype and shape, not stored
  std::vector<ObjectId> chunks;

  Bytes serialize() const;
  static TensorObject parse(ByteSpan bytes, std::string_view what);
};

/// The content of an object of kind `file`: a side file or a shard's header.
struct FileObject {
  std::uint64_t bytes = 0;
  std::vector<ObjectId> chunks;

  Bytes serialize() const;
  static FileObject parse(ByteSpan bytes, std::string_view what);
};

}  // namespace dstore
