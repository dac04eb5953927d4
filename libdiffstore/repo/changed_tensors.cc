#include "repo/changed_tensors.h"

#include <nlohmann/json.hpp>
#include <set>

#include "base/tensor_range.h"
#include "repo/align.h"

namespace dstore {

ChangedTensors::ChangedTensors(const Repository& repository, const Revision& revision) : repository_(repository), opened_(open_task(repository, revision)) {
  const DeltaTable& delta = opened_.delta;
  base_ = StoredWeights::load(repository.store(), delta.base_weights);
  std::set<std::size_t> used;
  for (const Pairing& pair : pairs_of_delta(*base_, task(), delta)) {
    Tensor tensor{pair.name, *pair.task, pair.base, false};
    if (pair.base) {
      const TensorInfo& before = base_->tensors()[*pair.base];
      used.insert(*pair.base);
      if (before.name != pair.name) renamed_.emplace(pair.name, before.name);
      tensor.alike = before.dtype == info(tensor).dtype && before.shape == info(tensor).shape;
      if (base_->tensor_id(*pair.base) == task().tensor_id(*pair.task)) continue;
    }
    tensors_.push_back(std::move(tensor));
  }
  for (std::size_t i = 0; i < base_->tensors().size(); ++i) {
    const std::string& name = base_->tensors()[i].name;
    const auto replaced = task().find(name);
    if (!used.contains(i) && !(replaced && !renamed_.contains(name))) removed_.push_back(name);
  }
}

std::string ChangedTensors::model_type() const {
  const auto& files = opened_.loaded.files.files;
  const auto file = files.find("config.json");
  if (file == files.end()) return "";
  const Bytes content = file->second.file ? repository_.read_file_object(*file->second.file) : file->second.content;
  const auto json = nlohmann::json::parse(as_text(content), nullptr, false);
  if (!json.is_object() || !json.contains("model_type") || !json["model_type"].is_string()) return "";
  return json["model_type"].get<std::string>();
}

void ChangedTensors::each_part(const Tensor& tensor, const std::function<void(std::uint64_t, ByteSpan, ByteSpan)>& visit) const {
  Bytes before, after;
  for (std::uint64_t at = 0; at < info(tensor).bytes; at += kPieceBytes) {
    const std::uint64_t size = std::min(kPieceBytes, info(tensor).bytes - at);
    const ByteSpan old = tensor_range(*base_, *tensor.base, at, size, before);
    visit(at, old, tensor_range(task(), tensor.task, at, size, after));
  }
}

}  // namespace dstore
