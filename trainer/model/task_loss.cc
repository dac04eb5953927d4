#include "trainer/model/task_loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mse_loss.h>

#include <algorithm>
#include <cmath>

namespace dstore {
namespace {

at::Tensor class_loss(const at::Tensor& logits, const at::Tensor& targets) { return at::cross_entropy_loss(logits, targets, {}, at::Reduction::Sum); }
at::Tensor labels_loss(const at::Tensor& logits, const at::Tensor& targets) {
  return at::binary_cross_entropy_with_logits(logits, targets, {}, {}, at::Reduction::Sum) / logits.size(-1);
}
at::Tensor value_loss(const at::Tensor& logits, const at::Tensor& targets) { return at::mse_loss(logits.squeeze(-1), targets, at::Reduction::Sum); }

at::Tensor log_probabilities(const at::Tensor& logits) { return at::log_softmax(logits, -1); }
at::Tensor themselves(const at::Tensor& logits) { return logits; }

double probability(double score) { return std::exp(score); }
double bernoulli_variance(double score) {
  const double p = 1 / (1 + std::exp(-score));
  return p * (1 - p);
}
double one(double) { return 1; }

struct LossRow {
  TaskKind task;
  at::Tensor (*loss)(const at::Tensor& logits, const at::Tensor& targets);  ///< summed over rows
  at::Tensor (*scores)(const at::Tensor& logits);
  double (*weight)(double score);
};
constexpr LossRow kLosses[] = {
    {TaskKind::classification, class_loss, log_probabilities, probability},
    {TaskKind::multi_label, labels_loss, themselves, bernoulli_variance},
    {TaskKind::regression, value_loss, themselves, one},
};

const LossRow& loss_row(TaskKind task) {
  return *std::find_if(std::begin(kLosses), std::end(kLosses), [&](const LossRow& row) { return row.task == task; });
}

}  // namespace

at::Tensor task_loss(TaskKind task, const at::Tensor& logits, const at::Tensor& targets, std::int64_t batch_rows) {
  return loss_row(task).loss(logits, targets) / batch_rows;
}

FisherTerms fisher_terms(TaskKind task, const at::Tensor& logits) {
  const LossRow& row = loss_row(task);
  FisherTerms terms{row.scores(logits), {}};
  for (std::int64_t i = 0; i < terms.scores.size(1); ++i) terms.weights.push_back(row.weight(terms.scores.select(1, i).sum().item<double>()));
  return terms;
}

}  // namespace dstore
