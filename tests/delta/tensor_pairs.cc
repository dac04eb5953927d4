#include "tensor_pairs.h"

#include <xxhash.h>

#include <bit>
#include <cmath>
#include <stdexcept>

#include "delta/bits.h"
#include "delta/residual.h"
#include "delta/stats.h"

namespace dstore::testing {
namespace {

std::uint64_t bits_of(DType dtype, double value) {
  switch (dtype) {
    case DType::f16: return f16_from_float(static_cast<float>(value));
    case DType::bf16: return bf16_from_float(static_cast<float>(value));
    case DType::f64: return std::bit_cast<std::uint64_t>(value);
    case DType::f32:
    case DType::c64: return std::bit_cast<std::uint32_t>(static_cast<float>(value));
    default: return static_cast<std::uint64_t>(std::llround(value * 1000));
  }
}

std::uint64_t special_bits(const UnitType& unit, Random& random) {
  const std::uint64_t sign = std::uint64_t{1} << (8 * unit.bytes - 1);
  const std::uint64_t infinity = ((std::uint64_t{1} << unit.exponent_bits) - 1) << unit.mantissa_bits;
  const std::uint64_t payload = random.next() & ((std::uint64_t{1} << unit.mantissa_bits) - 1);
  const std::uint64_t table[] = {0,       sign, infinity, sign | infinity, infinity | payload, sign | infinity | payload,
                                 payload, 1,    sign | 1, infinity - 1};
  return table[random.below(std::size(table))];
}

std::uint64_t task_bits(const UnitType& unit, double value, std::uint64_t old_bits, Change change, Random& random) {
  switch (change) {
    case Change::random_bits: return random.next();
    case Change::ulps: return old_bits + random.below(7) - 3;
    case Change::fine_tune: return bits_of(unit.dtype, value + 3e-4 * random.gaussian());
    case Change::decay: {
      const std::uint64_t step = unit.mantissa_bits < 3 ? 0 : old_bits >> (unit.mantissa_bits - 3) & 7;
      return old_bits - 40 * (8 + step) + random.below(3);
    }
    default: return special_bits(unit, random);
  }
}

}  // namespace

std::uint64_t Random::next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

double Random::gaussian() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(6.283185307179586 * uniform());
}

TensorPair make_pair(DType dtype, std::uint64_t units, double density, Change change, std::uint64_t seed) {
  Random random(seed);
  const UnitType& unit = unit_type(dtype);
  TensorPair pair{dtype, Bytes(units * unit.bytes), {}};
  std::vector<double> values(units);
  with_unit(unit.bytes, [&]<class U>(U) {
    for (std::uint64_t i = 0; i < units; ++i) {
      values[i] = 0.05 * random.gaussian();
      const std::uint64_t bits = change == Change::random_bits ? random.next()
                                 : change == Change::special   ? special_bits(unit, random)
                                                               : bits_of(dtype, values[i]);
      store_le(&pair.base[i * sizeof(U)], static_cast<U>(bits));
    }
    pair.task = pair.base;
    auto left = static_cast<std::uint64_t>(std::llround(density * static_cast<double>(units)));
    if (density > 0 && left == 0 && units > 0) left = 1;
    for (std::uint64_t i = 0; i < units; ++i) {  // selection sampling: each subset of that size is equally likely
      if (random.below(units - i) >= left) continue;
      --left;
      const U old_bits = load_le<U>(&pair.base[i * sizeof(U)]);
      U new_bits = static_cast<U>(task_bits(unit, values[i], old_bits, change, random));
      if (new_bits == old_bits) new_bits = static_cast<U>(old_bits ^ 1u);
      store_le(&pair.task[i * sizeof(U)], new_bits);
    }
  });
  return pair;
}

const std::vector<DType>& all_dtypes() {
  static const std::vector<DType> kAll = [] {
    std::vector<DType> all;
    for (unsigned code = 0; code < 256; ++code) {
      if (find_unit_type(static_cast<DType>(code)) != nullptr) all.push_back(static_cast<DType>(code));
    }
    return all;
  }();
  return kAll;
}

Bytes encode_pair(const TensorPair& pair, Profile profile) {
  SegmentWriter writer;
  for (std::size_t at = 0; at < pair.base.size(); at += kPieceBytes) {
    const std::size_t size = std::min<std::size_t>(kPieceBytes, pair.base.size() - at);
    const EncodedPiece piece = encode_piece(pair.dtype, unit_count(pair.dtype, at), ByteSpan(pair.base).subspan(at, size),
                                            ByteSpan(pair.task).subspan(at, size), profile);
    if (!piece.bytes.empty()) writer.add(piece);
  }
  return writer.pieces() == 0 ? Bytes() : writer.finish();
}

Bytes apply_pair(const TensorPair& pair, ByteSpan segment) {
  Bytes out = pair.base;
  const SegmentReader reader(segment, "test segment");
  for (std::size_t at = 0; at < out.size(); at += kPieceBytes) {
    const MutableByteSpan part = MutableByteSpan(out).subspan(at, std::min<std::size_t>(kPieceBytes, out.size() - at));
    for (std::size_t i = 0; i < reader.pieces().size(); ++i) reader.apply(i, unit_count(pair.dtype, at), part, "t");
  }
  return out;
}

void reseal(Bytes& segment) {
  if (segment.size() < 8) return;
  const std::size_t body = segment.size() - 8;
  store_le<std::uint64_t>(&segment[body], XXH3_64bits(segment.data(), body));
}

}  // namespace dstore::testing
