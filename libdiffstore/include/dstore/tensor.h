#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dstore {

/// Every dtype of the safetensors crate 0.8, with the numbers stored in tensor objects (spec/objects.md). Never reused.
enum class DType : std::uint8_t {
  boolean = 1,
  u8 = 2,
  i8 = 3,
  u16 = 4,
  i16 = 5,
  u32 = 6,
  i32 = 7,
  u64 = 8,
  i64 = 9,
  f16 = 10,
  bf16 = 11,
  f32 = 12,
  f64 = 13,
  c64 = 14,
  f8_e4m3 = 15,
  f8_e5m2 = 16,
  f8_e8m0 = 17,
  f8_e4m3fnuz = 18,
  f8_e5m2fnuz = 19,
  f6_e2m3 = 20,
  f6_e3m2 = 21,
  f4 = 22,
};

/// dtype, shape and size of one named tensor. `bytes` is always the size that dtype and shape imply.
struct TensorInfo {
  std::string name;
  DType dtype = DType::f32;
  std::vector<std::uint64_t> shape;  ///< empty: a scalar, one element
  std::uint64_t bytes = 0;

  friend bool operator==(const TensorInfo&, const TensorInfo&) = default;
};

/// Where a model's tensors come from: a folder of safetensors files, a commit in a store, a sum of revisions.
/// tensors() is sorted by name (bytes) without duplicates and does not change. read() may be called from many threads.
class TensorSource {
 public:
  virtual ~TensorSource() = default;
  virtual const std::vector<TensorInfo>& tensors() const = 0;
  /// Copies bytes [offset, offset + out.size()) of tensor `index` (little-endian, row-major). Error{corrupt} if damaged.
  virtual void read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const = 0;
  /// The same bytes without a copy, where the source has them in memory (mapped files); else empty.
  virtual std::span<const std::byte> view(std::size_t index) const {
    (void)index;
    return {};
  }
  /// Index of the tensor of that name.
  std::optional<std::size_t> find(std::string_view name) const;
};

}  // namespace dstore
