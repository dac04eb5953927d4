#include "repo/choose_derivation.h"

#include <algorithm>

#include "dstore/error.h"
#include "odb/object_codec.h"

namespace dstore {
namespace {

/// Up to four pieces of a tensor, spread evenly.
std::vector<std::uint64_t> sampled_pieces(std::uint64_t bytes) {
  const std::uint64_t count = (bytes + kPieceBytes - 1) / kPieceBytes;
  std::vector<std::uint64_t> out;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(4, count); ++i) out.push_back(count <= 4 ? i : i * (count - 1) / 3);
  return out;
}

/// Encoded bytes of the sampled pieces, for each way to store them.
class Costs {
 public:
  Costs(const TensorSource& task, std::size_t index, Profile profile) : task_(task), index_(index), profile_(profile), info_(task.tensors()[index]) {}

  std::uint64_t derived(const DerivedTensor& tensor) const {
    std::uint64_t cost = 0;
    Bytes before;
    for_each_sample([&](std::uint64_t offset, ByteSpan after) {
      before.resize(after.size());
      tensor.read(offset, before);
      cost += encode_piece(info_.dtype, offset / unit_type(info_.dtype).bytes, before, after, profile_).bytes.size();
    });
    return cost;
  }

  std::uint64_t whole() const {
    std::uint64_t cost = 0;
    std::optional<ChunkLayout> layout;
    if (profile_ == Profile::compact) layout = chunk_layout(info_.dtype);
    for_each_sample([&](std::uint64_t, ByteSpan bytes) {
      for (std::uint64_t i = 0; i < chunk_count(bytes.size()); ++i) {
        const ByteSpan chunk = bytes.subspan(i * kChunkBytes, chunk_size(bytes.size(), i));
        const EncodedObject encoded = encode_object(ObjectKind::chunk, chunk, layout);
        cost += encoded.codec == Codec::none ? chunk.size() : encoded.bytes.size();
      }
    });
    return cost;
  }

  /// The sample's share of a size that belongs to the whole tensor.
  std::uint64_t share(std::uint64_t bytes) const {
    const auto pieces = static_cast<double>((info_.bytes + kPieceBytes - 1) / kPieceBytes);
    return static_cast<std::uint64_t>(static_cast<double>(bytes) * static_cast<double>(sampled_pieces(info_.bytes).size()) / pieces);
  }

 private:
  template <typename Visit>
  void for_each_sample(const Visit& visit) const {
    Bytes scratch;
    for (const std::uint64_t piece : sampled_pieces(info_.bytes)) {
      const std::uint64_t offset = piece * kPieceBytes;
      scratch.resize(std::min(kPieceBytes, info_.bytes - offset));
      task_.read(index_, offset, scratch);
      visit(offset, scratch);
    }
  }

  const TensorSource& task_;
  const std::size_t index_;
  const Profile profile_;
  const TensorInfo& info_;
};

DerivedTensor with_factors(const DerivedTensor& modify, const LowRankFactors& factors) {
  const auto& infos = factors.source->tensors();
  if (const auto problem = low_rank_problem(modify.info, infos[factors.b], infos[factors.a], factors.scale)) {
    throw Error(ErrorCode::invalid_argument, "tensor " + printable(modify.info.name) + ": " + *problem);
  }
  DerivedTensor out = modify;
  out.op = DeltaOp::low_rank;
  out.factors = factors;
  return out;
}

}  // namespace

std::optional<DerivedTensor> choose_derivation(const StoredWeights& base, const TensorSource& task, const Pairing& pair,
                                               const LowRankFactors* factors, Profile profile) {
  const bool both = pair.base && pair.task;
  const bool alike = both && base.tensors()[*pair.base].dtype == task.tensors()[*pair.task].dtype &&
                     base.tensors()[*pair.base].shape == task.tensors()[*pair.task].shape;
  if (factors != nullptr && !alike) {
    throw Error(ErrorCode::invalid_argument, "tensor " + printable(pair.name) + ": low-rank factors need a base tensor of its dtype and shape");
  }
  if (!both) return std::nullopt;
  DerivedTensor modify{DeltaOp::modify, &base, *pair.base, task.tensors()[*pair.task], {}};
  const Costs costs(task, *pair.task, profile);
  if (alike) {
    if (factors == nullptr) return modify;
    const DerivedTensor low_rank = with_factors(modify, *factors);
    if (factors->stored) return low_rank;
    const auto& infos = factors->source->tensors();
    const std::uint64_t factor_bytes = costs.share(infos[factors->b].bytes + infos[factors->a].bytes);
    return costs.derived(low_rank) + factor_bytes < costs.derived(modify) ? low_rank : modify;
  }
  if (!is_conversion(modify.base_info(), modify.info)) return std::nullopt;
  DerivedTensor convert = modify;
  convert.op = DeltaOp::convert;
  return costs.derived(convert) < costs.whole() ? std::optional(convert) : std::nullopt;
}

}  // namespace dstore
