#include "repo/change_ranks.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/tensor_range.h"
#include "delta/element.h"
#include "delta/stats.h"
#include "dstore/error.h"
#include "repo/stored_weights.h"

namespace dstore {
namespace {

constexpr std::size_t kBlockUnits = 16384;

bool known_equal(const TensorSource& a, std::size_t i, const TensorSource& b, std::size_t j) {
  const auto* stored_a = dynamic_cast<const StoredWeights*>(&a);
  const auto* stored_b = dynamic_cast<const StoredWeights*>(&b);
  return stored_a != nullptr && stored_b != nullptr && stored_a->tensor_id(i) == stored_b->tensor_id(j);
}

/// Null if single entries of the tensor can be kept.
const char* reason_to_keep_whole(const TensorInfo* before, const TensorInfo& after) {
  if (before == nullptr) return "new";
  if (before->shape != after.shape) return "reshaped";
  if (before->dtype != after.dtype) return "another dtype than the base";
  return is_numeric(after.dtype) ? nullptr : "no float of 16, 32 or 64 bits";
}

}  // namespace

ChangeRanks::ChangeRanks(const TensorSource& base, const TensorSource& task, const std::vector<Pairing>& pairs, const Score& score, Importance importance)
    : base_(base), task_(task), score_(score), importance_(std::move(importance)) {
  for (const Pairing& pair : pairs) {
    if (!pair.task || (pair.base && known_equal(base, *pair.base, task, *pair.task))) continue;
    const TensorInfo& after = task.tensors()[*pair.task];
    const TensorInfo* before = pair.base ? &base.tensors()[*pair.base] : nullptr;
    if (const char* reason = reason_to_keep_whole(before, after)) {
      whole_.push_back({pair.name, reason});
      continue;
    }
    Tensor tensor{pair.name, *pair.base, *pair.task, std::nullopt, after.dtype, unit_count(after.dtype, after.bytes)};
    if (score.needs_importance) tensor.importance = find_importance(pair.name, before->name, after);
    tensors_.push_back(std::move(tensor));
  }
  std::sort(tensors_.begin(), tensors_.end(), [](const Tensor& a, const Tensor& b) { return a.name < b.name; });
}

std::optional<std::size_t> ChangeRanks::find_importance(const std::string& name, const std::string& base_name, const TensorInfo& info) const {
  auto index = importance_.values->find(name);
  if (!index) index = importance_.values->find(base_name);
  if (!index) throw Error(ErrorCode::invalid_argument, importance_.what + ": has no tensor " + printable(name) + ", which the task changes");
  const TensorInfo& found = importance_.values->tensors()[*index];
  if (found.shape != info.shape || !is_numeric(found.dtype) || unit_count(found.dtype, found.bytes) != unit_count(info.dtype, info.bytes)) {
    throw Error(ErrorCode::invalid_argument, importance_.what + ": its tensor " + printable(found.name) +
                                                 " has not the shape of the task's, or no real numbers");
  }
  return index;
}

void ChangeRanks::read_importance(const Tensor& tensor, std::uint64_t first, std::span<double> out) const {
  const TensorInfo& info = importance_.values->tensors()[*tensor.importance];
  const unsigned unit = unit_type(info.dtype).bytes;
  Bytes scratch;
  read_doubles(info.dtype, tensor_range(*importance_.values, *tensor.importance, first * unit, out.size() * unit, scratch), out);
  const auto bad = std::find_if(out.begin(), out.end(), [](double value) { return !(std::isfinite(value) && value >= 0); });
  if (bad == out.end()) return;
  const std::uint64_t at = first + static_cast<std::uint64_t>(bad - out.begin());
  const char* state = std::isnan(*bad) ? "NaN" : *bad < 0 ? "negative" : "infinite";
  throw Error(ErrorCode::invalid_argument, importance_.what + ": element " + std::to_string(at) + " of " + printable(info.name) + " is " + state);
}

void ChangeRanks::rank(std::size_t index, std::uint64_t first, ByteSpan before, ByteSpan after, const std::function<void(const Block&)>& visit) const {
  const Tensor& tensor = tensors_[index];
  const unsigned unit = unit_type(tensor.dtype).bytes;
  const std::size_t units = before.size() / unit;
  std::vector<std::uint64_t> ranks(std::min(units, kBlockUnits));
  std::vector<double> differences(ranks.size()), importance(score_.needs_importance ? ranks.size() : 0);
  for (std::size_t at = 0; at < units; at += kBlockUnits) {
    const std::size_t count = std::min(kBlockUnits, units - at);
    if (score_.needs_importance) read_importance(tensor, first + at, {importance.data(), count});
    const std::span<std::uint64_t> block_ranks(ranks.data(), count);
    const std::span<double> block_differences(differences.data(), count);
    const ByteSpan block_before = before.subspan(at * unit, count * unit), block_after = after.subspan(at * unit, count * unit);
    rank_entries(score_, tensor.dtype, block_before, block_after, importance, block_ranks, block_differences);
    visit({first + at, block_ranks, block_differences});
  }
}

void ChangeRanks::read(std::size_t index, std::uint64_t first, std::uint64_t count, const std::function<void(const Block&)>& visit) const {
  const Tensor& tensor = tensors_[index];
  const unsigned unit = unit_type(tensor.dtype).bytes;
  Bytes before_buffer, after_buffer;
  const ByteSpan before = tensor_range(base_, tensor.base, first * unit, count * unit, before_buffer);
  const ByteSpan after = tensor_range(task_, tensor.task, first * unit, count * unit, after_buffer);
  if (std::memcmp(before.data(), after.data(), before.size()) == 0) return;
  rank(index, first, before, after, visit);
}

}  // namespace dstore
