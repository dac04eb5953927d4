// One block without its checksums, which no fuzzer can guess: dtype, tables of the model (1 byte each), units (3 bytes), length of
// the base's pattern (2), the pattern, then the model, the block's header, its positions and values.
#include "delta/block.h"

#include <optional>

#include "delta/value_coders.h"
#include "fuzz.h"
#include "odb/object_codec.h"
#include "tensor/dtype.h"

namespace dstore::fuzz {
namespace {

constexpr std::uint64_t kMaxUnits = 1 << 17;

void check_covered(const Covered& covered, const BlockHeader& header, std::uint32_t units) {
  std::size_t count = 0;
  std::uint64_t next = 0;
  const auto add = [&](std::uint64_t begin, std::uint64_t end) {
    require(begin >= next && end > begin && end <= units, "covered units increase inside the block");
    next = end;
    count += end - begin;
  };
  if (covered.form == Covered::Form::all) add(0, units);
  for (const UnitRun& run : covered.runs) {
    if (covered.form == Covered::Form::runs) add(run.begin, run.end);
  }
  for (std::size_t i = 0; covered.form == Covered::Form::list && i < covered.count; ++i) add(covered.positions[i], covered.positions[i] + 1ull);
  require(count == covered.count && count >= header.changed, "covered units are counted");
}

void decode(Reader& reader, const UnitType& unit, unsigned tables, unsigned drift, std::uint32_t units, ByteSpan base) {
  std::optional<ModelDecoder> model;
  if (tables != 0) {
    const ContextModel context(reader, tables, unit);
    model.emplace(context, unit, drift != 0 ? std::optional(Drift(reader, drift, unit)) : std::nullopt);
  }
  BlockHeader header = parse_block_header(reader, unit, units, model.has_value());
  const ByteSpan payload = reader.bytes(reader.remaining());
  const BlockPlace place{"input", "t", 0, units};
  BlockScratch scratch;
  const std::size_t used = read_positions(payload, header.positions, units, header.changed, scratch.covered, place);
  require(used <= payload.size(), "positions lie in the block");
  check_covered(scratch.covered, header, units);

  const ByteSpan old_values = gather(unit, scratch.covered, base, scratch.old_values);
  Bytes new_values(old_values.size());
  const auto changed = find_value_coder(header.coder)
                           ->decode(payload.subspan(used), header.parameter, unit, model ? &*model : nullptr, old_values, new_values, place);
  header.old_check = stored_checksum(old_values);
  header.new_check = stored_checksum(new_values);
  if (changed) header.changed = static_cast<std::uint32_t>(*changed);
  BlockScratch own;
  const DecodedBlock block = decode_block(unit, header, payload, model ? &*model : nullptr, base, own, place);
  require(same(block.new_values, new_values), "a block is decoded to the same values again");
}

}  // namespace

void test_input(ByteSpan bytes) {
  Input input(bytes);
  const UnitType& unit = unit_type(*dtype_from_code(static_cast<std::uint8_t>(1 + input.u8() % dtype_table().size())));
  const unsigned model = input.u8();
  const unsigned tables = model % (segment_layout::kMaxTables + 1);
  const unsigned drift = model / (segment_layout::kMaxTables + 1) % (segment_layout::kMaxDriftLog2 + 2);  // one too many as well
  const std::uint64_t units = 1 + input.size(kMaxUnits);
  const ByteSpan pattern = input.take(input.number(2));
  const Bytes base = repeated(pattern, units * unit.bytes);
  accepted([&] {
    Reader reader(input.rest(), "input");
    decode(reader, unit, tables, drift, static_cast<std::uint32_t>(units), base);
  });
}

}  // namespace dstore::fuzz
