#include <bit>
#include <algorithm>

#include "delta/bits.h"
#include "delta/encodings.h"

namespace dstore {

using namespace segment_layout;

namespace {

// All: every unit of the block, no bytes.

void encode_all(const BlockScan&, BlockHeader&, Bytes&) {}

std::size_t decode_all(ByteSpan, const BlockHeader&, std::uint32_t, Covered& covered, const BlockPlace&) {
  covered.all = true;
  return 0;
}

// Groups: a bit for each group of kGroup units.

void encode_groups(const BlockScan& scan, BlockHeader&, Bytes& out) {
  const std::size_t at = out.size();
  out.resize(at + (scan.group_count() + 7) / 8);
  for (std::uint32_t group : scan.groups) out[at + group / 8] |= static_cast<std::byte>(1u << group % 8);
}

std::size_t decode_groups(ByteSpan payload, const BlockHeader&, std::uint32_t units, Covered& covered, const BlockPlace& place) {
  const std::uint32_t groups = (units + kGroup - 1) / kGroup;
  const std::size_t bytes = (groups + 7) / 8;
  if (payload.size() < bytes) place.fail("the bitmap of groups is cut off");
  for (std::uint32_t group = 0; group < bytes * 8; ++group) {
    if ((std::to_integer<unsigned>(payload[group / 8]) >> group % 8 & 1) == 0) continue;
    if (group >= groups) place.fail("the bitmap of groups has a bit too many");
    const std::uint32_t end = std::min(units, (group + 1) * kGroup);
    for (std::uint32_t i = group * kGroup; i < end; ++i) covered.positions.push_back(i);
  }
  return bytes;
}

// Split Rice: with gap = position - previous position - 1, first the low `rice` bits of all gaps, then each gap's
// quotient as that many 0 bits and a 1 bit. rice = 0 is a bitmap that ends at the last changed unit.

std::uint64_t quotient_sum(std::span<const std::uint32_t> positions, unsigned rice) {
  std::uint64_t sum = 0;
  std::uint32_t next = 0;
  for (std::uint32_t position : positions) {
    sum += (position - next) >> rice;
    next = position + 1;
  }
  return sum;
}

void encode_rice(const BlockScan& scan, BlockHeader& header, Bytes& out) {
  header.rice = best_rice(scan.changed).bits;
  const std::uint32_t mask = (1u << header.rice) - 1;
  BitWriter remainders(out);
  std::uint32_t next = 0;
  for (std::uint32_t position : scan.changed) {
    remainders.put((position - next) & mask, header.rice);
    next = position + 1;
  }
  remainders.finish();
  BitWriter quotients(out);
  next = 0;
  for (std::uint32_t position : scan.changed) {
    quotients.put_zeros((position - next) >> header.rice);
    quotients.put(1, 1);
    next = position + 1;
  }
  quotients.finish();
}

/// Up to eight bytes as a little-endian word.
std::uint64_t word_at(ByteSpan bytes, std::size_t at) {
  if (at + 8 <= bytes.size()) return load_le<std::uint64_t>(bytes.data() + at);
  std::uint64_t word = 0;
  for (std::size_t i = at; i < bytes.size(); ++i) word |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * (i - at));
  return word;
}

std::size_t decode_rice(ByteSpan payload, const BlockHeader& header, std::uint32_t units, Covered& covered, const BlockPlace& place) {
  const std::uint32_t count = header.changed;
  const std::size_t remainder_bytes = static_cast<std::size_t>((std::uint64_t{count} * header.rice + 7) / 8);
  if (payload.size() < remainder_bytes) place.fail("the positions are cut off");
  BitReader remainders(payload.first(remainder_bytes));
  const ByteSpan quotients = payload.subspan(remainder_bytes);
  if (quotients.size() < (count + 7) / 8) place.fail("the positions are cut off");

  covered.positions.resize(count);
  std::uint64_t remainder_sum = 0;
  std::uint32_t found = 0;
  std::uint64_t end_bit = 0;
  for (std::size_t at = 0; found < count; at += 8) {
    if (at >= quotients.size()) place.fail("the positions are cut off");
    for (std::uint64_t word = word_at(quotients, at); word != 0 && found < count; word &= word - 1) {
      const std::uint64_t bit = 8 * std::uint64_t{at} + static_cast<unsigned>(std::countr_zero(word));
      remainder_sum += remainders.get(header.rice);
      const std::uint64_t position = ((bit - found) << header.rice) + remainder_sum + found;
      if (position >= units) place.fail("a position lies outside the block");
      covered.positions[found++] = static_cast<std::uint32_t>(position);
      end_bit = bit + 1;
    }
  }
  const std::size_t quotient_bytes = static_cast<std::size_t>((end_bit + 7) / 8);
  const unsigned last = std::to_integer<unsigned>(quotients[quotient_bytes - 1]);
  const bool padded = remainders.ended_exactly() && (end_bit % 8 == 0 || last >> end_bit % 8 == 0);
  if (!padded) place.fail("padding bits of the positions are not zero");
  return remainder_bytes + quotient_bytes;
}

constexpr Coverage kCoverages[] = {
    {kCoverAll, "all", false, encode_all, decode_all},
    {kCoverRice, "split rice", true, encode_rice, decode_rice},
    {kCoverGroups, "groups", false, encode_groups, decode_groups},
};

}  // namespace

std::span<const Coverage> coverages() { return kCoverages; }

const Coverage* find_coverage(std::uint8_t id) {
  for (const Coverage& row : kCoverages) {
    if (row.id == id) return &row;
  }
  return nullptr;
}

RiceChoice best_rice(std::span<const std::uint32_t> positions) {
  const auto size = [&](unsigned rice) {
    const std::uint64_t count = positions.size();
    return (count * rice + 7) / 8 + (count + quotient_sum(positions, rice) + 7) / 8;
  };
  // The size is convex in the parameter (but for the rounding to bytes), so the walk ends at the least one.
  const std::uint64_t mean_gap = (positions.back() + std::uint64_t{1}) / positions.size();
  unsigned rice = std::min<unsigned>(mean_gap < 2 ? 0 : static_cast<unsigned>(std::bit_width(mean_gap)) - 1, kMaxRice);
  std::uint64_t bytes = size(rice);
  for (std::uint64_t next; rice > 0 && (next = size(rice - 1)) <= bytes; --rice) bytes = next;
  for (std::uint64_t next; rice < kMaxRice && (next = size(rice + 1)) < bytes; ++rice) bytes = next;
  return {static_cast<std::uint8_t>(rice), bytes};
}

}  // namespace dstore
