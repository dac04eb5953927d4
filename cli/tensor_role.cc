#include "tensor_role.h"

#include <charconv>
#include <optional>
#include <vector>

namespace dstore::cli {
namespace {

using Part = TensorRole::Part;

struct Word {
  std::string_view word;
  Part part;
};
/// Components of tensor names in models of the Hugging Face hub.
constexpr Word kWords[] = {
    {"embeddings", Part::embedding}, {"embed_tokens", Part::embedding}, {"wte", Part::embedding},   {"wpe", Part::embedding},
    {"shared", Part::embedding},     {"pooler", Part::pooler},          {"classifier", Part::head}, {"score", Part::head},
    {"lm_head", Part::head},         {"qa_outputs", Part::head},        {"cls", Part::head},        {"head", Part::head},
    {"pre_classifier", Part::head},
};
/// Words before a layer's number.
constexpr std::string_view kLayerWords[] = {"layer", "layers", "h", "block", "blocks"};

std::vector<std::string_view> components(std::string_view name) {
  std::vector<std::string_view> out;
  while (true) {
    const std::size_t dot = name.find('.');
    out.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return out;
    name.remove_prefix(dot + 1);
  }
}

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string TensorRole::text() const {
  constexpr const char* kNames[] = {"embedding", "layer", "pooler", "head", "other"};
  const std::string name = kNames[static_cast<std::size_t>(part)];
  return part == Part::layer ? name + " " + std::to_string(layer) : name;
}

TensorRole tensor_role(std::string_view name) {
  const auto parts = components(name);
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    for (const std::string_view word : kLayerWords) {
      if (parts[i] != word) continue;
      if (const auto layer = number(parts[i + 1])) return {Part::layer, *layer};
    }
  }
  for (const std::string_view component : parts) {
    for (const Word& known : kWords) {
      if (component == known.word) return {known.part, 0};
    }
  }
  return {};
}

}  // namespace dstore::cli
