#include "delta/drift.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string>

#include "delta/bits.h"
#include "delta/layout.h"
#include "delta/residual.h"

namespace dstore {

using namespace segment_layout;

namespace {

/// What a shift follows from.
template <class U>
class Bins {
 public:
  Bins(const UnitType& unit, unsigned log2)
      : mantissa_bits_(unit.mantissa_bits), drop_(unit.mantissa_bits - log2), exponent_mask_((1u << unit.exponent_bits) - 1), bin_mask_((1u << log2) - 1) {}
  /// Zeros and subnormal numbers stay where they are.
  bool moves(U bits) const { return (static_cast<std::uint64_t>(bits) >> mantissa_bits_ & exponent_mask_) != 0; }
  unsigned bin(U bits) const { return static_cast<unsigned>(static_cast<std::uint64_t>(bits) >> drop_) & bin_mask_; }

 private:
  unsigned mantissa_bits_, drop_, exponent_mask_, bin_mask_;
};

/// Calls visit(old value, new value) for each of the sample.
template <class U, class Visit>
void for_sample(ByteSpan old_sample, ByteSpan new_sample, Visit visit) {
  for (std::size_t at = 0; at < old_sample.size(); at += sizeof(U)) visit(load_le<U>(&old_sample[at]), load_le<U>(&new_sample[at]));
}

/// How many units of a bin were sampled, moved down, stayed: three counts in one word, as a sample has less than 2^21 units.
class MoveCounts {
 public:
  void add(bool counted, bool down, bool none) {
    const std::uint64_t kinds = std::uint64_t{1} | std::uint64_t{down} << kField | std::uint64_t{none} << 2 * kField;
    counts_ += kinds & (std::uint64_t{0} - std::uint64_t{counted});
  }
  std::uint64_t all() const { return counts_ & kMask; }
  bool median_is_zero() const {
    const std::uint64_t down = counts_ >> kField & kMask, none = counts_ >> 2 * kField;
    return all() == 0 || (down <= all() / 2 && all() / 2 < down + none);
  }

 private:
  static constexpr unsigned kField = 21;
  static constexpr std::uint64_t kMask = (std::uint64_t{1} << kField) - 1;
  static_assert(2 * kDriftSample + 1 <= kMask);
  std::uint64_t counts_ = 0;
};

/// The median move of each bin; empty if none moves.
template <class U>
std::vector<std::uint64_t> median_moves(const Bins<U>& bins, ByteSpan base, ByteSpan task) {
  using Signed = std::make_signed_t<U>;
  std::array<MoveCounts, std::size_t{1} << kDriftLog2> counts;
  for_sample<U>(base, task, [&](U from, U to) {
    const auto move = static_cast<Signed>(static_cast<U>(to - from));
    counts.data()[bins.bin(from)].add(bins.moves(from), move < 0, move == 0);
  });
  if (std::all_of(counts.begin(), counts.end(), [](const MoveCounts& moves) { return moves.median_is_zero(); })) return {};
  std::vector<std::vector<Signed>> moves(counts.size());
  for (std::size_t b = 0; b < counts.size(); ++b) moves[b].reserve(counts[b].all());
  for_sample<U>(base, task, [&](U from, U to) {
    if (bins.moves(from)) moves[bins.bin(from)].push_back(static_cast<Signed>(static_cast<U>(to - from)));
  });
  std::vector<std::uint64_t> shifts(moves.size());
  for (std::size_t b = 0; b < moves.size(); ++b) {
    if (moves[b].empty()) continue;
    const auto middle = moves[b].begin() + static_cast<std::ptrdiff_t>(moves[b].size() / 2);
    std::nth_element(moves[b].begin(), middle, moves[b].end());
    shifts[b] = static_cast<U>(*middle);
  }
  return shifts;
}

template <class U>
std::vector<std::uint64_t> find_shifts(const UnitType& unit, ByteSpan base, ByteSpan task) {
  const Bins<U> bins(unit, kDriftLog2);
  std::vector<std::uint64_t> shifts = median_moves<U>(bins, base, task);
  if (shifts.empty()) return shifts;
  const ResidualMap<U> map(unit);
  std::uint64_t before = 0, after = 0, sampled = 0;
  for_sample<U>(base, task, [&](U from, U to) {
    const U predicted = bins.moves(from) ? static_cast<U>(from + shifts[bins.bin(from)]) : from;
    before += Drift::bit_cost(map.residual(from, to));
    after += Drift::bit_cost(map.residual(predicted, to));
    ++sampled;
  });
  if (kDriftGain * (after + sampled) >= (kDriftGain - 1) * (before + sampled)) shifts.clear();
  return shifts;
}

}  // namespace

bool Drift::fits(const UnitType& unit) { return unit.mantissa_bits >= kDriftLog2; }

std::uint64_t Drift::sample_stride(std::uint64_t units) {
  return std::max<std::uint64_t>(1, units / kDriftSample) | 1;  // odd: rows of a matrix have even lengths
}

std::uint64_t Drift::bit_cost(std::uint64_t residual) { return static_cast<std::uint64_t>(std::bit_width(residual)); }

/// The gain that find() asks for, if nothing at all were left of the residuals.
bool Drift::can_pay(std::uint64_t cost, std::uint64_t count) { return kDriftGain * count < (kDriftGain - 1) * (cost + count); }

std::optional<Drift> Drift::find(const UnitType& unit, ByteSpan old_sample, ByteSpan new_sample) {
  if (!fits(unit)) return std::nullopt;
  std::vector<std::uint64_t> shifts = with_unit(unit.bytes, [&]<class U>(U) { return find_shifts<U>(unit, old_sample, new_sample); });
  if (shifts.empty()) return std::nullopt;
  return Drift(unit, kDriftLog2, std::move(shifts));
}

Drift::Drift(Reader& reader, unsigned log2, const UnitType& unit) : unit_(unit), log2_(log2) {
  if (log2 == 0 || log2 > kMaxDriftLog2 || log2 > unit.mantissa_bits) reader.fail("drift of " + std::to_string(log2) + " mantissa bits");
  Reader shifts(reader.bytes((std::size_t{1} << log2) * unit.bytes), "");
  const ByteSpan bytes = shifts.bytes(shifts.remaining());
  with_unit(unit.bytes, [&]<class U>(U) {
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(U)) shifts_.push_back(load_le<U>(&bytes[at]));
  });
}

void Drift::write(Writer& out) const {
  Bytes bytes(static_cast<std::size_t>(written_bytes()));
  with_unit(unit_.bytes, [&]<class U>(U) {
    for (std::size_t i = 0; i < shifts_.size(); ++i) store_le(&bytes[i * sizeof(U)], static_cast<U>(shifts_[i]));
  });
  out.bytes(bytes);
}

ByteSpan Drift::predict(ByteSpan old_values, Bytes& out) const {
  if (out.size() < old_values.size()) out.resize(old_values.size());
  with_unit(unit_.bytes, [&]<class U>(U) {
    const Bins<U> bins(unit_, log2_);
    for (std::size_t at = 0; at < old_values.size(); at += sizeof(U)) {
      const U from = load_le<U>(&old_values[at]);
      const U shift = static_cast<U>(shifts_[bins.bin(from)]);
      store_le(&out[at], bins.moves(from) ? static_cast<U>(from + shift) : from);
    }
  });
  return ByteSpan(out).first(old_values.size());
}

}  // namespace dstore
