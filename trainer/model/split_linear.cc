#include "trainer/model/split_linear.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <torch/csrc/autograd/custom_function.h>

#include "trainer/optim/threads.h"

namespace dstore {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

constexpr std::size_t kGrain = 8;

/// Each row of contiguous tensors on the CPU: scatters to[node] = from[i], or gathers to[i] = from[node].
template <typename T, bool kScatter>
void move_columns(Tensor& to, const Tensor& from, const Tensor& nodes) {
  const auto to_width = static_cast<std::size_t>(to.size(-1)), from_width = static_cast<std::size_t>(from.size(-1));
  const auto count = static_cast<std::size_t>(nodes.numel());
  const std::int64_t* at = nodes.const_data_ptr<std::int64_t>();
  T* out = static_cast<T*>(to.mutable_data_ptr());
  const T* in = static_cast<const T*>(from.const_data_ptr());
  const std::size_t rows = to_width == 0 ? 0 : static_cast<std::size_t>(to.numel()) / to_width;
  parallel_ranges(rows, kGrain, [&](std::size_t begin, std::size_t end) {
    for (std::size_t r = begin; r < end; ++r) {
      T* out_row = out + r * to_width;
      const T* in_row = in + r * from_width;
      for (std::size_t i = 0; i < count; ++i) {
        const auto node = static_cast<std::size_t>(at[i]);
        if (kScatter) {
          out_row[node] = in_row[i];
        } else {
          out_row[i] = in_row[node];
        }
      }
    }
  });
}

template <bool kScatter>
void move_columns(Tensor& to, const Tensor& from, const Tensor& nodes) {
  if (from.element_size() == 2) return move_columns<std::uint16_t, kScatter>(to, from.contiguous(), nodes);
  if (from.element_size() == 4) return move_columns<std::uint32_t, kScatter>(to, from.contiguous(), nodes);
  return move_columns<std::uint64_t, kScatter>(to, from.contiguous(), nodes);
}

/// to[..., nodes[i]] = from[..., i]
void scatter_columns(Tensor& to, const Tensor& from, const Tensor& nodes) {
  if (!to.is_cpu()) {
    to.index_copy_(-1, nodes, from);
  } else {
    move_columns<true>(to, from, nodes);
  }
}

/// x[..., nodes]
Tensor gather_columns(const Tensor& x, const Tensor& nodes) {
  if (!x.is_cpu()) return x.index_select(-1, nodes);
  std::vector<std::int64_t> shape(x.sizes().begin(), x.sizes().end());
  shape.back() = nodes.numel();
  Tensor out = at::empty(shape, x.options());
  move_columns<false>(out, x, nodes);
  return out;
}

/// Two layers' outputs in the order of the nodes. A permutation: backward takes each its part of the gradient.
class Interleave : public torch::autograd::Function<Interleave> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& a, const Tensor& b, const Tensor& a_nodes, const Tensor& b_nodes) {
    context->save_for_backward({a_nodes, b_nodes});
    std::vector<std::int64_t> shape(a.sizes().begin(), a.sizes().end());
    shape.back() += b.size(-1);
    Tensor out = at::empty(shape, a.options());
    scatter_columns(out, a, a_nodes);
    scatter_columns(out, b, b_nodes);
    return out;
  }
  static tensor_list backward(AutogradContext* context, const tensor_list& gradients) {
    const auto nodes = context->get_saved_variables();
    tensor_list parts(4);
    for (std::size_t i = 0; i < 2; ++i) {
      if (context->needs_input_grad(i)) parts[i] = gather_columns(gradients[0], nodes[i]);
    }
    return parts;
  }
};

Tensor from_indices(const std::vector<std::int64_t>& values, at::Device device) {
  const auto options = at::TensorOptions().dtype(at::kLong);
  return at::from_blob(const_cast<std::int64_t*>(values.data()), {static_cast<std::int64_t>(values.size())}, options).clone().to(device);
}

}  // namespace

SplitLinear::SplitLinear(const Tensor& whole_weight, const Tensor& whole_bias, std::span<const std::uint32_t> learners)
    : slots(static_cast<std::size_t>(whole_bias.numel()), -1) {
  const at::NoGradGuard no_grad;
  std::vector<std::int64_t> learning(learners.begin(), learners.end()), frozen;
  for (std::size_t i = 0; i < learners.size(); ++i) slots[learners[i]] = static_cast<std::int32_t>(i);
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (slots[i] < 0) frozen.push_back(static_cast<std::int64_t>(i));
  }
  learners_ = from_indices(learning, whole_weight.device());
  frozen_ = from_indices(frozen, whole_weight.device());
  frozen_weight_ = whole_weight.detach().index_select(0, frozen_);
  frozen_bias_ = whole_bias.detach().index_select(0, frozen_);
  weight = whole_weight.detach().index_select(0, learners_).set_requires_grad(true);
  bias = whole_bias.detach().index_select(0, learners_).set_requires_grad(true);
}

Tensor SplitLinear::forward(const Tensor& x) const {
  const auto as = [&](const Tensor& values) { return values.to(x.scalar_type()); };
  return Interleave::apply(at::linear(x, as(frozen_weight_), as(frozen_bias_)), at::linear(x, as(weight), as(bias)), frozen_, learners_);
}

void SplitLinear::refresh(const Tensor& whole_weight, const Tensor& whole_bias) {
  const at::NoGradGuard no_grad;
  weight.copy_(whole_weight.index_select(0, learners_));
  bias.copy_(whole_bias.index_select(0, learners_));
}

}  // namespace dstore
