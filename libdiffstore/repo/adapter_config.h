#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dstore {

inline constexpr std::string_view kAdapterConfig = "adapter_config.json";
inline constexpr std::string_view kAdapterModel = "adapter_model.safetensors";

/// What adapter_config.json of PEFT says about how an adapter becomes part of the weights (docs/adapters.md).
struct AdapterConfig {
  enum class Kind { lora, shira };
  Kind kind = Kind::lora;
  std::uint64_t rank = 0;
  double alpha = 0;
  bool rslora = false;
  bool fan_in_fan_out = false;
  std::vector<std::pair<std::string, std::uint64_t>> rank_pattern;  ///< in the file's order: the first key that matches counts
  std::vector<std::pair<std::string, double>> alpha_pattern;

  /// Of a LoRA module of that name.
  std::uint64_t rank_of(std::string_view module) const;
  /// alpha / rank, or alpha / sqrt(rank) with rsLoRA: a double, rounded to F32 once.
  float scale_of(std::string_view module) const;
  /// For the commit's record.
  std::map<std::string, std::string> facts() const;
};

/// Error{corrupt} if it is no such file; {unsupported} naming the field for a kind of adapter, or a setting, that this version cannot put
/// into plain weights (DoRA, biases, a base changed by the adapter's initialisation, ...), and for a field it does not know.
AdapterConfig parse_adapter_config(std::string_view text, std::string_view what);

}  // namespace dstore
