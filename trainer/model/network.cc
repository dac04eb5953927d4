#include "trainer/model/network.h"

#include <ATen/Context.h>
#include <ATen/Version.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <map>

#include "dstore/error.h"
#include "trainer/model/encoder_pass.h"
#include "trainer/model/sampled_gradients.h"
#include "trainer/model/split_linear.h"
#include "trainer/model/task_loss.h"
#include "trainer/optim/threads.h"
#include "trainer/text/philox.h"

namespace dstore {
namespace {

at::Tensor from_ints(std::span<const std::int64_t> values, at::IntArrayRef shape, at::Device device) {
  const at::Tensor borrowed = at::from_blob(const_cast<std::int64_t*>(values.data()), shape, at::TensorOptions().dtype(at::kLong));
  return device.is_cpu() ? borrowed.clone() : borrowed.to(device);
}

RowRange all_rows(const Batch& batch) { return {0, batch.rows}; }

/// Those of some rows, of an array with `width` elements a row.
template <typename T>
std::span<const T> part(const std::vector<T>& values, RowRange rows, std::int64_t width = 1) {
  return std::span(values).subspan(static_cast<std::size_t>(rows.first * width), static_cast<std::size_t>(rows.count * width));
}

/// Where the rows of a batch's word gradients are summed, one compact row for each token that occurs.
struct RowGradient {
  std::vector<std::int32_t> slots;  ///< per vocabulary row, -1 where absent
  std::vector<std::int64_t> used;   ///< the rows that are not
  std::vector<float> data;
};

}  // namespace

struct Network::Tensors {
  ParameterTable table;
  NetworkOptions options;
  at::Device device{at::kCPU};
  std::vector<at::Tensor> host;  ///< fp32 values on the CPU
  std::vector<at::Tensor> live;  ///< the same tensors on the CPU, copies on another device
  std::map<std::pair<Role, std::int64_t>, std::size_t> index;
  std::vector<at::Tensor> gradients;
  RowGradient rows;
  std::optional<SampledGradients> sampled;
  struct Split {
    std::size_t weight, bias;
    SplitLinear linear;
  };
  std::vector<Split> splits;

  /// Of a weight or a bias; null where its layer is whole.
  const Split* split_of(std::size_t parameter) const {
    const auto at = std::find_if(splits.begin(), splits.end(), [&](const Split& s) { return s.weight == parameter || s.bias == parameter; });
    return at == splits.end() ? nullptr : &*at;
  }
  static const SplitLinear* find_split(const void* self, Role role, std::int64_t layer) {
    const auto& tensors = *static_cast<const Tensors*>(self);
    const Split* split = at::GradMode::is_enabled() ? tensors.split_of(tensors.index.at({role, layer})) : nullptr;
    return split == nullptr ? nullptr : &split->linear;
  }
  /// What the graph's gradients of a parameter are of.
  const at::Tensor& leaf(std::size_t parameter) const {
    const Split* split = split_of(parameter);
    return split == nullptr ? live[parameter] : split->weight == parameter ? split->linear.weight : split->linear.bias;
  }
  static at::Tensor lookup(const void* self, Role role, std::int64_t layer) {
    const auto& tensors = *static_cast<const Tensors*>(self);
    const at::Tensor& tensor = tensors.live[tensors.index.at({role, layer})];
    // LibTorch picks other kernels for weights that require a gradient, even where none is made: a model that is being
    // trained must predict with the bits of the same model read from a file.
    return at::GradMode::is_enabled() ? tensor : tensor.detach();
  }
  static void watch(void* self, Role weight, std::int64_t layer, const at::Tensor& inputs, at::Tensor& outputs) {
    auto& tensors = *static_cast<Tensors*>(self);
    const std::size_t at = tensors.index.at({weight, layer});
    if (tensors.sampled->watches(at)) tensors.sampled->watch(at, inputs, outputs);
  }
  EncoderPass pass(const Batch& batch, RowRange rows, const Dropout& dropout);
  at::Tensor targets(const Batch& batch, RowRange rows) const;
  void begin_gradients(const Batch& batch);
  void add_words(EncoderPass& pass, const Batch& batch, RowRange rows);
  void collect();
  Gradient gradient(std::size_t at) const;
};

Network::Network(const TensorSource& base, ParameterTable table, const NetworkOptions& options) : tensors_(std::make_unique<Tensors>()) {
  Tensors& t = *tensors_;
  t.table = std::move(table);
  t.options = options;
  if (options.device == Device::cuda) {
    if (!at::globalContext().hasCUDA()) {
      throw Error(ErrorCode::unsupported, "--device cuda: this LibTorch (" + libtorch_version() + ") has no CUDA or finds no GPU; use --device cpu");
    }
    t.device = at::Device(at::kCUDA, 0);
  }
  for (std::size_t i = 0; i < t.table.parameters.size(); ++i) {
    const Parameter& p = t.table.parameters[i];
    std::vector<std::int64_t> shape(p.shape.begin(), p.shape.end());
    t.host.push_back(at::empty(shape, at::TensorOptions().dtype(at::kFloat)));
    t.index[{p.role, p.layer}] = i;
    const std::span<float> out = values(i);
    if (p.source) {
      read_as_float(base, p, out);
    } else if (role_info(p.role).kind == RoleKind::bias) {
      std::fill(out.begin(), out.end(), 0.0f);
    } else {
      const Philox noise(options.seed, RandomStream::head_init, 0, static_cast<std::uint32_t>(p.role));
      for (std::size_t j = 0; j < out.size(); ++j) out[j] = static_cast<float>(t.table.config.initializer_range * noise.normal(j));
    }
    t.live.push_back(t.device.is_cpu() ? t.host.back() : t.host.back().to(t.device));
  }
  t.gradients.resize(t.host.size());
  t.sampled.emplace(t.host.size());
  t.rows.slots.assign(static_cast<std::size_t>(t.table.config.vocabulary), -1);
}

Network::~Network() = default;
Network::Network(Network&&) noexcept = default;

const ParameterTable& Network::table() const { return tensors_->table; }

std::span<float> Network::values(std::size_t index) {
  at::Tensor& tensor = tensors_->host[index];
  return {tensor.mutable_data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

void Network::values_changed() {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; !tensors_->device.is_cpu() && i < tensors_->live.size(); ++i) {
    if (tensors_->table.parameters[i].trainable) tensors_->live[i].copy_(tensors_->host[i]);
  }
  for (Tensors::Split& s : tensors_->splits) s.linear.refresh(tensors_->live[s.weight], tensors_->live[s.bias]);
}

void Network::set_trainable(std::size_t index, bool trainable) {
  Parameter& parameter = tensors_->table.parameters[index];
  std::erase_if(tensors_->splits, [&](const Tensors::Split& s) { return s.weight == index || s.bias == index; });
  parameter.trainable = trainable;
  // Word embeddings are looked up outside the graph: their gradient is that of the looked-up rows.
  tensors_->live[index].set_requires_grad(trainable && !parameter.by_rows());
  tensors_->sampled->forget(index);
}

void Network::split_linear(std::size_t weight, std::size_t bias, std::span<const std::uint32_t> nodes) {
  Tensors& t = *tensors_;
  for (const std::size_t index : {weight, bias}) {
    set_trainable(index, !nodes.empty());
    t.live[index].set_requires_grad(false);
    t.gradients[index].reset();
  }
  if (!nodes.empty()) t.splits.push_back({weight, bias, SplitLinear(t.live[weight], t.live[bias], nodes)});
}

void Network::sample(std::size_t index, std::span<const std::uint32_t> entries) {
  Tensors& t = *tensors_;
  if (t.sampled->choose(index, t.table.parameters[index], entries, t.device.is_cpu())) t.live[index].set_requires_grad(false);
}

std::span<const float> Network::sampled_gradient(std::size_t index) const { return tensors_->sampled->values(index); }

EncoderPass Network::Tensors::pass(const Batch& batch, RowRange chosen, const Dropout& dropout) {
  const std::array<std::int64_t, 2> shape{chosen.count, batch.width};
  EncoderPass pass{table.config, lookup, this, {}, {}, {}, dropout, {}};
  pass.split = find_split;
  if (at::GradMode::is_enabled()) {
    pass.see_linear = watch;
    pass.viewer = this;
    pass.bf16 = options.precision == Precision::bf16;
  }
  const std::size_t words = index.at({Role::emb_tok, -1});
  {
    const at::NoGradGuard no_grad;
    pass.words = at::embedding(live[words], from_ints(part(batch.ids, chosen, batch.width), shape, device));
  }
  pass.words.set_requires_grad(table.parameters[words].trainable && at::GradMode::is_enabled());
  pass.type_ids = from_ints(part(batch.type_ids, chosen, batch.width), shape, device);
  const auto mask = part(batch.mask, chosen, batch.width);
  if (std::find(mask.begin(), mask.end(), 0) != mask.end()) pass.mask = from_ints(mask, shape, device);
  return pass;
}

at::Tensor Network::Tensors::targets(const Batch& batch, RowRange chosen) const {
  if (options.task == TaskKind::classification) return from_ints(part(batch.labels, chosen), {chosen.count}, device);
  const bool several = options.task == TaskKind::multi_label;
  const auto values = part(batch.values, chosen, several ? table.outputs : 1);
  std::vector<std::int64_t> shape{chosen.count};
  if (several) shape.push_back(table.outputs);
  return at::from_blob(const_cast<double*>(values.data()), shape, at::TensorOptions().dtype(at::kDouble)).to(device, at::kFloat);
}

double Network::loss_and_gradients(const Batch& batch, std::optional<std::uint32_t> step) {
  Tensors& t = *tensors_;
  t.begin_gradients(batch);
  const auto parts = std::clamp<std::int64_t>(static_cast<std::int64_t>(t.options.accumulate), 1, batch.rows);
  const std::int64_t size = (batch.rows + parts - 1) / parts;
  double loss = 0;
  for (std::int64_t first = 0; first < batch.rows; first += size) {
    const RowRange rows{first, std::min(size, batch.rows - first)};
    EncoderPass pass = t.pass(batch, rows, step ? Dropout(t.options.seed, *step, rows) : Dropout());
    pass.recompute = t.options.checkpoint_activations;
    t.table.family->forward(pass);
    const at::Tensor part_loss = task_loss(t.options.task, pass.logits, t.targets(batch, rows), batch.rows);
    pass.backward(part_loss);
    t.add_words(pass, batch, rows);
    loss += part_loss.item<double>();
  }
  t.collect();
  return loss;
}

/// No gradient yet; a row of zeros for every word of the batch.
void Network::Tensors::begin_gradients(const Batch& batch) {
  for (at::Tensor& gradient : gradients) gradient.reset();
  sampled->begin();
  for (const std::int64_t row : rows.used) rows.slots[static_cast<std::size_t>(row)] = -1;
  rows.used.clear();
  if (!table.parameters[index.at({Role::emb_tok, -1})].trainable) return;
  for (const std::int64_t id : batch.ids) {
    std::int32_t& slot = rows.slots[static_cast<std::size_t>(id)];
    if (slot >= 0 || id == table.config.pad_id) continue;  // the padding row has no gradient, as in transformers
    slot = static_cast<std::int32_t>(rows.used.size());
    rows.used.push_back(id);
  }
  rows.data.assign(rows.used.size() * static_cast<std::size_t>(table.config.hidden), 0.0f);
}

void Network::Tensors::add_words(EncoderPass& pass, const Batch& batch, RowRange chosen) {
  if (!pass.words.grad().defined()) return;
  const auto width = static_cast<std::size_t>(table.config.hidden);
  const at::Tensor gradient = pass.words.grad().to(at::kCPU).contiguous();
  pass.words.mutable_grad().reset();
  const float* in = gradient.const_data_ptr<float>();
  for (const std::int64_t id : part(batch.ids, chosen, batch.width)) {
    const std::int32_t slot = rows.slots[static_cast<std::size_t>(id)];
    float* out = rows.data.data() + static_cast<std::size_t>(std::max(slot, 0)) * width;
    for (std::size_t j = 0; j < width && slot >= 0; ++j) out[j] += in[j];
    in += width;
  }
}

/// Takes the gradients that backward left.
void Network::Tensors::collect() {
  for (std::size_t i = 0; i < live.size(); ++i) {
    if (const at::Tensor& values = leaf(i); table.parameters[i].trainable && values.grad().defined()) {
      gradients[i] = values.grad().to(at::kCPU).contiguous();
      values.mutable_grad().reset();
    }
  }
  sampled->end();
  for (std::size_t i = 0; i < live.size(); ++i) sampled->pick(i, gradient(i));
}

void Network::for_each_class(const Batch& batch, const std::function<void(double)>& take) {
  Tensors& t = *tensors_;
  EncoderPass pass = t.pass(batch, all_rows(batch), Dropout());
  t.table.family->forward(pass);
  const FisherTerms terms = fisher_terms(t.options.task, pass.logits);
  for (std::size_t i = 0; i < terms.weights.size(); ++i) {
    const at::Tensor score = terms.scores.select(1, static_cast<std::int64_t>(i)).sum();
    t.begin_gradients(batch);
    score.backward({}, i + 1 < terms.weights.size());
    t.add_words(pass, batch, all_rows(batch));
    t.collect();
    take(terms.weights[i]);
  }
}

void Network::add_grams(const Batch& batch, std::vector<std::vector<double>>& sums) {
  const at::NoGradGuard no_grad;
  EncoderPass pass = tensors_->pass(batch, all_rows(batch), Dropout());
  struct Viewer {
    const Tensors& tensors;
    const at::Tensor& mask;
    std::vector<std::vector<double>>& sums;
  } viewer{*tensors_, pass.mask, sums};
  pass.viewer = &viewer;
  pass.every_token = true;
  pass.see_linear = [](void* self, Role weight, std::int64_t layer, const at::Tensor& inputs, at::Tensor&) {
    const auto& v = *static_cast<const Viewer*>(self);
    at::Tensor x = inputs.to(at::kDouble);
    if (v.mask.defined() && x.dim() == 3) x = x * v.mask.to(at::kDouble).unsqueeze(-1);
    x = x.reshape({-1, x.size(-1)});
    const at::Tensor gram = at::mm(x.t(), x).to(at::kCPU).contiguous();
    std::vector<double>& sum = v.sums[v.tensors.index.at({weight, layer})];
    sum.resize(static_cast<std::size_t>(gram.numel()));
    const double* from = gram.const_data_ptr<double>();
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += from[i];
  };
  tensors_->table.family->forward(pass);
}

Gradient Network::Tensors::gradient(std::size_t at) const {
  const Parameter& parameter = table.parameters[at];
  if (parameter.by_rows()) return Gradient::by_rows(rows.data.data(), rows.slots.data(), parameter.count, parameter.width());
  const float* data = gradients[at].defined() ? gradients[at].const_data_ptr<float>() : nullptr;
  if (const Split* split = split_of(at)) {
    return Gradient::by_rows(data, split->linear.slots.data(), parameter.count, split->weight == at ? parameter.width() : 1);
  }
  return data == nullptr ? Gradient::absent(parameter.count) : Gradient::dense(data, parameter.count);
}

Gradient Network::gradient(std::size_t index) const { return tensors_->gradient(index); }

std::vector<float> Network::logits(const Batch& batch) {
  const at::NoGradGuard no_grad;
  EncoderPass pass = tensors_->pass(batch, all_rows(batch), Dropout());
  tensors_->table.family->forward(pass);
  const at::Tensor out = pass.logits.to(at::kCPU).contiguous();
  const float* data = out.const_data_ptr<float>();
  return {data, data + out.numel()};
}

std::string libtorch_version() { return DSTORE_LIBTORCH_VERSION; }

std::string cpu_capability() { return at::get_cpu_capability(); }

bool cpu_has_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") || __builtin_cpu_supports("amx-bf16");
#else
  return false;
#endif
}

}  // namespace dstore
