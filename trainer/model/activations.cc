#include "trainer/model/activations.h"

#include <algorithm>

namespace dstore {
namespace {

/// Of layers made again and again: what the heap holds for one of them, by measurement.
constexpr double kGaps = 1.6;

/// fp32 numbers kept of a whole layer: so many times the hidden width and the FFN's for a token, and the attention's scores.
struct LayerNumbers {
  double hidden, wide, scores;
};

LayerNumbers kept(const ModelConfig& c, bool bf16) {
  const bool scores = c.attention_dropout > 0;  // else attention is one fused product that keeps none
  // Input, q, k, v (and what attention gives), its output, and at both ends of the layer a sum and its norm, with the dropout mask.
  const double masks = c.hidden_dropout > 0 ? 2 : 0;
  if (bf16) return {5 + masks, 1, scores ? 2.5 : 0};
  return {8 + masks, 2, scores ? 3.0 : 0};
}

double count(const ModelConfig& c, const LayerNumbers& n, double rows, double width) {
  const double tokens = rows * width;
  return tokens * (n.hidden * static_cast<double>(c.hidden) + n.wide * static_cast<double>(c.intermediate)) +
         n.scores * rows * static_cast<double>(c.heads) * width * width;
}

}  // namespace

double bert_activation_bytes(const ModelConfig& c, const PassShape& s) {
  const double layers = static_cast<double>(c.layers - std::min(s.first_layer, c.layers));
  const double layer = count(c, kept(c, s.bf16), s.rows, s.width);
  // Of the last layer the pooler needs the first token: keys and values of all, hardly anything else.
  const double last = c.pooling == Pooling::first_token ? count(c, {4, 0, 0}, s.rows, s.width) : layer;
  const double whole = std::max(0.0, layers - 1);
  // What goes back through the layer that is at work.
  const double back = layers > 0 ? count(c, {4, 2, c.attention_dropout > 0 ? 2.0 : 0}, s.rows, s.width) : 0;
  double numbers = whole * layer + (layers > 0 ? last : 0) + back;
  if (s.recompute) numbers = std::min(numbers, count(c, {layers, 0, 0}, s.rows, s.width) + kGaps * ((whole > 0 ? layer : last) + back));
  if (s.embeddings) numbers += count(c, {4, 0, 0}, s.rows, s.width);
  if (s.bf16) {
    const double d = static_cast<double>(c.hidden), weights = 4 * d * d + 2 * d * static_cast<double>(c.intermediate);
    numbers += weights / 2 * (s.recompute ? 1 : layers);
  }
  return std::max(4 * numbers, bert_forward_bytes(c, s.rows, s.width));
}

double bert_forward_bytes(const ModelConfig& c, double rows, double width) {
  return 4 * count(c, {8, 2, c.attention_dropout > 0 ? 3.0 : 0}, rows, width);
}

}  // namespace dstore
