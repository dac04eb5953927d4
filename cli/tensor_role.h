#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace dstore::cli {

/// Where in a network a tensor stands, told from its name. Ordered as data flows.
struct TensorRole {
  enum class Part { embedding, layer, pooler, head, other };
  Part part = Part::other;
  unsigned layer = 0;  ///< of Part::layer

  /// "embedding", "layer 3", ...
  std::string text() const;
  friend auto operator<=>(const TensorRole&, const TensorRole&) = default;
};

/// "bert.encoder.layer.3.output.dense.weight": layer 3.
TensorRole tensor_role(std::string_view name);

}  // namespace dstore::cli
