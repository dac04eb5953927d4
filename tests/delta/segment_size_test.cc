#include <cmath>

#include "catch.h"
#include "delta/segment.h"
#include "tensor_pairs.h"

using namespace dstore;
using namespace dstore::testing;

namespace {

double bits_per_change(const TensorPair& pair) {
  return 8.0 * static_cast<double>(encode_pair(pair).size()) / static_cast<double>(count_changed(pair.dtype, pair.base, pair.task));
}

}  // namespace

TEST_CASE("No segment is larger than its raw bytes plus 0.1 % and a small constant") {
  std::uint64_t seed = 1;
  for (DType dtype : all_dtypes()) {
    for (std::uint64_t units : {1u, 129u, 5000u, (1u << 18) + 1, 1u << 20}) {
      if (units > 5000 && static_cast<unsigned>(dtype) > 13) continue;
      for (double density : {0.01, 0.5, 1.0}) {
        const TensorPair pair = make_pair(dtype, units, density, Change::random_bits, ++seed);
        const double raw = static_cast<double>(pair.base.size());
        INFO("dtype " << static_cast<int>(dtype) << " units " << units << " density " << density);
        REQUIRE(static_cast<double>(encode_pair(pair).size()) <= raw * 1.001 + 100);
      }
    }
  }
}

TEST_CASE("Half a percent of changes takes about 33 bits each in f32 and 16 in bf16") {
  CHECK(bits_per_change(make_pair(DType::f32, 1u << 20, 0.005, Change::fine_tune, 1)) <= 33);
  CHECK(bits_per_change(make_pair(DType::bf16, 1u << 20, 0.005, Change::ulps, 2)) <= 16);
}

TEST_CASE("Positions are near the entropy bound") {
  // Residuals of one value need no bits, so what is left is positions and headers.
  for (double density : {0.001, 0.005, 0.05}) {
    TensorPair pair = make_pair(DType::i32, 4u << 20, density, Change::ulps, 3);
    for (std::size_t i = 0; i < pair.base.size(); i += 4) {
      if (!std::equal(pair.base.begin() + i, pair.base.begin() + i + 4, pair.task.begin() + i)) {
        std::copy_n(pair.base.begin() + i, 4, pair.task.begin() + i);
        pair.task[i] ^= std::byte{1};
        pair.base[i] &= std::byte{0xfe};
        pair.task[i] |= std::byte{1};
      }
    }
    const double entropy = (-density * std::log2(density) - (1 - density) * std::log2(1 - density)) / density;
    CHECK(bits_per_change(pair) <= entropy * 1.04);
  }
}

TEST_CASE("A fine-tuned dense bf16 tensor takes less than a third of its size") {
  const TensorPair pair = make_pair(DType::bf16, 1u << 20, 0.9, Change::fine_tune, 4);
  CHECK(static_cast<double>(encode_pair(pair).size()) < static_cast<double>(pair.base.size()) / 3);
}

TEST_CASE("Rows that did not change cost next to nothing") {
  TensorPair pair = make_pair(DType::f32, 1u << 20, 1.0, Change::fine_tune, 5);
  const std::size_t row = 384 * 4;
  for (std::size_t at = 0; at + row <= pair.base.size(); at += row) {
    if ((at / row) % 8 != 0) std::copy_n(pair.base.data() + at, row, pair.task.data() + at);
  }
  CHECK(bits_per_change(pair) < 23);
}
