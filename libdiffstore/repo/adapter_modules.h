#pragma once

#include <map>
#include <optional>
#include <string>

#include "dstore/tensor.h"

namespace dstore {

/// Tensors of one module in adapter_model.safetensors, as indexes into it.
struct AdapterModule {
  std::optional<std::size_t> a, b;               ///< LoRA factors
  std::optional<std::size_t> values, indices;    ///< SHiRA
  bool embedding = false;                        ///< a and b are those of an embedding, which are stored the other way round
};

/// What stands in a PEFT file, under names without `base_model.model.`.
struct AdapterTensors {
  std::map<std::string, AdapterModule> modules;  ///< by the module's name; whole: both factors, or values and indices
  std::map<std::string, std::size_t> whole;      ///< tensors that replace the base's: modules_to_save
};

/// Error{unsupported} for tensors that only other kinds of adapters have, {corrupt} for half a module; names the tensor.
AdapterTensors sort_adapter_tensors(const TensorSource& adapter, const std::string& what);

inline constexpr std::string_view kAdapterPrefix = "base_model.model.";

}  // namespace dstore
