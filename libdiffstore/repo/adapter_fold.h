#pragma once

#include <string>
#include <vector>

#include "repo/adapter_config.h"
#include "repo/edited_source.h"
#include "tensor/memory_tensors.h"

namespace dstore {

/// An adapter as edits of a base: what PEFT's merge_and_unload() does, with bits that are the same everywhere (docs/adapters.md).
/// `adapter` must outlive it.
struct AdapterFold {
  std::vector<TensorEdit> edits;  ///< one for each tensor of the result
  MemoryTensors turned;           ///< factors that are stored the other way round, or in more than two dimensions
  std::size_t modules = 0;        ///< that have factors or sparse values
  std::size_t replaced = 0;       ///< tensors that the adapter has whole
  std::string prefix;             ///< what the adapter's names have more than the base's
};

/// Names: without `base_model.model.`, as in the base, or with one prefix more or less for all modules. The edits point into the
/// result: it is filled in place. Error{invalid_argument} naming module or tensor where something does not fit the base;
/// {unsupported} for tensors of kinds of adapters that are not known.
void fold_adapter(const TensorSource& base, const TensorSource& adapter, const AdapterConfig& config, const std::string& what, AdapterFold& out);

}  // namespace dstore
