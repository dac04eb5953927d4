#pragma once

#include <string>

#include "dstore/tensor.h"

namespace dstore {

/// "[384, 1536]", for messages.
inline std::string shape_text(const TensorInfo& info) {
  std::string text = "[";
  for (const std::uint64_t size : info.shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

}  // namespace dstore
