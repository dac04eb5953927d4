#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dstore/model.h"
#include "trainer/model/family.h"

namespace dstore {

/// One tensor that the model computes with.
struct Parameter {
  Role role = Role::emb_tok;
  std::int64_t layer = -1;  ///< -1 outside the encoder layers
  std::string name;         ///< as in the base; for new tensors as in a checkpoint with a head
  std::vector<std::uint64_t> shape;
  std::uint64_t count = 0;
  std::optional<std::size_t> source;  ///< index in the base's TensorSource; none: new, initialised from the seed
  DType dtype = DType::f32;           ///< of the base; new tensors are f32
  bool is_head = false;               ///< trained fully by every method and not counted in a density
  bool trainable = false;

  bool by_rows() const { return role == Role::emb_tok; }  ///< its gradient touches few rows
  std::uint64_t width() const { return shape.empty() ? 1 : shape.back(); }
  std::uint64_t rows() const { return width() == 0 ? 0 : count / width(); }
};

/// The tensors of a classifier on top of a base: those of the base in its order, then new ones.
struct ParameterTable {
  ModelConfig config;
  const ModelFamily* family = nullptr;
  std::int64_t outputs = 0;             ///< classes, or 1 for regression
  std::string base_prefix;              ///< what the base's names lack ("bert."), else empty
  std::vector<Parameter> parameters;
  std::vector<std::string> unused;      ///< floating tensors of the base that this model does not compute with

  /// Index by role and layer.
  std::size_t find(Role role, std::int64_t layer = -1) const;
  /// N: elements of the base's own tensors, without the head.
  std::uint64_t body_elements() const;
  std::uint64_t trainable_elements() const;
};

/// What happens where the base lacks a bias that the family has.
enum class MissingBiases { refuse, add };

/// Finds every tensor, with or without the family's prefix. A base's own head is used if `keep_head` and it has `outputs`
/// rows, else a new one takes its place; a missing pooler is new and counts as head; a missing bias is new
/// if `biases` says so, and counts as body. Error{invalid_argument} for a missing tensor or one
/// of another shape than config.json says, {unsupported} for a dtype that is not F64, F32, BF16 or F16.
ParameterTable match_parameters(const TensorSource& base, const ModelConfig& config, std::int64_t outputs,
                                const std::string& where, bool keep_head = true,
                                MissingBiases biases = MissingBiases::refuse);

/// The base's bytes as fp32 (exact for F32, BF16, F16). out.size() == parameter.count.
void read_as_float(const TensorSource& base, const Parameter& parameter, std::span<float> out);

}  // namespace dstore
