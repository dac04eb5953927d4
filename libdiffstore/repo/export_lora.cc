#include "base/tensor_range.h"
#include "dstore/error.h"
#include "repo/adapter_modules.h"
#include "repo/peft_output.h"
#include "repo/truncated_svd.h"
#include "tensor/dtype.h"
#include "tensor/float_convert.h"

namespace dstore {
namespace {

constexpr std::uint64_t kMaxExportRank = 4096;

/// Where a matrix's factors go. PEFT stores those of an embedding, and of GPT-2's Linear, for the transposed weight.
struct Target {
  const ChangedTensors::Tensor* tensor = nullptr;
  ModuleKind kind = ModuleKind::linear;
  std::string a, b;  ///< full names

  bool turned() const { return kind != ModuleKind::linear; }
};

Target target_of(const ChangedTensors& changes, const PeftPlan& plan, const ChangedTensors::Tensor& tensor) {
  const std::string stem = std::string(kAdapterPrefix) + module_of(tensor.name);
  Target out{&tensor, plan.kind(changes, tensor), stem + ".lora_A.weight", stem + ".lora_B.weight"};
  if (out.kind == ModuleKind::embedding) {
    out.a = stem + ".lora_embedding_A";
    out.b = stem + ".lora_embedding_B";
  }
  return out;
}

std::vector<float> transposed(const std::vector<float>& in, std::uint64_t rows) {
  const std::uint64_t columns = in.size() / rows;
  std::vector<float> out(in.size());
  for (std::uint64_t i = 0; i < rows; ++i) {
    for (std::uint64_t j = 0; j < columns; ++j) out[j * rows + i] = in[i * columns + j];
  }
  return out;
}

RowMatrix difference(const ChangedTensors& changes, const ChangedTensors::Tensor& tensor) {
  const TensorInfo& info = changes.info(tensor);
  const std::uint64_t columns = info.shape[1], unit = dtype_info(info.dtype).bytes();
  const auto read = [&changes, &tensor, &info, columns, unit](std::uint64_t first, std::uint64_t count, float* out) {
    const std::span<float> numbers(out, count * columns);
    std::vector<float> before(numbers.size());
    Bytes scratch(numbers.size() * unit);
    changes.base().read(*tensor.base, first * columns * unit, scratch);
    convert_floats(info.dtype, scratch, DType::f32, std::as_writable_bytes(std::span(before)));
    changes.task().read(tensor.task, first * columns * unit, scratch);
    convert_floats(info.dtype, scratch, DType::f32, std::as_writable_bytes(numbers));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] -= before[i];
  };
  return {info.shape[0], columns, read};
}

}  // namespace

ExportReport export_lora(const Repository& repository, const Revision& revision, std::uint64_t rank, const std::string& folder, const Progress& progress) {
  if (rank == 0 || rank > kMaxExportRank) throw Error(ErrorCode::invalid_argument, "--rank: expected 1 to " + std::to_string(kMaxExportRank));
  const ChangedTensors changes(repository, revision);
  const PeftPlan plan = plan_peft(changes);
  if (plan.matrices.empty()) {
    throw Error(ErrorCode::invalid_argument, "\"" + printable(revision.text) + "\" changes no matrix: there is nothing for LoRA factors");
  }
  ExportReport report;
  report.rank = rank;
  std::vector<TensorInfo> infos;
  std::vector<Target> targets;
  std::vector<std::string> modules;
  bool fan_in_fan_out = false;
  for (const ChangedTensors::Tensor* tensor : plan.matrices) {
    const Target& target = targets.emplace_back(target_of(changes, plan, *tensor));
    const std::vector<std::uint64_t>& shape = changes.info(*tensor).shape;
    const std::uint64_t in = shape[target.turned() ? 0 : 1], out = shape[target.turned() ? 1 : 0];
    infos.push_back({target.a, DType::f32, {rank, in}, rank * in * 4});
    infos.push_back({target.b, DType::f32, {out, rank}, rank * out * 4});
    modules.push_back(module_of(tensor->name));
    fan_in_fan_out = fan_in_fan_out || target.kind == ModuleKind::conv1d;
  }
  PeftOutput output(repository.fs(), folder, changes, plan, std::move(infos));
  std::uint64_t done = 0;
  for (const Target& target : targets) {
    const LowRankPair pair = truncated_svd(difference(changes, *target.tensor), rank, 0);
    if (!pair.finite) {
      throw Error(ErrorCode::invalid_argument, "tensor " + printable(target.tensor->name) + ": the difference is not finite; no factors can hold it");
    }
    const std::uint64_t rows = changes.info(*target.tensor).shape[0];
    const std::vector<float> a = target.turned() ? transposed(pair.b, rows) : pair.a, b = target.turned() ? transposed(pair.a, rank) : pair.b;
    output.write(target.a, 0, std::as_bytes(std::span(a)));
    output.write(target.b, 0, std::as_bytes(std::span(b)));
    report.tensors.push_back({target.tensor->name, pair.energy, pair.kept, 0, 0, ""});
    if (progress) progress(++done, targets.size());
  }
  output.commit({{"peft_type", "LORA"}, {"r", rank}, {"lora_alpha", rank}, {"lora_dropout", 0.0}, {"bias", "none"}, {"fan_in_fan_out", fan_in_fan_out},
                 {"use_rslora", false}, {"init_lora_weights", true}},
                modules, report);
  return report;
}

}  // namespace dstore
