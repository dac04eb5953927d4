#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "trainer/text/task_kind.h"

namespace dstore {

/// What these rows add to the mean over a batch of `batch_rows`, as transformers takes it for the task's problem type: cross entropy (targets:
/// [rows] int64), binary cross entropy with logits, mean over classes too ([rows, classes] of 0 and 1), squared error ([rows]).
at::Tensor task_loss(TaskKind task, const at::Tensor& logits, const at::Tensor& targets, std::int64_t batch_rows);

/// The Fisher information of one example, E[(d log p(y) / d theta)^2] over y as the model draws it, is the sum over outputs of
/// weight times (d score / d theta)^2. Classification: E is the sum over classes, weight p(y), score log p(y). Multi-label: log p(y) is a sum of
/// independent Bernoulli terms y log p + (1 - y) log(1 - p) with derivative (y - p) dz of its logit z, and mixed terms vanish, so
/// weight p(1 - p), score z: the expectation over all 2^classes answers. Regression: a Gaussian of variance 1, weight 1, score z.
struct FisherTerms {
  at::Tensor scores;  ///< [1, outputs]
  std::vector<double> weights;
};
FisherTerms fisher_terms(TaskKind task, const at::Tensor& logits);

}  // namespace dstore
