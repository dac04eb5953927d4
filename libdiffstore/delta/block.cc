#include "delta/block.h"

#include <algorithm>
#include <cstring>

#include "delta/bits.h"
#include "delta/kernels.h"
#include "delta/residual.h"
#include "delta/segment.h"
#include "delta/value_coders.h"
#include "dstore/error.h"

namespace dstore {

using namespace segment_layout;

namespace {

/// Positions whose units are asked for before the first of them is read.
constexpr std::size_t kAhead = 4096;
constexpr unsigned kWithinBits = 3;  ///< of the first byte; the Rice parameter fills the rest

std::uint64_t checksum(ByteSpan bytes) { return kernels().checksum(bytes); }

MutableByteSpan room(Bytes& buffer, std::size_t size) {
  if (buffer.size() < size) buffer.resize(size);
  return MutableByteSpan(buffer).first(size);
}

/// Codes the values with the coder that makes them smallest, the lower id of equals, into `best`. Those whose size is known
/// are coded only if none of the others is smaller.
void encode_values(const BlockValues& values, const ModelEncoder* model, Profile profile, BlockHeader& header, Bytes& best) {
  const ValueCoder* known = nullptr;
  for (const ValueCoder* row : value_coders()) {
    if (row->size != nullptr && (known == nullptr || row->size(values) < known->size(values))) known = row;
  }
  std::uint64_t limit = known->size(values);
  const ValueCoder* chosen = nullptr;
  Bytes next;
  for (const ValueCoder* row : value_coders()) {
    if (row->size != nullptr || (row->uses_model ? model == nullptr : !row->writes(values.unit, profile))) continue;
    std::uint8_t parameter = 0;
    if (!row->encode(values, model, limit, parameter, next)) continue;
    chosen = row;
    header.parameter = parameter;
    limit = next.size();
    std::swap(best, next);
  }
  if (chosen == nullptr) {
    chosen = known;
    known->encode(values, model, UINT64_MAX, header.parameter, best);
  }
  header.coder = chosen->id;
}

}  // namespace

void BlockPlace::fail(std::string_view message) const {
  std::string text(what);
  if (!tensor.empty()) text.append(": tensor ").append(printable(tensor));
  text += ": elements " + std::to_string(first) + " to " + std::to_string(first + count - 1) + ": ";
  throw Error(ErrorCode::corrupt, text.append(message));
}

void BlockHeader::write(Writer& out) const {
  out.u8(static_cast<std::uint8_t>(static_cast<unsigned>(positions.within) | unsigned{positions.rice} << kWithinBits));
  out.u8(static_cast<std::uint8_t>(positions.group_log2 | (positions.coded_groups ? kCodedGroups : 0)));
  out.u8(coder);
  out.u8(parameter);
  out.u32(changed);
  out.u64(old_check);
  out.u64(new_check);
}

BlockHeader parse_block_header(Reader& reader, const UnitType& unit, std::uint32_t units, bool has_model) {
  BlockHeader header;
  const unsigned positions = reader.u8();
  const unsigned groups = reader.u8();
  header.coder = reader.u8();
  header.parameter = reader.u8();
  header.changed = reader.u32();
  header.old_check = reader.u64();
  header.new_check = reader.u64();
  header.positions.within = static_cast<Within>(positions & ((1u << kWithinBits) - 1));
  header.positions.rice = static_cast<std::uint8_t>(positions >> kWithinBits);
  if (!is_known(header.positions)) reader.fail("unknown code of positions " + std::to_string(positions));
  header.positions.group_log2 = static_cast<std::uint8_t>(groups & ~unsigned{kCodedGroups});
  header.positions.coded_groups = (groups & kCodedGroups) != 0;
  const bool grouped = header.positions.group_log2 >= kMinGroupLog2 && header.positions.group_log2 <= kMaxGroupLog2;
  if (groups != 0 && !grouped) reader.fail("group size out of range");
  const ValueCoder* coder = find_value_coder(header.coder);
  if (coder == nullptr) reader.fail("unknown value coder " + std::to_string(header.coder));
  if (coder->uses_model && !has_model) reader.fail("a block needs code tables that the piece lacks");
  if (!coder->accepts(unit, header.parameter)) reader.fail("the value coder's parameter is out of range");
  if (header.changed == 0 || header.changed > units) reader.fail("count of changed elements out of range");
  return header;
}

ByteSpan gather(const UnitType& unit, const Covered& covered, ByteSpan block, Bytes& out) {
  if (covered.form == Covered::Form::all) return block;
  const MutableByteSpan target = room(out, covered.count * unit.bytes);
  std::byte* to = target.data();
  if (covered.form == Covered::Form::runs) {
    for (const UnitRun& run : covered.runs) {
      const std::size_t size = std::size_t{run.end - run.begin} * unit.bytes;
      std::memcpy(to, block.data() + std::size_t{run.begin} * unit.bytes, size);
      to += size;
    }
    return target;
  }
  with_unit(unit.bytes, [&]<class U>(U) {
    const std::uint32_t* const positions = covered.positions.data();
    const auto place = [&](std::size_t i) { return block.data() + std::size_t{positions[i]} * sizeof(U); };
    for (std::size_t at = 0; at < covered.count; at += kAhead) {
      const std::size_t end = std::min(covered.count, at + kAhead);
      // Into the second-level cache: more loads can be under way there than to the first.
      for (std::size_t i = at; i < end; ++i) __builtin_prefetch(place(i), 0, 2);
      for (std::size_t i = at; i < end; ++i) std::memcpy(to + i * sizeof(U), place(i), sizeof(U));
    }
  });
  return target;
}

void scatter(const UnitType& unit, const Covered& covered, ByteSpan values, MutableByteSpan block) {
  if (covered.form == Covered::Form::all) {
    std::copy(values.begin(), values.end(), block.begin());
    return;
  }
  const std::byte* from = values.data();
  if (covered.form == Covered::Form::runs) {
    for (const UnitRun& run : covered.runs) {
      const std::size_t size = std::size_t{run.end - run.begin} * unit.bytes;
      std::memcpy(block.data() + std::size_t{run.begin} * unit.bytes, from, size);
      from += size;
    }
    return;
  }
  with_unit(unit.bytes, [&]<class U>(U) {
    const std::uint32_t* const positions = covered.positions.data();
    for (std::size_t i = 0; i < covered.count; ++i) {
      std::memcpy(block.data() + std::size_t{positions[i]} * sizeof(U), from + i * sizeof(U), sizeof(U));
    }
  });
}

void encode_block(const BlockScan& scan, const PositionCode& positions, const BlockValues& values, const ModelEncoder* model, Profile profile,
                  BlockScratch& scratch, Bytes& out) {
  BlockHeader header;
  header.positions = positions;
  header.changed = scan.changed();
  header.old_check = checksum(values.old_values);
  header.new_check = checksum(values.new_values);
  encode_values(values, model, profile, header, scratch.coded);

  Writer head;
  header.write(head);
  out.insert(out.end(), head.data().begin(), head.data().end());
  write_positions(scan, positions, out);
  out.insert(out.end(), scratch.coded.begin(), scratch.coded.end());
}

DecodedBlock decode_block(const UnitType& unit, const BlockHeader& header, ByteSpan payload, const ModelDecoder* model, ByteSpan base,
                          BlockScratch& scratch, const BlockPlace& place) {
  const auto units = static_cast<std::uint32_t>(base.size() / unit.bytes);
  const std::size_t used = read_positions(payload, header.positions, units, header.changed, scratch.covered, place);
  const ByteSpan old_values = gather(unit, scratch.covered, base, scratch.old_values);
  if (checksum(old_values) != header.old_check) place.fail("base values differ (wrong base?)");

  const MutableByteSpan new_values = room(scratch.new_values, old_values.size());
  const ValueCoder& coder = *find_value_coder(header.coder);
  const auto changed = coder.decode(payload.subspan(used), header.parameter, unit, model, old_values, new_values, place);
  if (checksum(new_values) != header.new_check) place.fail("decoded values do not match their checksum");
  if ((changed ? *changed : count_changed(unit.dtype, old_values, new_values)) != header.changed) {
    place.fail("the count of changed elements is wrong");
  }
  return {old_values, new_values};
}

}  // namespace dstore
