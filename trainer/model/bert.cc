// BertForSequenceClassification (Devlin et al. 2018) as plain functions of named tensors; transformers'
// modeling_bert.py is the reference for every detail (tests/trainer/parity.py).
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/baddbmm.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tanh.h>

#include <cmath>
#include <limits>

#include "trainer/model/encoder_pass.h"
#include "trainer/model/split_linear.h"

namespace dstore {
namespace {

using at::Tensor;

Tensor norm(const EncoderPass& m, const Tensor& x, Role weight, Role bias, std::int64_t layer = -1) {
  return at::layer_norm(x, {m.config.hidden}, m(weight, layer), m(bias, layer), m.config.norm_epsilon);
}

Tensor activate(Activation activation, const Tensor& x) {
  switch (activation) {
    case Activation::gelu_tanh: return at::gelu(x, "tanh");
    case Activation::relu: return at::relu(x);
    case Activation::silu: return at::silu(x);
    default: return at::gelu(x);
  }
}

Tensor dense(const EncoderPass& m, const Tensor& x, Role weight, Role bias, std::int64_t layer = -1) {
  const Tensor inputs = m.factor(x);
  if (const SplitLinear* split = m.split == nullptr ? nullptr : m.split(m.tensors, weight, layer)) return split->forward(inputs);
  Tensor outputs = at::linear(inputs, m.factor(m(weight, layer)), m.factor(m(bias, layer)));
  if (m.see_linear != nullptr) m.see_linear(m.viewer, weight, layer, inputs, outputs);
  return outputs;
}

Tensor embed(EncoderPass& m) {
  const Tensor positions = at::arange(m.words.size(1), m.type_ids.options());
  Tensor x = m.words + at::embedding(m(Role::emb_type), m.type_ids);
  x = x + at::embedding(m(Role::emb_pos), positions);
  return m.dropout.apply(norm(m, x, Role::emb_ln_w, Role::emb_ln_b), m.config.hidden_dropout);
}

/// [rows, width, hidden] -> [rows, heads, width, hidden / heads]
Tensor split_heads(const Tensor& x, std::int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

/// Softmax(q k^T / sqrt(d) + bias) v. `bias` is [rows, 1, 1, width] with -inf on padding, or undefined.
Tensor attend(EncoderPass& m, const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& bias) {
  const std::int64_t rows = q.size(0), heads = q.size(1), queries = q.size(2), keys = k.size(2), width = q.size(3);
  if (!m.dropout.on(m.config.attention_dropout)) {
    const auto mask = bias.defined() ? std::optional<Tensor>(m.factor(bias).expand({rows, heads, queries, keys})) : std::nullopt;
    return at::scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).reshape({rows, queries, heads * width});
  }
  const Tensor keys_t = k.transpose(2, 3).reshape({rows * heads, width, keys});
  const double scale = 1 / std::sqrt(static_cast<double>(width));
  Tensor scores = m.product(at::bmm((q * scale).reshape({rows * heads, queries, width}), keys_t));
  if (bias.defined()) scores = (scores.view({rows, heads, queries, keys}) + bias).view({rows * heads, queries, keys});
  const Tensor weights = m.factor(m.dropout.apply(at::softmax(scores, -1), m.config.attention_dropout));
  const Tensor mixed = at::bmm(weights, v.reshape({rows * heads, keys, width}));
  return mixed.view({rows, heads, queries, width}).transpose(1, 2).reshape({rows, queries, heads * width});
}

/// One encoder layer. `first_only`: the result for the first token alone, which is all a pooler reads of the last layer.
Tensor encode(EncoderPass& m, const Tensor& x, const Tensor& bias, std::int64_t layer, bool first_only) {
  const auto linear = [&](const Tensor& in, Role w, Role b) { return dense(m, in, w, b, layer); };
  const Tensor target = first_only ? x.narrow(1, 0, 1) : x;
  const std::int64_t heads = m.config.heads;
  const Tensor in = m.factor(x);
  const Tensor q = split_heads(linear(first_only ? in.narrow(1, 0, 1) : in, Role::attn_q_w, Role::attn_q_b), heads);
  const Tensor k = split_heads(linear(in, Role::attn_k_w, Role::attn_k_b), heads);
  const Tensor v = split_heads(linear(in, Role::attn_v_w, Role::attn_v_b), heads);
  Tensor mixed = linear(attend(m, q, k, v, bias), Role::attn_o_w, Role::attn_o_b);
  mixed = norm(m, m.dropout.apply(mixed, m.config.hidden_dropout) + target, Role::attn_ln_w, Role::attn_ln_b, layer);
  Tensor wide = activate(m.config.activation, linear(mixed, Role::ffn_in_w, Role::ffn_in_b));
  Tensor out = m.dropout.apply(linear(wide, Role::ffn_out_w, Role::ffn_out_b), m.config.hidden_dropout);
  return norm(m, out + mixed, Role::ffn_ln_w, Role::ffn_ln_b, layer);
}

Tensor pool(EncoderPass& m, const Tensor& x) {
  if (m.config.pooling == Pooling::mean) {
    if (!m.mask.defined()) return x.mean(1);
    const Tensor weight = m.mask.to(x.scalar_type()).unsqueeze(-1);
    return (x * weight).sum(1) / weight.sum(1);
  }
  return at::tanh(dense(m, x.select(1, 0), Role::pooler_w, Role::pooler_b));
}

}  // namespace

void bert_forward(EncoderPass& m) {
  Tensor x = embed(m);
  Tensor bias;
  if (m.mask.defined()) {
    bias = (1 - m.mask).to(x.scalar_type()).masked_fill(m.mask == 0, -std::numeric_limits<double>::infinity());
    bias = bias.view({x.size(0), 1, 1, x.size(1)});
  }
  for (std::int64_t layer = 0; layer < m.config.layers; ++layer) {
    const bool first_only = !m.every_token && m.config.pooling == Pooling::first_token && layer + 1 == m.config.layers;
    x = m.run([=](EncoderPass& pass, const Tensor& in) { return encode(pass, in, bias, layer, first_only); }, x);
  }
  const Tensor pooled = m.dropout.apply(pool(m, x), m.config.classifier_dropout);
  m.logits = m.product(dense(m, pooled, Role::head_w, Role::head_b));
}

}  // namespace dstore
