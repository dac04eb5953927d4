#pragma once

#include <string>
#include <string_view>

namespace dstore::cli {

/// Where in a network a tensor stands and what it does there, told from its name as models of the Hugging Face hub have it.
struct TensorPlace {
  enum class Part { embedding, layer, pooler, head, other };  ///< as data flows
  enum class Role {
    embedding, query, key, value, qkv, attention_out, router, mlp_gate, mlp_up, mlp_down, norm, bias, pooler, head, other
  };
  Part part = Part::other;
  std::string stack;   ///< of Part::layer: what stands before the layer's word ("bert.encoder")
  unsigned layer = 0;  ///< of Part::layer
  Role role = Role::other;
};

/// "bert.encoder.layer.3.output.dense.weight": layer 3 of "bert.encoder", mlp_down.
TensorPlace tensor_place(std::string_view name);

/// "query", "attention out", ...
const char* role_name(TensorPlace::Role role);
/// "embedding", "layer 3"; with `stacks`, for models of several, "encoder 3".
std::string part_name(const TensorPlace& place, bool stacks);

}  // namespace dstore::cli
