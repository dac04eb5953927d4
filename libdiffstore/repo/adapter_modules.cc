#include "repo/adapter_modules.h"

#include "base/bytes.h"
#include "dstore/error.h"

namespace dstore {
namespace {

struct Suffix {
  std::string_view text;
  std::optional<std::size_t> AdapterModule::*place;
  bool embedding;
};
constexpr Suffix kSuffixes[] = {
    {".lora_A.weight", &AdapterModule::a, false},         {".lora_B.weight", &AdapterModule::b, false},
    {".lora_embedding_A", &AdapterModule::a, true},       {".lora_embedding_B", &AdapterModule::b, true},
    {".shira_weight", &AdapterModule::values, false},     {".shira_indices", &AdapterModule::indices, false},
};

/// Parts of names that plain weights do not have: tensors of something that is not known here.
constexpr std::pair<std::string_view, std::string_view> kForeign[] = {
    {"lora_magnitude_vector", "DoRA"}, {".lora_", "an unknown kind of LoRA"}, {"trainable_tokens", "trained tokens"}, {".shira_", "an unknown kind of SHiRA"},
    {"base_layer.", "a base layer that the adapter brings itself"}, {"modules_to_save", "a file of an old version of PEFT"}};

const Suffix* find_suffix(std::string_view name) {
  for (const Suffix& suffix : kSuffixes) {
    if (name.size() > suffix.text.size() && name.ends_with(suffix.text)) return &suffix;
  }
  return nullptr;
}

void require_whole(const std::string& name, const AdapterModule& module, const std::string& what) {
  const bool lora = module.a && module.b, shira = module.values && module.indices;
  if (lora != shira && module.a.has_value() == module.b.has_value() && module.values.has_value() == module.indices.has_value()) return;
  throw Error(ErrorCode::corrupt, what + ": module " + printable(name) + " has not both lora_A and lora_B, or shira_weight and shira_indices (and nothing else)");
}

}  // namespace

AdapterTensors sort_adapter_tensors(const TensorSource& adapter, const std::string& what) {
  AdapterTensors out;
  for (std::size_t i = 0; i < adapter.tensors().size(); ++i) {
    std::string_view name = adapter.tensors()[i].name;
    if (!name.starts_with(kAdapterPrefix) || name.size() == kAdapterPrefix.size()) {
      throw Error(ErrorCode::unsupported, what + ": tensor " + printable(name) + " has no name that PEFT gives (" + std::string(kAdapterPrefix) + "...)");
    }
    name.remove_prefix(kAdapterPrefix.size());
    if (const Suffix* suffix = find_suffix(name)) {
      AdapterModule& module = out.modules[std::string(name.substr(0, name.size() - suffix->text.size()))];
      if (module.*(suffix->place)) throw Error(ErrorCode::corrupt, what + ": tensor " + printable(name) + ": its module has this factor twice");
      module.*(suffix->place) = i;
      module.embedding = module.embedding || suffix->embedding;
      continue;
    }
    for (const auto& [part, meaning] : kForeign) {
      if (name.find(part) != name.npos) throw Error(ErrorCode::unsupported, what + ": tensor " + printable(name) + " belongs to " + std::string(meaning));
    }
    out.whole.emplace(name, i);
  }
  for (const auto& [name, module] : out.modules) require_whole(name, module, what);
  if (out.modules.empty()) throw Error(ErrorCode::corrupt, what + ": no module has factors or sparse values");
  return out;
}

}  // namespace dstore
