#include "delta/byte_huffman.h"

#include "delta/bits.h"
#include "delta/package_merge.h"

namespace dstore {

using namespace byte_code;

namespace {

using ByteCounts = std::array<std::uint32_t, 256>;

std::size_t quarter(std::size_t size) { return (size + kStreams - 1) / kStreams; }

ByteSpan stream_part(ByteSpan bytes, std::size_t stream) {
  const std::size_t from = std::min(stream * quarter(bytes.size()), bytes.size());
  return bytes.subspan(from, std::min(quarter(bytes.size()), bytes.size() - from));
}

void count_bytes(ByteSpan bytes, ByteCounts& counts) {
  for (std::byte each : bytes) ++counts.data()[std::to_integer<unsigned>(each)];
}

/// One table a stream, which also keeps neighbouring increments apart in memory.
std::array<ByteCounts, kStreams> count_streams(ByteSpan bytes) {
  std::array<ByteCounts, kStreams> counts{};
  const std::size_t common = stream_part(bytes, kStreams - 1).size();
  const std::byte* part[kStreams];
  std::uint32_t* to[kStreams];
  for (std::size_t s = 0; s < kStreams; ++s) part[s] = stream_part(bytes, s).data(), to[s] = counts[s].data();
  for (std::size_t i = 0; i < common; ++i) {
    ++to[0][std::to_integer<unsigned>(part[0][i])];
    ++to[1][std::to_integer<unsigned>(part[1][i])];
    ++to[2][std::to_integer<unsigned>(part[2][i])];
    ++to[3][std::to_integer<unsigned>(part[3][i])];
  }
  for (std::size_t s = 0; s + 1 < kStreams; ++s) count_bytes(stream_part(bytes, s).subspan(common), counts[s]);
  return counts;
}

/// code | length << 16 for each byte.
using CodeTable = std::array<std::uint32_t, 256>;

/// Writes the codes of `bytes` at `to`, up to 7 bytes beyond their end.
void encode_stream(ByteSpan bytes, const CodeTable& table, std::byte* to) {
  constexpr std::size_t kStep = 4;  // 44 bits at most, beside 7 left over
  const std::uint32_t* codes = table.data();
  const std::byte* at = bytes.data();
  const std::byte* const end = at + bytes.size();
  std::uint64_t hold = 0;
  unsigned filled = 0;
  for (; static_cast<std::size_t>(end - at) >= kStep; at += kStep) {
    const std::uint32_t a = codes[std::to_integer<unsigned>(at[0])];
    const std::uint32_t b = codes[std::to_integer<unsigned>(at[1])];
    const std::uint32_t c = codes[std::to_integer<unsigned>(at[2])];
    const std::uint32_t d = codes[std::to_integer<unsigned>(at[3])];
    const std::uint64_t low = (a & 0xffff) | (b & 0xffff) << (a >> 16);
    const std::uint64_t high = (c & 0xffff) | (d & 0xffff) << (c >> 16);
    const unsigned low_bits = (a >> 16) + (b >> 16);
    hold |= (low | high << low_bits) << filled;
    filled += low_bits + (c >> 16) + (d >> 16);
    store_le(to, hold);
    to += filled >> 3;
    hold >>= filled & ~7u;
    filled &= 7;
  }
  for (; at != end; ++at) {
    const std::uint32_t code = codes[std::to_integer<unsigned>(*at)];
    hold |= std::uint64_t{code & 0xffff} << filled;
    filled += code >> 16;
  }
  store_le(to, hold);
}

}  // namespace

ByteEncoder::ByteEncoder(ByteSpan bytes) : bytes_(bytes) {
  const std::array<ByteCounts, kStreams> streams = count_streams(bytes);
  std::array<std::uint64_t, 256> counts{};
  for (const ByteCounts& stream : streams) {
    for (unsigned symbol = 0; symbol < 256; ++symbol) counts[symbol] += stream[symbol];
  }
  for (first_ = 0; first_ < 255 && counts[first_] == 0;) ++first_;
  for (last_ = 255; last_ > first_ && counts[last_] == 0;) --last_;
  if (!has_streams()) return;
  package_merge(counts, kMaxBits, lengths_);
  for (std::size_t s = 0; s < kStreams; ++s) {
    std::uint64_t bits = 0;
    for (unsigned symbol = 0; symbol < 256; ++symbol) bits += std::uint64_t{streams[s][symbol]} * lengths_[symbol];
    stream_bytes_[s] = (bits + 7) / 8;
  }
}

std::size_t ByteEncoder::table_bytes() const { return 2 + (has_streams() ? (last_ - first_ + 2) / 2 : 0); }

std::uint64_t ByteEncoder::size() const {
  if (!has_streams()) return table_bytes();
  std::uint64_t size = table_bytes() + (kStreams - 1) * (bytes_.size() <= kSmall ? 2 : 4);
  for (std::uint64_t stream : stream_bytes_) size += stream;
  return size;
}

void ByteEncoder::append_to(Bytes& out) const {
  Writer head;
  head.u8(static_cast<std::uint8_t>(first_));
  head.u8(static_cast<std::uint8_t>(last_));
  for (unsigned symbol = first_; has_streams() && symbol <= last_; symbol += 2) {
    const unsigned high = symbol < last_ ? lengths_[symbol + 1] : 0u;
    head.u8(static_cast<std::uint8_t>(lengths_[symbol] | high << 4));
  }
  for (std::size_t s = 0; has_streams() && s + 1 < kStreams; ++s) {
    if (bytes_.size() <= kSmall) {
      head.u16(static_cast<std::uint16_t>(stream_bytes_[s]));
    } else {
      head.u32(static_cast<std::uint32_t>(stream_bytes_[s]));
    }
  }
  out.insert(out.end(), head.data().begin(), head.data().end());
  if (!has_streams()) return;

  std::array<std::uint16_t, 256> codes{};
  canonical_codes(lengths_, kMaxBits, codes);
  CodeTable table{};
  for (unsigned symbol = 0; symbol < 256; ++symbol) table[symbol] = codes[symbol] | std::uint32_t{lengths_[symbol]} << 16;
  std::size_t at = out.size();
  const std::size_t end = at - head.size() + size();
  out.resize(end + 8);  // a stream is stored in words, the next one overwrites what is too much
  for (std::size_t s = 0; s < kStreams; at += stream_bytes_[s++]) encode_stream(stream_part(bytes_, s), table, out.data() + at);
  out.resize(end);
}

}  // namespace dstore
