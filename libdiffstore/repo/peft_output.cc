#include "repo/peft_output.h"

#include <algorithm>
#include <set>

#include "delta/difference.h"
#include "dstore/error.h"
#include "repo/adapter_config.h"
#include "repo/adapter_modules.h"
#include "repo/new_folder.h"
#include "tensor/float_convert.h"

namespace dstore {
namespace {

constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kEmbeddings[] = {"word_embeddings", "position_embeddings", "token_type_embeddings", "embed_tokens", "embed_positions", "wte", "wpe", "shared",
                                            "relative_attention_bias", "word_embedding", "embed_in"};
constexpr std::string_view kConv1dModels[] = {"gpt2", "openai-gpt", "imagegpt", "decision_transformer"};
constexpr std::string_view kConv1dModules[] = {"c_attn", "c_proj", "c_fc", "q_attn"};

template <std::size_t N>
bool is_one_of(std::string_view word, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

std::string_view leaf_of(std::string_view module) { return module.substr(module.rfind('.') + 1); }

}  // namespace

std::string module_of(const std::string& tensor) { return tensor.substr(0, tensor.rfind('.')); }

ModuleKind module_kind(const TensorInfo& info, const std::string& model_type) {
  const bool number = is_convertible_float(info.dtype) && info.dtype != DType::f64;
  if (!info.name.ends_with(kWeight) || info.shape.size() != 2 || info.bytes == 0 || !number) return ModuleKind::other;
  const std::string module = module_of(info.name);
  if (is_one_of(leaf_of(module), kEmbeddings)) return ModuleKind::embedding;
  return is_one_of(model_type, kConv1dModels) && is_one_of(leaf_of(module), kConv1dModules) ? ModuleKind::conv1d : ModuleKind::linear;
}

ExportedTensor leave_out(const ChangedTensors& changes, const ChangedTensors::Tensor& tensor, const std::string& why) {
  ExportedTensor out{tensor.name, 0, 0, 0, 0, why};
  if (!tensor.alike) return out;
  DifferenceStats stats;
  changes.each_part(tensor, [&](std::uint64_t, ByteSpan before, ByteSpan after) { stats += difference_stats(changes.info(tensor).dtype, before, after); });
  out.energy = stats.sum_of_squares;
  out.changed = stats.changed;
  return out;
}

PeftPlan plan_peft(const ChangedTensors& changes) {
  PeftPlan out;
  out.model_type = changes.model_type();
  for (const ChangedTensors::Tensor& tensor : changes.tensors()) {
    if (!tensor.base) {
      out.heads.push_back(&tensor);
    } else if (!tensor.alike) {
      out.left_out.push_back(leave_out(changes, tensor, "another dtype or shape than the base's"));
    } else if (out.kind(changes, tensor) == ModuleKind::other) {
      out.left_out.push_back(leave_out(changes, tensor, "no weight of two dimensions in F32, F16 or BF16"));
    } else {
      out.matrices.push_back(&tensor);
    }
  }
  return out;
}

struct PeftOutput::State {
  const ChangedTensors& changes;
  const PeftPlan& plan;
  Filesystem& fs;
  NewFolder folder;
  std::optional<SafetensorsOutput> file;
};

PeftOutput::PeftOutput(Filesystem& fs, const std::string& folder, const ChangedTensors& changes, const PeftPlan& plan, std::vector<TensorInfo> tensors)
    : state_(new State{changes, plan, fs, NewFolder(fs, folder), {}}) {
  for (const ChangedTensors::Tensor* head : plan.heads) {
    tensors.push_back(changes.info(*head));
    tensors.back().name = std::string(kAdapterPrefix) + head->name;
  }
  state_->file.emplace(fs, join_path(state_->folder.path(), kAdapterModel), tensors, std::map<std::string, std::string>{{"format", "pt"}});
}

PeftOutput::~PeftOutput() = default;

void PeftOutput::write(const std::string& name, std::uint64_t offset, ByteSpan bytes) { state_->file->write(name, offset, bytes); }

void PeftOutput::commit(nlohmann::ordered_json config, const std::vector<std::string>& target_modules, ExportReport& report) {
  std::set<std::string> saved;
  Bytes buffer;
  for (const ChangedTensors::Tensor* head : state_->plan.heads) {
    const TensorInfo& info = state_->changes.info(*head);
    for (std::uint64_t at = 0; at < info.bytes; at += kPieceBytes) {
      buffer.resize(std::min(kPieceBytes, info.bytes - at));
      state_->changes.task().read(head->task, at, buffer);
      write(std::string(kAdapterPrefix) + head->name, at, buffer);
    }
    saved.insert(module_of(head->name));
    report.whole.push_back(head->name);
  }
  state_->file->commit();
  config["target_modules"] = target_modules;
  config["modules_to_save"] = saved.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(saved);
  config["base_model_name_or_path"] = nullptr;
  config["task_type"] = nullptr;
  config["inference_mode"] = true;
  const std::string text = config.dump(2) + "\n";
  write_file_atomically(state_->fs, join_path(state_->folder.path(), kAdapterConfig), as_bytes(text));
  state_->folder.commit();
  report.commits = state_->changes.commits();
  report.tensors.insert(report.tensors.end(), state_->plan.left_out.begin(), state_->plan.left_out.end());
  std::sort(report.tensors.begin(), report.tensors.end(), [](const ExportedTensor& a, const ExportedTensor& b) { return a.name < b.name; });
  report.bytes = state_->file->bytes() + text.size();
  report.files = 2;
}

}  // namespace dstore
