#pragma once

#include <optional>
#include <string>

#include "repo/adapter_modules.h"

namespace dstore {

/// How the names of an adapter's tensors (without `base_model.model.`) and those of the base go together: equal, or all of them with one
/// prefix of up to three components more ("bert.") or less. So an adapter of a model with a head fits the bare base, and the reverse.
class AdapterNames {
 public:
  /// Error{invalid_argument} naming a module whose weight the base does not have, or has under two prefixes.
  AdapterNames(const TensorSource& base, const AdapterTensors& tensors, const std::string& what);

  /// The base's tensor of an adapter's name.
  std::optional<std::size_t> base_of(const std::string& name) const;
  /// What the adapter's names have more than the base's.
  const std::string& added_prefix() const { return added_; }

 private:
  const TensorSource& base_;
  std::string added_;    ///< of the adapter
  std::string missing_;  ///< of the base
};

}  // namespace dstore
