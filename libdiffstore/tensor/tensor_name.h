#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace dstore {

inline constexpr std::size_t kMaxTensorName = 1024;  ///< bytes
inline constexpr std::size_t kMaxTensorRank = 64;    ///< dimensions; what PyTorch and NumPy can hold
/// The one key of a safetensors header that is no tensor.
inline constexpr std::string_view kMetadataKey = "__metadata__";

/// nullopt if a tensor may have this name, else what is wrong with it, to stand after "a tensor name": 1 to
/// kMaxTensorName bytes of UTF-8 without control characters, and not kMetadataKey.
std::optional<std::string> tensor_name_problem(std::string_view name);

}  // namespace dstore
