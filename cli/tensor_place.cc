#include "tensor_place.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

namespace dstore::cli {
namespace {

using Part = TensorPlace::Part;
using Role = TensorPlace::Role;

struct PartWord {
  std::string_view word;
  Part part;
};
constexpr PartWord kPartWords[] = {
    {"embeddings", Part::embedding}, {"embed_tokens", Part::embedding}, {"wte", Part::embedding},   {"wpe", Part::embedding},
    {"shared", Part::embedding},     {"pooler", Part::pooler},          {"classifier", Part::head}, {"score", Part::head},
    {"lm_head", Part::head},         {"qa_outputs", Part::head},        {"cls", Part::head},        {"head", Part::head},
    {"pre_classifier", Part::head},
};
/// Words before a layer's number.
constexpr std::string_view kLayerWords[] = {"layer", "layers", "h", "block", "blocks"};

struct RoleWord {
  std::string_view word;
  Role role;
};
constexpr RoleWord kRoleWords[] = {
    {"query", Role::query},         {"q_proj", Role::query},        {"q_lin", Role::query},       {"q", Role::query},
    {"key", Role::key},             {"k_proj", Role::key},          {"k_lin", Role::key},         {"k", Role::key},
    {"value", Role::value},         {"v_proj", Role::value},        {"v_lin", Role::value},       {"v", Role::value},
    {"query_key_value", Role::qkv}, {"qkv_proj", Role::qkv},        {"qkv", Role::qkv},           {"Wqkv", Role::qkv},
    {"c_attn", Role::qkv},          {"in_proj_weight", Role::qkv},  {"o_proj", Role::attention_out}, {"out_proj", Role::attention_out},
    {"out_lin", Role::attention_out}, {"o", Role::attention_out},   {"router", Role::router},     {"gate", Role::router},
    {"gate_proj", Role::mlp_gate},  {"wi_0", Role::mlp_gate},       {"w1", Role::mlp_gate},       {"up_proj", Role::mlp_up},
    {"gate_up_proj", Role::mlp_up}, {"intermediate", Role::mlp_up}, {"c_fc", Role::mlp_up},       {"fc1", Role::mlp_up},
    {"lin1", Role::mlp_up},         {"wi", Role::mlp_up},           {"wi_1", Role::mlp_up},       {"w3", Role::mlp_up},
    {"dense_h_to_4h", Role::mlp_up}, {"down_proj", Role::mlp_down}, {"fc2", Role::mlp_down},      {"lin2", Role::mlp_down},
    {"wo", Role::mlp_down},         {"w2", Role::mlp_down},         {"dense_4h_to_h", Role::mlp_down},
};
/// Words that both halves of a layer use for their last matrix.
constexpr std::string_view kOutputWords[] = {"output", "dense", "c_proj"};

std::vector<std::string_view> components(std::string_view name) {
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t dot = name.find('.');
    out.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return out;
    name.remove_prefix(dot + 1);
  }
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool contains(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }
bool is_norm(std::string_view word) { return contains(word, "norm") || contains(word, "Norm") || word.starts_with("ln_"); }
bool is_attention(std::string_view word) { return contains(word, "attn") || contains(word, "attention") || contains(word, "Attention"); }
bool is_output(std::string_view word) { return std::find(std::begin(kOutputWords), std::end(kOutputWords), word) != std::end(kOutputWords); }

Role role_in_layer(const std::vector<std::string_view>& words) {
  if (std::any_of(words.begin(), words.end(), is_norm)) return Role::norm;
  if (words.back() == "bias" || words.back() == "in_proj_bias") return Role::bias;
  for (auto word = words.rbegin(); word != words.rend(); ++word) {
    for (const RoleWord& known : kRoleWords) {
      if (*word == known.word) return known.role;
    }
  }
  if (std::none_of(words.begin(), words.end(), is_output)) return Role::other;
  return std::any_of(words.begin(), words.end(), is_attention) ? Role::attention_out : Role::mlp_down;
}

Role role_of(Part part, const std::vector<std::string_view>& words) {
  constexpr Role kRoles[] = {Role::embedding, Role::other, Role::pooler, Role::head, Role::other};
  const bool is_final_norm = part == Part::other && std::any_of(words.begin(), words.end(), is_norm);
  return is_final_norm ? Role::norm : kRoles[static_cast<std::size_t>(part)];
}

}  // namespace

TensorPlace tensor_place(std::string_view name) {
  const auto words = components(name);
  for (std::size_t i = 0; i + 1 < words.size(); ++i) {
    if (std::find(std::begin(kLayerWords), std::end(kLayerWords), words[i]) == std::end(kLayerWords)) continue;
    const auto layer = number(words[i + 1]);
    if (!layer) continue;
    const auto before = static_cast<std::size_t>(words[i].data() - name.data());
    const std::vector<std::string_view> inside(words.begin() + static_cast<std::ptrdiff_t>(i) + 2, words.end());
    return {Part::layer, std::string(name.substr(0, before > 0 ? before - 1 : 0)), *layer, inside.empty() ? Role::other : role_in_layer(inside)};
  }
  for (const std::string_view component : words) {
    for (const PartWord& known : kPartWords) {
      if (component == known.word) return {known.part, "", 0, role_of(known.part, words)};
    }
  }
  return {Part::other, "", 0, role_of(Part::other, words)};
}

const char* role_name(Role role) {
  constexpr const char* kNames[] = {"embedding", "query",  "key",      "value", "qkv",  "attention out", "router", "mlp gate",
                                    "mlp up",    "mlp down", "norm", "bias",  "pooler", "head",        "other"};
  return kNames[static_cast<std::size_t>(role)];
}

std::string part_name(const TensorPlace& place, bool stacks) {
  constexpr const char* kNames[] = {"embedding", "layer", "pooler", "head", "other"};
  const std::string name = kNames[static_cast<std::size_t>(place.part)];
  if (place.part != Part::layer) return name;
  return (stacks && !place.stack.empty() ? place.stack : name) + " " + std::to_string(place.layer);
}

}  // namespace dstore::cli
