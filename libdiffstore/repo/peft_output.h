#pragma once

#include <nlohmann/json.hpp>

#include "repo/export.h"
#include "repo/safetensors_output.h"
#include "repo/changed_tensors.h"

namespace dstore {

/// What a tensor of a model is to PEFT.
enum class ModuleKind {
  linear,     ///< weight [out, in]
  conv1d,     ///< GPT-2's Linear: weight [in, out]
  embedding,  ///< weight [tokens, dimension]
  other,      ///< no weight of two dimensions in F32, F16 or BF16
};
ModuleKind module_kind(const TensorInfo& info, const std::string& model_type);
/// "encoder.layer.0.output.dense" of "encoder.layer.0.output.dense.weight".
std::string module_of(const std::string& tensor);

/// The changes of a task as PEFT sees them.
struct PeftPlan {
  std::vector<const ChangedTensors::Tensor*> matrices;  ///< alike, of a kind other than `other`
  std::vector<const ChangedTensors::Tensor*> heads;     ///< tensors that the base does not have: modules_to_save
  std::vector<ExportedTensor> left_out;
  std::string model_type;

  ModuleKind kind(const ChangedTensors& changes, const ChangedTensors::Tensor& tensor) const { return module_kind(changes.info(tensor), model_type); }
};
PeftPlan plan_peft(const ChangedTensors& changes);
/// Not taken along, with what that loses.
ExportedTensor leave_out(const ChangedTensors& changes, const ChangedTensors::Tensor& tensor, const std::string& why);

/// A folder with adapter_model.safetensors and adapter_config.json: fills in what all adapters have in common, writes heads and the
/// configuration, and publishes it.
class PeftOutput {
 public:
  PeftOutput(Filesystem& fs, const std::string& folder, const ChangedTensors& changes, const PeftPlan& plan, std::vector<TensorInfo> tensors);
  ~PeftOutput();

  /// Under the full name.
  void write(const std::string& name, std::uint64_t offset, ByteSpan bytes);
  /// `config` has what is the method's own.
  void commit(nlohmann::ordered_json config, const std::vector<std::string>& target_modules, ExportReport& report);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dstore
