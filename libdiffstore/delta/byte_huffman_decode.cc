#include <algorithm>
#include <bit>

#include "delta/bits.h"
#include "delta/byte_huffman.h"
#include "delta/package_merge.h"

namespace dstore {

using namespace byte_code;

namespace {

constexpr std::size_t kTableSize = std::size_t{1} << kMaxBits;
constexpr std::size_t kLookups = 5;                         // between two refills: 55 of at least 56 bits
constexpr std::size_t kMaxSymbols = 3 * kLookups;           // ... which give at most that many bytes
constexpr std::size_t kStore = sizeof(std::uint32_t) - 1;   // a lookup stores a word for at least one byte

/// Indexed with the next kMaxBits bits: up to three bytes | their number << 24 | bits of all their codes << 28.
using MultiTable = std::array<std::uint32_t, kTableSize>;

struct DecodeTables {
  std::array<std::uint8_t, 256> lengths{};
  MultiTable multi;
};

void fill_tables(DecodeTables& tables) {
  std::array<std::uint16_t, 256> codes{};
  canonical_codes(tables.lengths, kMaxBits, codes);
  std::array<std::uint16_t, kTableSize> single;  // byte | code length << 8
  for (unsigned symbol = 0; symbol < 256; ++symbol) {
    const unsigned length = tables.lengths[symbol];
    if (length == 0) continue;
    const auto entry = static_cast<std::uint16_t>(symbol | length << 8);
    for (std::size_t at = codes[symbol]; at < kTableSize; at += std::size_t{1} << length) single.data()[at] = entry;
  }
  for (std::uint32_t index = 0; index < kTableSize; ++index) {
    const std::uint32_t a = single.data()[index];
    const std::uint32_t a_end = a >> 8;
    const std::uint32_t b = single.data()[index >> a_end];
    const std::uint32_t b_end = a_end + (b >> 8);
    const std::uint32_t c = single.data()[b_end <= kMaxBits ? index >> b_end : 0];
    const std::uint32_t c_end = b_end + (c >> 8);
    const std::uint32_t count = 1u + (b_end <= kMaxBits) + (c_end <= kMaxBits);
    const std::uint32_t used = c_end <= kMaxBits ? c_end : b_end <= kMaxBits ? b_end : a_end;
    tables.multi.data()[index] = (a & 0xff) | (b & 0xff) << 8 | (c & 0xff) << 16 | count << 24 | used << 28;
  }
}

/// A stream and where its bytes go. The highest set bit of `bits` marks where the valid bits below it end, so that the number
/// consumed since the last refill is the number of zeros above it.
struct Lane {
  const std::byte* at;
  std::uint64_t bits;
  std::byte* out;
  std::byte* out_end;

  static constexpr std::uint64_t kMark = std::uint64_t{1} << 63;

  void start() { bits = load_le<std::uint64_t>(at) | kMark; }
  void refill() {
    const auto consumed = static_cast<unsigned>(std::countl_zero(bits));
    at += consumed >> 3;
    bits = (load_le<std::uint64_t>(at) | kMark) >> (consumed & 7);
  }
  void lookup(const std::uint32_t* table) {
    const std::uint32_t entry = table[bits & (kTableSize - 1)];
    store_le(out, entry);
    out += (entry >> 24) & 3;
    bits >>= entry >> 28;
  }
  /// Rounds of kLookups and a refill that stay within the input's `end` and the lane's bytes, from the state after a refill.
  std::size_t safe_rounds(const std::byte* end) const {
    const auto in = static_cast<std::size_t>(end - at);
    const auto room = static_cast<std::size_t>(out_end - out);
    if (in < 16 || room < kMaxSymbols + kStore) return 0;
    return std::min((in - 8) / 8, (room - kStore) / kMaxSymbols);
  }
};

void run_four(std::array<Lane, kStreams>& lanes, const std::byte* end, const std::uint32_t* table) {
  Lane a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
  for (;;) {
    std::size_t rounds = std::min({a.safe_rounds(end), b.safe_rounds(end), c.safe_rounds(end), d.safe_rounds(end)});
    if (rounds == 0) break;
    for (; rounds > 0; --rounds) {
#pragma GCC unroll 5
      for (std::size_t i = 0; i < kLookups; ++i) {
        a.lookup(table);
        b.lookup(table);
        c.lookup(table);
        d.lookup(table);
      }
      a.refill();
      b.refill();
      c.refill();
      d.refill();
    }
  }
  lanes = {a, b, c, d};
}

void run_one(Lane& lane, const std::byte* end, const std::uint32_t* table) {
  Lane a = lane;
  for (std::size_t rounds; (rounds = a.safe_rounds(end)) > 0;) {
    for (; rounds > 0; --rounds) {
      for (std::size_t i = 0; i < kLookups; ++i) a.lookup(table);
      a.refill();
    }
  }
  lane = a;
}

/// The lane's last bytes, from the state after a refill, within its own stream. Whether that ends exactly.
bool finish(const Lane& lane, ByteSpan stream, const DecodeTables& tables) {
  const std::byte* const end = stream.data() + stream.size();
  if (lane.at > end) return false;
  BitReader reader(ByteSpan(lane.at, end));
  reader.skip(static_cast<unsigned>(std::countl_zero(lane.bits)));
  for (std::byte* out = lane.out; out != lane.out_end; ++out) {
    const std::uint32_t symbol = tables.multi.data()[reader.peek() & (kTableSize - 1)] & 0xff;
    *out = static_cast<std::byte>(symbol);
    reader.skip(tables.lengths.data()[symbol]);
  }
  return reader.ended_exactly();
}

std::string_view decode_streams(const DecodeTables& tables, const std::array<ByteSpan, kStreams>& streams, MutableByteSpan out) {
  const std::byte* const end = streams.back().data() + streams.back().size();
  const std::size_t part = (out.size() + kStreams - 1) / kStreams;
  std::array<Lane, kStreams> lanes{};
  bool all_long = true;
  for (std::size_t s = 0; s < kStreams; ++s) {
    lanes[s] = {streams[s].data(), Lane::kMark, out.data() + std::min(s * part, out.size()), out.data() + std::min((s + 1) * part, out.size())};
    if (end - lanes[s].at >= 16) {
      lanes[s].start();
    } else {
      all_long = false;
    }
  }
  if (all_long) run_four(lanes, end, tables.multi.data());
  for (std::size_t s = 0; s < kStreams; ++s) {
    if (end - lanes[s].at >= 16) run_one(lanes[s], end, tables.multi.data());
    if (!finish(lanes[s], streams[s], tables)) return "a stream of the byte code ends early, late or with padding";
  }
  return {};
}

}  // namespace

std::string_view decode_bytes(ByteSpan coded, MutableByteSpan out) {
  if (coded.size() < 2) return "the byte code ends inside its table";
  const unsigned first = std::to_integer<unsigned>(coded[0]);
  const unsigned last = std::to_integer<unsigned>(coded[1]);
  if (first == last) {
    if (coded.size() != 2) return "a byte code of one value has streams";
    std::fill(out.begin(), out.end(), coded[0]);
    return {};
  }
  if (first > last) return "the byte code's table names no values";
  const std::size_t width = out.size() <= kSmall ? 2 : 4;
  const std::size_t table_bytes = (last - first + 2) / 2;
  if (coded.size() < 2 + table_bytes + (kStreams - 1) * width) return "the byte code ends inside its table";
  DecodeTables tables;
  for (unsigned symbol = first; symbol <= last; ++symbol) {
    const unsigned pair = std::to_integer<unsigned>(coded[2 + (symbol - first) / 2]);
    tables.lengths[symbol] = (symbol - first) % 2 == 0 ? pair & 15 : pair >> 4;
  }
  const bool padded = (last - first) % 2 == 0 && std::to_integer<unsigned>(coded[1 + table_bytes]) >> 4 != 0;
  if (padded || tables.lengths[first] == 0 || tables.lengths[last] == 0 || !is_complete_code(tables.lengths, kMaxBits)) {
    return "the byte code's table is not a complete prefix code";
  }
  fill_tables(tables);

  ByteSpan rest = coded.subspan(2 + table_bytes + (kStreams - 1) * width);
  std::array<ByteSpan, kStreams> streams;
  for (std::size_t s = 0; s + 1 < kStreams; ++s) {
    const std::byte* field = coded.data() + 2 + table_bytes + s * width;
    const std::size_t size = width == 2 ? load_le<std::uint16_t>(field) : load_le<std::uint32_t>(field);
    if (size > rest.size()) return "a stream of the byte code ends beyond it";
    streams[s] = rest.first(size);
    rest = rest.subspan(size);
  }
  streams.back() = rest;
  return decode_streams(tables, streams, out);
}

}  // namespace dstore
