#include "catch.h"
#include "delta/segment.h"
#include "dstore/error.h"
#include "tensor_pairs.h"

using namespace dstore;
using namespace dstore::testing;

namespace {

/// Every unit that differs, from element `first` on.
Changes changes_of(const TensorPair& pair, std::uint64_t first) {
  const std::size_t unit = unit_type(pair.dtype).bytes;
  Changes out;
  for (std::size_t at = 0; at < pair.base.size(); at += unit) {
    if (std::equal(&pair.base[at], &pair.base[at] + unit, &pair.task[at])) continue;
    out.positions.push_back(first + at / unit);
    out.old_values.insert(out.old_values.end(), &pair.base[at], &pair.base[at] + unit);
    out.new_values.insert(out.new_values.end(), &pair.task[at], &pair.task[at] + unit);
  }
  return out;
}

}  // namespace

TEST_CASE("A piece encoded from its changes has the bytes of one encoded from base and task") {
  for (const DType dtype : all_dtypes()) {
    for (const Change change : kChanges) {
      for (const std::uint64_t units : {std::uint64_t{1}, std::uint64_t{70'001}, std::uint64_t{600'000}}) {
        for (const double density : {0.0, 0.00001, 0.002, 0.03, 0.3, 1.0}) {
          if (units == 600'000 && change != Change::decay && change != Change::fine_tune) continue;
          const TensorPair pair = make_pair(dtype, units, density, change, units + 7);
          INFO("dtype " << static_cast<int>(dtype) << " change " << static_cast<int>(change) << " units " << units << " density " << density);
          const std::uint64_t first = 3 * piece_units(dtype);
          for (const Profile profile : {Profile::compact, Profile::fast}) {
            const EncodedPiece whole = encode_piece(dtype, first, pair.base, pair.task, profile);
            const EncodedPiece sparse = encode_piece(dtype, first, pair.base, changes_of(pair, first), profile);
            CHECK(sparse.bytes == whole.bytes);
            CHECK(sparse.changed == whole.changed);
          }
        }
      }
    }
  }
}

TEST_CASE("Changes that cannot be a piece's are refused") {
  const TensorPair pair = make_pair(DType::f32, 1000, 0.1, Change::ulps, 1);
  const Changes good = changes_of(pair, 0);
  const auto refused = [&](auto spoil) {
    Changes changes = good;
    spoil(changes);
    CHECK_THROWS_AS(encode_piece(DType::f32, 0, pair.base, changes), Error);
  };
  refused([](Changes& c) { c.positions[1] = c.positions[0]; });
  refused([](Changes& c) { c.positions.back() = 1000; });
  refused([](Changes& c) { c.new_values.pop_back(); });
  refused([](Changes& c) { c.old_values = c.new_values; });
  refused([](Changes& c) { c.positions.pop_back(); });
}
