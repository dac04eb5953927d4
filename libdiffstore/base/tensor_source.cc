#include <algorithm>

#include "dstore/tensor.h"

namespace dstore {

std::optional<std::size_t> TensorSource::find(std::string_view name) const {
  const auto& all = tensors();
  const auto it = std::lower_bound(all.begin(), all.end(), name, [](const TensorInfo& t, std::string_view n) { return t.name < n; });
  if (it == all.end() || it->name != name) return std::nullopt;
  return static_cast<std::size_t>(it - all.begin());
}

}  // namespace dstore
