#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "delta/element.h"
#include "delta/segment.h"

namespace dstore::testing {

/// Small, fast and the same everywhere (splitmix64).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double gaussian();

 private:
  std::uint64_t state_;
};

/// How the task's values come about from the base's.
enum class Change {
  random_bits,  ///< any bit pattern, for base and task
  ulps,         ///< base values like weights, task a few steps of the last bit away
  fine_tune,    ///< base values like weights, task = base + a small gaussian, rounded to the dtype
  decay,        ///< base values like weights, their bits moved by a staircase over the mantissa and a few ulps
  special,      ///< NaNs with payloads, infinities, zeros of both signs, subnormals
};
inline constexpr Change kChanges[] = {Change::random_bits, Change::ulps, Change::fine_tune, Change::decay, Change::special};

struct TensorPair {
  DType dtype;
  Bytes base;
  Bytes task;
};

/// Exactly round(density * units) units differ (at least one if density > 0).
TensorPair make_pair(DType dtype, std::uint64_t units, double density, Change change, std::uint64_t seed);

/// Every dtype of the table in dstore/tensor.h.
const std::vector<DType>& all_dtypes();

/// The segment of all pieces of the pair; empty if nothing changed. Throws if it would be larger than one segment.
Bytes encode_pair(const TensorPair& pair, Profile profile = Profile::compact);
/// The task, from the base and the segment, applied piece by piece as a checkout does.
Bytes apply_pair(const TensorPair& pair, ByteSpan segment);

/// Makes the segment's checksum fit its bytes again, so that damage reaches the checks behind it.
void reseal(Bytes& segment);

}  // namespace dstore::testing
