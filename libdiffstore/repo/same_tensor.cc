#include "repo/same_tensor.h"

#include <algorithm>

#include "base/tensor_range.h"
#include "repo/stored_weights.h"
#include "tensor/dtype.h"
#include "tensor/shape_text.h"

namespace dstore {

bool known_equal(const TensorSource& a, std::size_t i, const TensorSource& b, std::size_t j) {
  const auto* left = dynamic_cast<const StoredWeights*>(&a);
  const auto* right = dynamic_cast<const StoredWeights*>(&b);
  return left != nullptr && right != nullptr && left->tensor_id(i) == right->tensor_id(j);
}

bool same_tensor(const TensorSource& a, std::size_t i, const TensorSource& b, std::size_t j) {
  const TensorInfo &left = a.tensors()[i], &right = b.tensors()[j];
  if (left.dtype != right.dtype || left.shape != right.shape) return false;
  const auto* first = dynamic_cast<const StoredWeights*>(&a);
  const auto* second = dynamic_cast<const StoredWeights*>(&b);
  if (first != nullptr && second != nullptr) return first->tensor_id(i) == second->tensor_id(j);
  Bytes x, y;
  for (std::uint64_t at = 0; at < left.bytes; at += kPieceBytes) {
    const std::uint64_t size = std::min(kPieceBytes, left.bytes - at);
    const ByteSpan part = tensor_range(a, i, at, size, x);
    if (!std::equal(part.begin(), part.end(), tensor_range(b, j, at, size, y).begin())) return false;
  }
  return true;
}

bool only_rows_differ(const TensorInfo& a, const TensorInfo& b) {
  return a.dtype == b.dtype && !a.shape.empty() && a.shape.size() == b.shape.size() && std::equal(a.shape.begin() + 1, a.shape.end(), b.shape.begin() + 1) &&
         a.shape.front() > 0 && b.shape.front() > 0 && a.shape.front() != b.shape.front();
}

std::string form_text(const TensorInfo& info) { return std::string(dtype_info(info.dtype).name) + " " + shape_text(info); }

}  // namespace dstore
