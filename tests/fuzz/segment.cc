// How the base comes about (1 byte: flags, 3: bytes of each tensor, 2: length of the pattern it repeats, the pattern), then a
// segment. With flag 1 the segment's check is made to fit first, so that damage reaches what is behind it.
#include "delta/segment.h"

#include "delta/bits.h"
#include "fuzz.h"
#include "odb/object_codec.h"

namespace dstore::fuzz {
namespace {

constexpr std::size_t kMaxBase = 300'000;

void check_piece(const SegmentReader& reader, std::size_t index, ByteSpan pattern, std::size_t limit) {
  const PieceInfo& info = reader.pieces()[index];
  const std::uint64_t unit = unit_type(info.dtype).bytes;
  require(info.count > 0 && info.count <= piece_units(info.dtype), "a piece has 1 to 16 MiB");
  require(info.changed > 0 && info.changed <= info.count, "a piece has changes");
  if (info.count * unit > limit) return;
  const Bytes base = repeated(pattern, info.count * unit);
  Bytes target = base;
  const bool applied = accepted([&] { reader.apply(index, info.first, target, "t"); });
  Changes changes;
  const bool listed = accepted([&] { changes = reader.changes(index, info.first, base, "t"); });
  require(applied == listed, "apply and changes agree");
  if (!applied) return;
  require(count_changed(info.dtype, base, target) == info.changed && changes.positions.size() == info.changed, "a piece counts its changes");
  Bytes listed_task = base;
  for (std::size_t i = 0; i < changes.positions.size(); ++i) {
    const std::size_t at = (changes.positions[i] - info.first) * unit;
    require(std::equal(&base[at], &base[at] + unit, &changes.old_values[i * unit]), "old values are the base's");
    std::copy_n(&changes.new_values[i * unit], unit, &listed_task[at]);
  }
  require(listed_task == target, "the changes make the task");
}

}  // namespace

void test_input(ByteSpan bytes) {
  Input input(bytes);
  const bool seal = (input.u8() & 1) != 0;
  const std::size_t limit = std::min<std::size_t>(input.number(3), kMaxBase);
  const ByteSpan pattern = input.take(input.number(2));
  Bytes segment = copy(input.rest());
  if (seal && segment.size() >= 8) {
    store_le(&segment[segment.size() - 8], stored_checksum(ByteSpan(segment).first(segment.size() - 8)));
  }
  accepted([&] {
    const SegmentReader reader(segment, "input");
    for (std::size_t i = 0; i < std::min<std::size_t>(reader.pieces().size(), 8); ++i) check_piece(reader, i, pattern, limit);
  });
}

}  // namespace dstore::fuzz
