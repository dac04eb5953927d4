#include "trainer/model/family.h"

#include <array>

#include "dstore/error.h"

namespace dstore {
namespace {

using enum RolePart;
using enum RoleKind;

constexpr std::array<RoleInfo, kRoleCount> kRoles = {{
    {Role::emb_tok, "emb.tok", embedding, weight},
    {Role::emb_pos, "emb.pos", embedding, weight},
    {Role::emb_type, "emb.type", embedding, weight},
    {Role::emb_ln_w, "emb.ln.w", embedding, norm_weight},
    {Role::emb_ln_b, "emb.ln.b", embedding, bias},
    {Role::attn_q_w, "attn.q.w", layer, weight},
    {Role::attn_q_b, "attn.q.b", layer, bias},
    {Role::attn_k_w, "attn.k.w", layer, weight},
    {Role::attn_k_b, "attn.k.b", layer, bias},
    {Role::attn_v_w, "attn.v.w", layer, weight},
    {Role::attn_v_b, "attn.v.b", layer, bias},
    {Role::attn_o_w, "attn.o.w", layer, weight},
    {Role::attn_o_b, "attn.o.b", layer, bias},
    {Role::attn_ln_w, "attn.ln.w", layer, norm_weight},
    {Role::attn_ln_b, "attn.ln.b", layer, bias},
    {Role::ffn_in_w, "ffn.in.w", layer, weight},
    {Role::ffn_in_b, "ffn.in.b", layer, bias},
    {Role::ffn_out_w, "ffn.out.w", layer, weight},
    {Role::ffn_out_b, "ffn.out.b", layer, bias},
    {Role::ffn_ln_w, "ffn.ln.w", layer, norm_weight},
    {Role::ffn_ln_b, "ffn.ln.b", layer, bias},
    {Role::pooler_w, "pooler.w", pooler, weight},
    {Role::pooler_b, "pooler.b", pooler, bias},
    {Role::head_w, "head.w", head, weight},
    {Role::head_b, "head.b", head, bias},
}};

constexpr bool roles_in_order() {
  for (std::size_t i = 0; i < kRoles.size(); ++i) {
    if (static_cast<std::size_t>(kRoles[i].role) != i) return false;
  }
  return true;
}
static_assert(roles_in_order());

constexpr std::array<RoleName, kRoleCount> kBertNames = {{
    {Role::emb_tok, "embeddings.word_embeddings.weight"},
    {Role::emb_pos, "embeddings.position_embeddings.weight"},
    {Role::emb_type, "embeddings.token_type_embeddings.weight"},
    {Role::emb_ln_w, "embeddings.LayerNorm.weight"},
    {Role::emb_ln_b, "embeddings.LayerNorm.bias"},
    {Role::attn_q_w, "encoder.layer.#.attention.self.query.weight"},
    {Role::attn_q_b, "encoder.layer.#.attention.self.query.bias"},
    {Role::attn_k_w, "encoder.layer.#.attention.self.key.weight"},
    {Role::attn_k_b, "encoder.layer.#.attention.self.key.bias"},
    {Role::attn_v_w, "encoder.layer.#.attention.self.value.weight"},
    {Role::attn_v_b, "encoder.layer.#.attention.self.value.bias"},
    {Role::attn_o_w, "encoder.layer.#.attention.output.dense.weight"},
    {Role::attn_o_b, "encoder.layer.#.attention.output.dense.bias"},
    {Role::attn_ln_w, "encoder.layer.#.attention.output.LayerNorm.weight"},
    {Role::attn_ln_b, "encoder.layer.#.attention.output.LayerNorm.bias"},
    {Role::ffn_in_w, "encoder.layer.#.intermediate.dense.weight"},
    {Role::ffn_in_b, "encoder.layer.#.intermediate.dense.bias"},
    {Role::ffn_out_w, "encoder.layer.#.output.dense.weight"},
    {Role::ffn_out_b, "encoder.layer.#.output.dense.bias"},
    {Role::ffn_ln_w, "encoder.layer.#.output.LayerNorm.weight"},
    {Role::ffn_ln_b, "encoder.layer.#.output.LayerNorm.bias"},
    {Role::pooler_w, "pooler.dense.weight"},
    {Role::pooler_b, "pooler.dense.bias"},
    {Role::head_w, "classifier.weight"},
    {Role::head_b, "classifier.bias"},
}};

constexpr std::array kFamilies = {
    ModelFamily{"bert", "BERT and models of its layout: post-norm encoder, absolute positions, pooler, WordPiece", "bert.",
                "BertForSequenceClassification", kBertNames, bert_forward, bert_activation_bytes, bert_forward_bytes},
};

}  // namespace

const RoleInfo& role_info(Role role) { return kRoles[static_cast<std::size_t>(role)]; }

std::span<const ModelFamily> families() { return kFamilies; }

const ModelFamily* find_family(std::string_view model_type) {
  for (const ModelFamily& family : kFamilies) {
    if (family.model_type == model_type) return &family;
  }
  return nullptr;
}

std::string family_names() {
  std::string names;
  for (const ModelFamily& family : kFamilies) names += (names.empty() ? "" : ", ") + std::string(family.model_type);
  return names;
}

std::string tensor_name(const ModelFamily& family, Role role, std::int64_t layer_number) {
  for (const RoleName& row : family.names) {
    if (row.role != role) continue;
    std::string name(row.name);
    if (const auto at = name.find('#'); at != std::string::npos) name.replace(at, 1, std::to_string(layer_number));
    return name;
  }
  throw Error(ErrorCode::unsupported, std::string(family.model_type) + " has no " + std::string(role_info(role).word));
}

std::vector<std::uint64_t> role_shape(Role role, const ModelConfig& c, std::int64_t outputs) {
  const auto d = static_cast<std::uint64_t>(c.hidden), f = static_cast<std::uint64_t>(c.intermediate);
  const auto n = static_cast<std::uint64_t>(outputs);
  switch (role) {
    case Role::emb_tok: return {static_cast<std::uint64_t>(c.vocabulary), d};
    case Role::emb_pos: return {static_cast<std::uint64_t>(c.positions), d};
    case Role::emb_type: return {static_cast<std::uint64_t>(c.token_types), d};
    case Role::attn_q_w: case Role::attn_k_w: case Role::attn_v_w: case Role::attn_o_w: case Role::pooler_w: return {d, d};
    case Role::ffn_in_w: return {f, d};
    case Role::ffn_in_b: return {f};
    case Role::ffn_out_w: return {d, f};
    case Role::head_w: return {n, d};
    case Role::head_b: return {n};
    default: return {d};  // biases and norms of width d
  }
}

}  // namespace dstore
