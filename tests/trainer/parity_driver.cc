// The C++ side of parity.py: runs one piece of the trainer on tensors from a safetensors file and writes what came out.
//   parity_driver model FOLDER IN OUT f32|f64|bf16 TASK POOLING ATTENTION_DROPOUT   logits, loss and the gradient of every parameter
//   parity_driver adamw IN OUT LR BETA1 BETA2 EPS DECAY CLIP  values after each step
//   parity_driver schedule NAME WARMUP TOTAL                  one factor a line
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty.h>

#include <cstdio>
#include <iostream>
#include <map>

#include "base/atomic_file.h"
#include "dstore/error.h"
#include "tensor/checkpoint_folder.h"
#include "tensor/safetensors.h"
#include "trainer/model/encoder_pass.h"
#include "trainer/model/parameters.h"
#include "trainer/model/task_loss.h"
#include "trainer/optim/adamw.h"
#include "trainer/optim/schedule.h"

using namespace dstore;

namespace {

at::ScalarType scalar_type(DType dtype) {
  switch (dtype) {
    case DType::f32: return at::kFloat;
    case DType::f64: return at::kDouble;
    case DType::i64: return at::kLong;
    default: throw Error(ErrorCode::unsupported, "parity_driver reads F32, F64 and I64");
  }
}

at::Tensor read_tensor(const TensorSource& source, std::size_t index) {
  const TensorInfo& info = source.tensors()[index];
  const std::vector<std::int64_t> shape(info.shape.begin(), info.shape.end());
  at::Tensor tensor = at::empty(shape, at::TensorOptions().dtype(scalar_type(info.dtype)));
  source.read(index, 0, {static_cast<std::byte*>(tensor.mutable_data_ptr()), info.bytes});
  return tensor;
}

using Tensors = std::map<std::string, at::Tensor>;

Tensors read_all(const TensorSource& source) {
  Tensors tensors;
  for (std::size_t i = 0; i < source.tensors().size(); ++i) tensors[source.tensors()[i].name] = read_tensor(source, i);
  return tensors;
}

void write_all(const std::string& path, const Tensors& tensors) {
  std::vector<TensorInfo> infos;
  std::vector<at::Tensor> data;
  for (const auto& [name, tensor] : tensors) {
    data.push_back(tensor.detach().contiguous());
    const DType dtype = tensor.scalar_type() == at::kDouble ? DType::f64 : DType::f32;
    infos.push_back({name, dtype, {tensor.sizes().begin(), tensor.sizes().end()}, data.back().nbytes()});
  }
  const SafetensorsPlan plan = write_safetensors_header(infos, {});
  AtomicFile file(posix_filesystem(), path);
  file.write(plan.header);
  for (const std::size_t at : plan.order) file.write({static_cast<const std::byte*>(data[at].const_data_ptr()), data[at].nbytes()});
  file.commit();
}

using LayerTensors = std::map<std::pair<Role, std::int64_t>, at::Tensor>;

at::Tensor lookup(const void* tensors, Role role, std::int64_t layer) { return static_cast<const LayerTensors*>(tensors)->at({role, layer}); }

int run_model(char** argv) {
  const CheckpointFolder folder(posix_filesystem(), argv[0]), input(posix_filesystem(), argv[1]);
  const bool wide = std::string(argv[3]) == "f64";
  const TaskKind task = parse_task(argv[4]);
  ModelConfig config = ModelConfig::parse(*folder.side_file("config.json"), argv[0]);
  config.pooling = parse_pooling(argv[5]);
  config.attention_dropout = std::stod(argv[6]);
  config.hidden_dropout = config.classifier_dropout = 0;
  const Tensors in = read_all(input.tensors());
  const auto head = folder.tensors().find("classifier.weight");
  const ParameterTable table = match_parameters(folder.tensors(), config, static_cast<std::int64_t>(folder.tensors().tensors().at(*head).shape[0]), argv[0]);

  LayerTensors live;
  for (const Parameter& p : table.parameters) {
    live[{p.role, p.layer}] = read_tensor(folder.tensors(), *p.source).to(wide ? at::kDouble : at::kFloat).requires_grad_();
  }
  EncoderPass pass{config, lookup, &live, {}, in.at("token_type_ids"), in.at("attention_mask"), Dropout(1, 0), {}};
  pass.bf16 = std::string(argv[3]) == "bf16";
  pass.words = at::embedding(live.at({Role::emb_tok, -1}), in.at("input_ids"));
  table.family->forward(pass);
  const at::Tensor targets = in.at("targets");
  const at::Tensor loss = task_loss(task, pass.logits, at::isFloatingType(targets.scalar_type()) ? targets.to(pass.logits.scalar_type()) : targets,
                                    pass.logits.size(0));
  loss.backward();
  Tensors out{{"logits", pass.logits}, {"loss", loss}};
  for (const Parameter& p : table.parameters) {
    const at::Tensor gradient = live.at({p.role, p.layer}).grad();
    if (gradient.defined()) out["grad." + p.name] = gradient;
  }
  write_all(argv[2], out);
  return 0;
}

std::span<float> floats(at::Tensor& tensor) { return {tensor.mutable_data_ptr<float>(), static_cast<std::size_t>(tensor.numel())}; }

int run_adamw(char** argv) {
  const CheckpointFolder input(posix_filesystem(), argv[0]);
  Tensors in = read_all(input.tensors()), out;
  at::Tensor x = in.at("x"), m = x * 0, v = x * 0;
  const AdamW settings{std::stod(argv[2]), std::stod(argv[3]), std::stod(argv[4]), std::stod(argv[5]), std::stod(argv[6])};
  for (long step = 1; in.contains("g" + std::to_string(step)); ++step) {
    at::Tensor g = in.at("g" + std::to_string(step));
    adamw_update(floats(x), floats(m), floats(v), floats(g), AdamWStep::at(settings, step, clip_scale(squared_norm(floats(g)), std::stod(argv[7]))));
    out["x" + std::to_string(step)] = x.clone();
  }
  write_all(argv[1], out);
  return 0;
}

int run_schedule(char** argv) {
  const long warmup = std::stol(argv[1]), total = std::stol(argv[2]);
  for (long step = 0; step < total + 2; ++step) std::printf("%.17g\n", schedule_factor(parse_schedule(argv[0]), step, warmup, total));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string command = argc > 1 ? argv[1] : "";
    if (command == "model" && argc == 9) return run_model(argv + 2);
    if (command == "adamw" && argc == 10) return run_adamw(argv + 2);
    if (command == "schedule" && argc == 5) return run_schedule(argv + 2);
    std::cerr << "parity_driver: see the comment in its source\n";
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "parity_driver: " << error.what() << '\n';
    return 1;
  }
}
