// dtype, flags (1 byte each), units (3 bytes), length of the base's pattern (2), the pattern; then, with flag 1, the task's own
// pattern, else changes: 3 bytes of a position and the unit's new value each. Flag 2: Profile::fast.
#include "delta/segment.h"
#include "fuzz.h"
#include "tensor/dtype.h"

namespace dstore::fuzz {
namespace {

constexpr std::uint64_t kMaxUnits = 1 << 13, kUsualUnits = 1 << 8;  // the encoder tries all it knows

Bytes changed_units(const Bytes& base, Input input, unsigned unit) {
  Bytes task = base;
  const std::size_t units = base.size() / unit;
  while (!input.rest().empty()) {
    const std::size_t at = input.number(3) % units * unit;
    const ByteSpan value = input.take(unit);
    std::copy(value.begin(), value.end(), task.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return task;
}

void round_trip(DType dtype, const Bytes& base, const Bytes& task, Profile profile) {
  const EncodedPiece piece = encode_piece(dtype, 0, base, task, profile);
  require(piece.changed == count_changed(dtype, base, task) && piece.bytes.empty() == (piece.changed == 0), "changes are counted");
  if (piece.bytes.empty()) return;
  SegmentWriter writer;
  writer.add(piece);
  const Bytes segment = writer.finish();
  const SegmentReader reader(segment, "own segment");
  require(reader.pieces().size() == 1 && reader.pieces()[0].changed == piece.changed, "a piece counts its changes");
  Bytes target = base;
  reader.apply(0, 0, target);
  require(target == task, "base and segment give the task");
  if (target != base) require(!accepted([&] { reader.apply(0, 0, target); }), "a task is not its own base");
}

}  // namespace

void test_input(ByteSpan bytes) {
  Input input(bytes);
  const DType dtype = *dtype_from_code(static_cast<std::uint8_t>(1 + input.u8() % dtype_table().size()));
  const unsigned unit = unit_type(dtype).bytes;
  const unsigned flags = input.u8();
  const std::uint64_t units = 1 + input.size(kMaxUnits, kUsualUnits);
  const Bytes base = repeated(input.take(input.number(2)), units * unit);
  const Bytes task = (flags & 1) != 0 ? repeated(input.rest(), units * unit) : changed_units(base, input, unit);
  round_trip(dtype, base, task, (flags & 2) != 0 ? Profile::fast : Profile::compact);
}

}  // namespace dstore::fuzz
