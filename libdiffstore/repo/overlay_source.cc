#include "repo/overlay_source.h"

#include <algorithm>

namespace dstore {

OverlaySource::OverlaySource(const TensorSource& base, const TensorSource& staged, const std::vector<Pairing>& pairs)
    : base_(base), staged_(staged), pairs_(pairs) {
  for (const Pairing& pair : pairs) {
    infos_.push_back(pair.task ? staged.tensors()[*pair.task] : base.tensors()[*pair.base]);
    infos_.back().name = pair.name;
  }
}

void OverlaySource::read(std::size_t index, std::uint64_t offset, std::span<std::byte> out) const {
  const Pairing& pair = pairs_[index];
  if (pair.task) return staged_.read(*pair.task, offset, out);
  base_.read(*pair.base, offset, out);
}

std::vector<Pairing> pair_up(const TensorSource& base, const TensorSource& staged, const std::string& prefix) {
  std::vector<Pairing> pairs;
  for (std::size_t i = 0; i < base.tensors().size(); ++i) {
    const std::string& name = base.tensors()[i].name;
    pairs.push_back({prefix + name, i, staged.find(name)});
  }
  for (std::size_t i = 0; i < staged.tensors().size(); ++i) {
    if (!base.find(staged.tensors()[i].name)) pairs.push_back({staged.tensors()[i].name, std::nullopt, i});
  }
  std::sort(pairs.begin(), pairs.end(), [](const Pairing& a, const Pairing& b) { return a.name < b.name; });
  return pairs;
}

}  // namespace dstore
