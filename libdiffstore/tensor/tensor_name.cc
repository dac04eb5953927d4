#include "tensor/tensor_name.h"

#include <algorithm>

#include "base/bytes.h"

namespace dstore {

std::optional<std::string> tensor_name_problem(std::string_view name) {
  if (name.empty()) return "is empty";
  if (name.size() > kMaxTensorName) return "is " + std::to_string(name.size()) + " bytes long, more than 1024";
  if (!is_utf8(name)) return "is not UTF-8: '" + printable(name.substr(0, 200)) + "'";
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(name, is_control)) return "has control characters: '" + printable(name.substr(0, 200)) + "'";
  if (name == kMetadataKey) return "is '__metadata__', which safetensors keeps for itself";
  return std::nullopt;
}

}  // namespace dstore
