#include "tensor_listing.h"

#include <cstring>

#include "base/edit_distance.h"
#include "base/tensor_range.h"
#include "delta/element.h"
#include "dstore/error.h"
#include "number_text.h"
#include "object/chunked.h"
#include "tensor/dtype.h"

namespace dstore::cli {

std::vector<ElementDiff> differing_elements(const TensorSource& a, const TensorSource& b, const TensorDiff& tensor, std::uint64_t limit) {
  const std::uint64_t bytes = tensor.after->bytes;
  const std::size_t unit = unit_type(tensor.after->dtype).bytes;
  const std::size_t before_index = *a.find(tensor.base_name), after_index = *b.find(tensor.name);
  std::vector<ElementDiff> out;
  Bytes before_buffer, after_buffer;
  for (std::uint64_t chunk = 0; chunk < chunk_count(bytes) && out.size() < limit; ++chunk) {
    const std::uint64_t offset = chunk * kChunkBytes, size = chunk_size(bytes, chunk);
    const ByteSpan before = tensor_range(a, before_index, offset, size, before_buffer);
    const ByteSpan after = tensor_range(b, after_index, offset, size, after_buffer);
    for (std::uint64_t at = 0; at < size && out.size() < limit; at += unit) {
      if (std::memcmp(before.data() + at, after.data() + at, unit) == 0) continue;
      out.push_back({(offset + at) / unit, unit_text(tensor.after->dtype, before.subspan(at, unit)),
                     unit_text(tensor.after->dtype, after.subspan(at, unit))});
    }
  }
  return out;
}

const TensorDiff& find_tensor(const TensorsDiff& diff, const std::string& name) {
  std::vector<std::string> names;
  for (const TensorDiff& tensor : diff.tensors) {
    if (tensor.name == name) return tensor;
    names.push_back(tensor.name);
    if (!tensor.base_name.empty()) names.push_back(tensor.base_name);
  }
  for (const TensorDiff& tensor : diff.tensors) {
    if (tensor.base_name == name) return tensor;
  }
  const auto near = nearest(name, names);
  throw Error(ErrorCode::not_found, "neither model has a tensor " + printable(name) + (near ? "; did you mean " + printable(*near) + "?" : ""));
}

std::string position_text(const TensorInfo& info, std::uint64_t index) {
  std::string text = std::to_string(index);
  if (info.shape.size() < 2 || dtype_info(info.dtype).bytes() != unit_type(info.dtype).bytes) return text;
  std::string place;
  for (std::size_t d = info.shape.size(); d-- > 0;) {
    place = std::to_string(index % info.shape[d]) + (place.empty() ? "" : ", ") + place;
    index /= info.shape[d];
  }
  return text + " [" + place + "]";
}

}  // namespace dstore::cli
