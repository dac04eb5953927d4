#pragma once

#include <string>

#include "base/filesystem.h"
#include "object/weights_table.h"
#include "repo/stored_weights.h"
#include "tensor/safetensors.h"

namespace dstore {

/// Names and ids of all tensors of a source that has its bytes in memory; hashes everything.
WeightsTable weights_of(const TensorSource& source, unsigned threads);

/// Error{corrupt} naming the first tensor unless the file at `path` holds, under `header`, tensors of `weights`.
void require_tensors(Filesystem& fs, const std::string& path, const SafetensorsHeader& header, const StoredWeights& weights, unsigned threads);

}  // namespace dstore
