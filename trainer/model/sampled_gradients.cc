#include "trainer/model/sampled_gradients.h"

#include <algorithm>

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
  outputs.register_hook([this, index, inputs = inputs.detach()](const at::Tensor& gradient) { add(samples_[index], inputs, gradient); });
}

void SampledGradients::add(Sample& sample, const at::Tensor& inputs, const at::Tensor& gradient) {
  const auto assign = [](TokenColumns& columns, const at::Tensor& tensor) {
    const at::Tensor x = tensor.to(at::kFloat).reshape({-1, tensor.size(-1)}).contiguous();
    columns.assign({x.const_data_ptr<float>(), static_cast<std::size_t>(x.size(1))}, static_cast<std::size_t>(x.size(0)));
  };
  const bool known = last_inputs_.defined() && last_inputs_.const_data_ptr() == inputs.const_data_ptr() && last_inputs_.sizes() == inputs.sizes() &&
                     last_inputs_.strides() == inputs.strides();
  if (!known) {
    assign(inputs_, inputs);
    last_inputs_ = inputs;  // held, so that no other tensor has its place
  }
  assign(gradient_, gradient);
  add_sampled_product(sample.entries, gradient_, inputs_, sample.values);
}

void SampledGradients::end() { last_inputs_.reset(); }

void SampledGradients::pick(std::size_t index, const Gradient& gradient) {
  Sample& sample = samples_[index];
  if (sample.direct) return;
  for (std::size_t i = 0; i < sample.entries.size(); ++i) sample.values[i] = gradient.at(sample.entries[i]);
}

}  // namespace dstore
