#pragma once

#include <cstdint>

#include "trainer/model/config.h"

namespace dstore {

/// What decides how much a forward pass leaves for backward.
struct PassShape {
  double rows = 0, width = 0;
  std::int64_t first_layer = 0;  ///< the lowest that keeps its graph; that of the config's layers: none does
  bool embeddings = false;       ///< whether they keep theirs
  bool bf16 = false;
  bool recompute = false;
};

/// Bytes that forward and backward of a BERT-layout encoder hold at most, besides values and their gradients; counted from what LibTorch keeps.
double bert_activation_bytes(const ModelConfig& config, const PassShape& shape);
/// The same without a backward.
double bert_forward_bytes(const ModelConfig& config, double rows, double width);

}  // namespace dstore
