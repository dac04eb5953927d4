#include "delta/block.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "delta/bits.h"
#include "delta/encodings.h"
#include "delta/residual.h"
#include "dstore/error.h"

namespace dstore {

using namespace segment_layout;

namespace {

std::uint64_t checksum(ByteSpan bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

void append(Bytes& out, ByteSpan bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

/// Copies the covered units of `block`, in order, to `out`; returns the bytes used.
std::size_t gather(const UnitType& unit, const Covered& covered, ByteSpan block, Bytes& out) {
  if (covered.all) {
    if (out.size() < block.size()) out.resize(block.size());
    std::copy(block.begin(), block.end(), out.begin());
    return block.size();
  }
  const std::size_t size = covered.positions.size() * unit.bytes;
  if (out.size() < size) out.resize(size);
  with_unit(unit.bytes, [&]<class U>(U) {
    std::byte* to = out.data();
    for (std::uint32_t position : covered.positions) {
      std::memcpy(to, block.data() + std::size_t{position} * sizeof(U), sizeof(U));
      to += sizeof(U);
    }
  });
  return size;
}

/// Equally long whole units that differ.
std::uint64_t count_different(const UnitType& unit, ByteSpan a, ByteSpan b) {
  return with_unit(unit.bytes, [&]<class U>(U) {
    std::uint64_t count = 0;
    for (std::size_t at = 0; at < a.size(); at += sizeof(U)) count += load_le<U>(a.data() + at) != load_le<U>(b.data() + at);
    return count;
  });
}

void cover(const BlockScan& scan, std::uint8_t coverage, Covered& covered) {
  covered.all = coverage == kCoverAll;
  covered.positions.clear();
  if (coverage == kCoverRice) covered.positions = scan.changed;
  if (coverage != kCoverGroups) return;
  for (std::uint32_t group : scan.groups) {
    const std::uint32_t end = std::min(scan.units, (group + 1) * kGroup);
    for (std::uint32_t i = group * kGroup; i < end; ++i) covered.positions.push_back(i);
  }
}

/// The coder that makes the values smallest, the lower id where two are equal; fills in the header's fields for it.
const ValueCoder& smallest_coder(const ValuePair& values, const ModelEncoder* model, BlockHeader& header) {
  const ValueCoder* best = nullptr;
  std::uint64_t best_bytes = 0;
  BlockHeader best_header;
  for (const ValueCoder& row : value_coders()) {
    if (row.uses_model && model == nullptr) continue;
    BlockHeader next = header;
    next.coder = row.id;
    const std::uint64_t bytes = row.measure(values, model, next);
    if (best == nullptr || bytes < best_bytes) best = &row, best_bytes = bytes, best_header = next;
  }
  header = best_header;
  return *best;
}

}  // namespace

void BlockPlace::fail(std::string_view message) const {
  std::string text(what);
  if (!tensor.empty()) text.append(": tensor ").append(printable(tensor));
  text += ": elements " + std::to_string(first) + " to " + std::to_string(first + count - 1) + ": ";
  throw Error(ErrorCode::corrupt, text.append(message));
}

void BlockHeader::write(Writer& out) const {
  out.u8(coverage);
  out.u8(coder);
  out.u8(rice);
  out.u8(width);
  out.u32(changed);
  out.u64(old_check);
  out.u64(new_check);
}

BlockHeader parse_block_header(Reader& reader, std::uint32_t units, bool has_model) {
  BlockHeader header;
  header.coverage = reader.u8();
  header.coder = reader.u8();
  header.rice = reader.u8();
  header.width = reader.u8();
  header.changed = reader.u32();
  header.old_check = reader.u64();
  header.new_check = reader.u64();
  const Coverage* coverage = find_coverage(header.coverage);
  if (coverage == nullptr) reader.fail("unknown coverage " + std::to_string(header.coverage));
  const ValueCoder* coder = find_value_coder(header.coder);
  if (coder == nullptr) reader.fail("unknown value coder " + std::to_string(header.coder));
  if (coder->uses_model && !has_model) reader.fail("a block needs code tables that the piece lacks");
  if (header.rice > (coverage->uses_rice ? kMaxRice : 0)) reader.fail("Rice parameter out of range");
  if (coder->uses_width ? header.width < 1 || header.width > 64 : header.width != 0) reader.fail("residual width out of range");
  if (header.changed == 0 || header.changed > units) reader.fail("count of changed elements out of range");
  return header;
}

std::uint64_t BlockScan::grouped_units() const {
  if (groups.empty()) return 0;
  const std::uint64_t full = std::uint64_t{groups.size()} * kGroup;
  const bool has_last = groups.back() + 1 == group_count();
  return has_last ? full - (std::uint64_t{group_count()} * kGroup - units) : full;
}

void scan_block(const UnitType& unit, ByteSpan base, ByteSpan task, BlockScan& scan) {
  scan.units = static_cast<std::uint32_t>(base.size() / unit.bytes);
  scan.groups.clear();
  scan.changed.resize(scan.units + 1);
  std::uint32_t* const changed = scan.changed.data();
  std::size_t count = 0;
  with_unit(unit.bytes, [&]<class U>(U) {
    for (std::uint32_t begin = 0; begin < scan.units; begin += kGroup) {
      const std::uint32_t end = std::min(scan.units, begin + kGroup);
      const std::byte* a = base.data() + std::size_t{begin} * sizeof(U);
      const std::byte* b = task.data() + std::size_t{begin} * sizeof(U);
      if (std::memcmp(a, b, (end - begin) * sizeof(U)) == 0) continue;
      scan.groups.push_back(begin / kGroup);
      for (std::uint32_t i = begin; i < end; ++i, a += sizeof(U), b += sizeof(U)) {
        changed[count] = i;  // branchless: whether a unit of a touched group changed is hard to predict
        count += load_le<U>(a) != load_le<U>(b);
      }
    }
  });
  scan.changed.resize(count);
}

ModelEncoder::ModelEncoder(const ContextModel& model, const UnitType& unit) {
  for (std::size_t i = 0; i < model.tables(); ++i) tables_.push_back(encode_table(model.table(i)));
  for (unsigned e = 0; e < 1u << unit.exponent_bits; ++e) of_exponent_.push_back(static_cast<std::uint8_t>(model.table_for(e)));
}

ModelDecoder::ModelDecoder(const ContextModel& model, const UnitType& unit) : tables_(model.tables()) {
  for (std::size_t i = 0; i < model.tables(); ++i) fill_decode_table(model.table(i), tables_[i]);
  for (unsigned e = 0; e < 1u << unit.exponent_bits; ++e) of_exponent_.push_back(static_cast<std::uint8_t>(model.table_for(e)));
}

void encode_block(const UnitType& unit, const BlockScan& scan, bool sparse, const ModelEncoder* model, ByteSpan base,
                  ByteSpan task, BlockScratch& scratch, Bytes& out) {
  BlockHeader header;
  header.changed = static_cast<std::uint32_t>(scan.changed.size());
  header.coverage = sparse ? kCoverRice : scan.groups.size() == scan.group_count() ? kCoverAll : kCoverGroups;
  Bytes positions;
  find_coverage(header.coverage)->encode(scan, header, positions);

  cover(scan, header.coverage, scratch.covered);
  scratch.bytes = gather(unit, scratch.covered, base, scratch.old_values);
  gather(unit, scratch.covered, task, scratch.new_values);
  const ValuePair values{unit, ByteSpan(scratch.old_values).first(scratch.bytes), ByteSpan(scratch.new_values).first(scratch.bytes)};
  header.old_check = checksum(values.old_values);
  header.new_check = checksum(values.new_values);
  const ValueCoder& coder = smallest_coder(values, model, header);

  Writer head;
  header.write(head);
  append(out, head.data());
  append(out, positions);
  coder.encode(values, model, header, out);
}

void decode_block(const UnitType& unit, const BlockHeader& header, ByteSpan payload, const ModelDecoder* model, ByteSpan base,
                  BlockScratch& scratch, const BlockPlace& place) {
  const auto units = static_cast<std::uint32_t>(base.size() / unit.bytes);
  scratch.covered.all = false;
  scratch.covered.positions.clear();
  const std::size_t used = find_coverage(header.coverage)->decode(payload, header, units, scratch.covered, place);
  scratch.bytes = gather(unit, scratch.covered, base, scratch.old_values);
  const ByteSpan old_values = ByteSpan(scratch.old_values).first(scratch.bytes);
  if (checksum(old_values) != header.old_check) place.fail("base values differ (wrong base?)");

  if (scratch.new_values.size() < scratch.bytes) scratch.new_values.resize(scratch.bytes);
  const MutableByteSpan new_values = MutableByteSpan(scratch.new_values).first(scratch.bytes);
  find_value_coder(header.coder)->decode(payload.subspan(used), header, unit, model, old_values, new_values, place);
  if (checksum(new_values) != header.new_check) place.fail("decoded values do not match their checksum");
  if (count_different(unit, old_values, new_values) != header.changed) place.fail("the count of changed elements is wrong");
}

}  // namespace dstore
