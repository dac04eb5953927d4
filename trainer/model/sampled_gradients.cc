#include "trainer/model/sampled_gradients.h"

#include <algorithm>

#include "trainer/optim/sampled_product.h"

namespace dstore {
namespace {

/// Below this share of a weight dot products cost less than the whole gradient.
constexpr std::size_t kDirectBelow = 8;

}  // namespace

bool SampledGradients::choose(std::size_t index, const Parameter& parameter, std::span<const std::uint32_t> entries, bool on_cpu) {
  const RoleInfo& role = role_info(parameter.role);
  const bool linear = role.kind == RoleKind::weight && role.part != RolePart::embedding;
  Sample& sample = samples_[index];
  sample.entries.assign(entries.begin(), entries.end());
  sample.values.assign(entries.size(), 0.0f);
  sample.direct = on_cpu && linear && entries.size() < parameter.count / kDirectBelow;
  return sample.direct;
}

void SampledGradients::begin() {
  for (Sample& sample : samples_) std::fill(sample.values.begin(), sample.values.end(), 0.0f);
}

void SampledGradients::watch(std::size_t index, const at::Tensor& inputs, at::Tensor& outputs) {
  if (!outputs.requires_grad()) outputs.set_requires_grad(true);
  outputs.register_hook([&sample = samples_[index], inputs = inputs.detach()](const at::Tensor& gradient) {
    const auto rows = [](const at::Tensor& x) { return x.to(at::kFloat).reshape({-1, x.size(-1)}).contiguous(); };
    const auto matrix = [](const at::Tensor& x) { return TokenMatrix{x.const_data_ptr<float>(), static_cast<std::size_t>(x.size(1))}; };
    const at::Tensor x = rows(inputs), g = rows(gradient);
    add_sampled_product(sample.entries, matrix(g), matrix(x), static_cast<std::size_t>(x.size(0)), sample.values);
  });
}

void SampledGradients::pick(std::size_t index, const Gradient& gradient) {
  Sample& sample = samples_[index];
  if (sample.direct) return;
  for (std::size_t i = 0; i < sample.entries.size(); ++i) sample.values[i] = gradient.at(sample.entries[i]);
}

}  // namespace dstore
