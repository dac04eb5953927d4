#include "repo/derived_tensor.h"

#include <algorithm>

#include "dstore/error.h"
#include "object/chunked.h"
#include "tensor/dtype.h"
#include "tensor/float_convert.h"

namespace dstore {
namespace {

/// Elements of the base, converted; zero bytes where the base has none any more.
void read_converted(const DerivedTensor& tensor, std::uint64_t offset, MutableByteSpan out) {
  const TensorInfo& base = tensor.base_info();
  if (base.dtype == tensor.info.dtype) {
    const std::uint64_t have = std::min<std::uint64_t>(out.size(), base.bytes - std::min(base.bytes, offset));
    if (have > 0) tensor.base->read(tensor.index, offset, out.first(have));
    std::fill(out.begin() + static_cast<std::ptrdiff_t>(have), out.end(), std::byte{0});
    return;
  }
  const std::uint64_t from_unit = dtype_info(base.dtype).bytes(), to_unit = dtype_info(tensor.info.dtype).bytes();
  const std::uint64_t base_count = base.bytes / from_unit;
  Bytes slice;
  for (std::uint64_t at = offset / to_unit; !out.empty();) {
    // Slices that end where a chunk of the base ends: no chunk is read twice.
    const std::uint64_t step = kChunkBytes / from_unit;
    const std::uint64_t count = std::min(step - at % step, out.size() / to_unit);
    const std::uint64_t have = std::min(count, base_count - std::min(base_count, at));
    slice.resize(have * from_unit);
    if (have > 0) tensor.base->read(tensor.index, at * from_unit, slice);
    convert_floats(base.dtype, slice, tensor.info.dtype, out.first(have * to_unit));
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(have * to_unit), (count - have) * to_unit, std::byte{0});
    out = out.subspan(count * to_unit);
    at += count;
  }
}

}  // namespace

void DerivedTensor::read(std::uint64_t offset, MutableByteSpan out) const {
  if (op == DeltaOp::convert) return read_converted(*this, offset, out);
  base->read(index, offset, out);
  if (op == DeltaOp::low_rank) add_low_rank(info, factors, offset, out);
}

bool is_conversion(const TensorInfo& from, const TensorInfo& to) {
  if (from.dtype != to.dtype && !(is_convertible_float(from.dtype) && is_convertible_float(to.dtype))) return false;
  if (from.shape.size() != to.shape.size()) return false;
  if (from.dtype == to.dtype && from.shape == to.shape) return false;
  return from.shape.empty() || std::equal(from.shape.begin() + 1, from.shape.end(), to.shape.begin() + 1);
}

TensorInfo converted_info(const TensorInfo& from, const std::string& name, DType dtype, std::uint64_t rows) {
  const std::string what = "tensor " + printable(name);
  TensorInfo info{name, dtype, from.shape, 0};
  if (info.shape.empty() && rows != 1) throw Error(ErrorCode::corrupt, what + ": a delta gives a scalar rows");
  if (!info.shape.empty()) info.shape.front() = rows;
  if (!is_conversion(from, info)) throw Error(ErrorCode::corrupt, what + ": a delta converts it into what it cannot be");
  info.bytes = tensor_bytes(dtype, info.shape, what);
  return info;
}

}  // namespace dstore
