#include "trainer/model/encoder_pass.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>

#include "trainer/optim/dropout_mask.h"
#include "trainer/optim/threads.h"

namespace dstore {

at::Tensor Dropout::apply(const at::Tensor& x, double probability) {
  if (!on(probability)) return x;
  const lanes::NoiseKey noise{seed_, RandomStream::dropout, step_, site_++};
  at::Tensor mask = at::empty(x.sizes(), at::TensorOptions().dtype(at::kFloat));
  float* out = mask.data_ptr<float>();
  const auto count = static_cast<std::size_t>(mask.numel());
  const std::size_t before = count / static_cast<std::size_t>(rows_.count) * static_cast<std::size_t>(rows_.first);
  parallel_ranges(count, 1 << 15, [&](std::size_t begin, std::size_t end) {
    fill_dropout_mask(out + begin, before + begin, end - begin, probability, noise);
  });
  return x * mask.to(x.device());
}

at::Tensor EncoderPass::run(const Section& section, const at::Tensor& x) {
  if (!recompute) return section(*this, x);
  Kept now{section, dropout, x, x.detach(), {}};
  now.input.set_requires_grad(x.requires_grad());
  // With its graph, which goes at once: LibTorch picks other kernels without one, and both times must give the same bits.
  const at::Tensor y = section(*this, now.input);
  now.output = y.detach();
  if (!y.requires_grad()) return now.output;
  now.output.set_requires_grad(true);
  kept.push_back(now);
  return now.output;
}

void EncoderPass::backward(const at::Tensor& loss) {
  loss.backward();
  for (; !kept.empty(); kept.pop_back()) {
    const Kept& last = kept.back();
    dropout = last.dropout;
    last.section(*this, last.input).backward(last.output.grad());
    if (last.input.requires_grad()) last.above.backward(last.input.grad());
  }
}

}  // namespace dstore
