#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/model/activations.h"
#include "trainer/model/config.h"

namespace dstore {

struct EncoderPass;  // trainer/model/encoder_pass.h: the only part that sees LibTorch

/// What a tensor does in the model: selectors of methods use these, never substrings of names.
enum class Role : std::uint8_t {
  emb_tok, emb_pos, emb_type, emb_ln_w, emb_ln_b,
  attn_q_w, attn_q_b, attn_k_w, attn_k_b, attn_v_w, attn_v_b, attn_o_w, attn_o_b, attn_ln_w, attn_ln_b,
  ffn_in_w, ffn_in_b, ffn_out_w, ffn_out_b, ffn_ln_w, ffn_ln_b,
  pooler_w, pooler_b, head_w, head_b,
};
inline constexpr std::size_t kRoleCount = 25;

enum class RolePart : std::uint8_t { embedding, layer, pooler, head };
enum class RoleKind : std::uint8_t { weight, bias, norm_weight };

struct RoleInfo {
  Role role;
  std::string_view word;  ///< "attn.q.w"
  RolePart part;
  RoleKind kind;
};
const RoleInfo& role_info(Role role);

/// Tensor name of a role; '#' stands for the layer's number.
struct RoleName {
  Role role;
  std::string_view name;
};

/// One supported model layout: facts and the function that computes it.
struct ModelFamily {
  std::string_view model_type;
  std::string_view help;
  std::string_view prefix;        ///< what a checkpoint with a head puts before the names of the bare encoder
  std::string_view architecture;  ///< of a classifier, for config.json
  std::span<const RoleName> names;
  /// From embedded tokens to logits.
  void (*forward)(EncoderPass&);
  /// Bytes that it takes: with a backward, and without (activations.h).
  double (*activations)(const ModelConfig&, const PassShape&);
  double (*forward_bytes)(const ModelConfig&, double rows, double width);
};

std::span<const ModelFamily> families();
const ModelFamily* find_family(std::string_view model_type);
/// "bert, ..." for messages.
std::string family_names();

/// Name without the prefix; `layer` is used where the role repeats in every layer.
std::string tensor_name(const ModelFamily& family, Role role, std::int64_t layer);
/// Shape that the config implies; `outputs` is the number of classes (head roles).
std::vector<std::uint64_t> role_shape(Role role, const ModelConfig& config, std::int64_t outputs);

void bert_forward(EncoderPass& pass);

}  // namespace dstore
