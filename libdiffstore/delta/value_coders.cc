#include <algorithm>
#include <array>
#include <bit>

#include "delta/bits.h"
#include "delta/encodings.h"
#include "delta/residual.h"

namespace dstore {

using namespace segment_layout;

namespace {

// Raw: the new values' bytes.

std::uint64_t measure_raw(const ValuePair& values, const ModelEncoder*, BlockHeader&) { return values.new_values.size(); }

void encode_raw(const ValuePair& values, const ModelEncoder*, const BlockHeader&, Bytes& out) {
  out.insert(out.end(), values.new_values.begin(), values.new_values.end());
}

void decode_raw(ByteSpan payload, const BlockHeader&, const UnitType&, const ModelDecoder*, ByteSpan, MutableByteSpan new_values,
                const BlockPlace& place) {
  if (payload.size() != new_values.size()) place.fail("the values do not have the size that the positions imply");
  std::copy(payload.begin(), payload.end(), new_values.begin());
}

// Packed: residuals of one width, the bit length of the largest.

/// Calls body(old value, residual) for the units [begin, end) of the pair.
template <class U, class Body>
void for_each_residual(const ValuePair& values, const ResidualMap<U>& map, std::size_t begin, std::size_t end, Body body) {
  const std::byte* const old_values = values.old_values.data();
  const std::byte* const new_values = values.new_values.data();
  for (std::size_t at = begin * sizeof(U); at < end * sizeof(U); at += sizeof(U)) {
    const U old_value = load_le<U>(old_values + at);
    body(old_value, map.residual(old_value, load_le<U>(new_values + at)));
  }
}

std::uint64_t measure_packed(const ValuePair& values, const ModelEncoder*, BlockHeader& header) {
  const std::size_t count = values.old_values.size() / values.unit.bytes;
  with_unit(values.unit.bytes, [&]<class U>(U) {
    U all = 0;
    for_each_residual(values, ResidualMap<U>(values.unit), 0, count, [&](U, U residual) { all = static_cast<U>(all | residual); });
    header.width = static_cast<std::uint8_t>(std::bit_width(all));
  });
  return (std::uint64_t{count} * header.width + 7) / 8;
}

void encode_packed(const ValuePair& values, const ModelEncoder*, const BlockHeader& header, Bytes& out) {
  BitWriter bits(out);
  with_unit(values.unit.bytes, [&]<class U>(U) {
    const std::size_t count = values.old_values.size() / sizeof(U);
    for_each_residual(values, ResidualMap<U>(values.unit), 0, count, [&](U, U residual) { bits.put(residual, header.width); });
  });
  bits.finish();
}

void decode_packed(ByteSpan payload, const BlockHeader& header, const UnitType& unit, const ModelDecoder*, ByteSpan old_values,
                   MutableByteSpan new_values, const BlockPlace& place) {
  const std::uint64_t count = old_values.size() / unit.bytes;
  if (header.width > 8 * unit.bytes || payload.size() != (count * header.width + 7) / 8) {
    place.fail("the values do not have the size that the positions imply");
  }
  BitReader bits(payload);
  with_unit(unit.bytes, [&]<class U>(U) {
    const ResidualMap<U> map(unit);
    for (std::size_t at = 0; at < old_values.size(); at += sizeof(U)) {
      store_le(new_values.data() + at, map.apply(load_le<U>(old_values.data() + at), static_cast<U>(bits.get(header.width))));
    }
  });
  if (!bits.ended_exactly()) place.fail("padding bits of the values are not zero");
}

// Context: Huffman tokens by the old value's exponent, each followed by its raw extra bits.

/// The units of stream `stream` of `streams`: equal shares in order, the last one short.
struct Share {
  std::size_t begin;
  std::size_t end;
};
Share share(std::size_t count, unsigned stream, unsigned streams) {
  const std::size_t each = (count + streams - 1) / streams;
  return {std::min(count, stream * each), std::min(count, (stream + 1) * each)};
}
unsigned stream_count(std::size_t count) { return count < kFourStreams ? 1 : 4; }

template <class U>
std::uint64_t measure_stream(const ValuePair& values, Share units, const ModelEncoder& model) {
  const ResidualMap<U> map(values.unit);
  std::uint64_t bits = 0;
  for_each_residual(values, map, units.begin, units.end, [&](U old_value, U residual) {
    const unsigned token = token_of(residual);
    bits += model.table(map.exponent(old_value)).lengths[token] + extra_bits(token);
  });
  return (bits + 7) / 8;
}

std::uint64_t measure_context(const ValuePair& values, const ModelEncoder* model, BlockHeader&) {
  return with_unit(values.unit.bytes, [&]<class U>(U) {
    const std::size_t count = values.old_values.size() / sizeof(U);
    const unsigned streams = stream_count(count);
    std::uint64_t bytes = 4 * (streams - 1);
    for (unsigned s = 0; s < streams; ++s) bytes += measure_stream<U>(values, share(count, s, streams), *model);
    return bytes;
  });
}

template <class U>
void encode_stream(const ValuePair& values, Share units, const ModelEncoder& model, Bytes& out) {
  const ResidualMap<U> map(values.unit);
  BitWriter bits(out);
  for_each_residual(values, map, units.begin, units.end, [&](U old_value, U residual) {
    const EncodeTable& table = model.table(map.exponent(old_value));
    const unsigned token = token_of(residual);
    const unsigned extra = extra_bits(token);
    const std::uint64_t low = std::uint64_t{residual} & ((std::uint64_t{1} << extra) - 1);
    const unsigned length = table.lengths[token];
    if constexpr (sizeof(U) <= 2) {
      bits.put(table.codes[token] | low << length, length + extra);
    } else {
      bits.put(table.codes[token], length);
      bits.put(low, extra);
    }
  });
  bits.finish();
}

void encode_context(const ValuePair& values, const ModelEncoder* model, const BlockHeader&, Bytes& out) {
  with_unit(values.unit.bytes, [&]<class U>(U) {
    const std::size_t count = values.old_values.size() / sizeof(U);
    const unsigned streams = stream_count(count);
    const std::size_t sizes_at = out.size();
    out.resize(out.size() + 4 * (streams - 1));
    for (unsigned s = 0; s < streams; ++s) {
      const std::size_t begin = out.size();
      encode_stream<U>(values, share(count, s, streams), *model, out);
      if (s + 1 < streams) store_le(&out[sizes_at + 4 * s], static_cast<std::uint32_t>(out.size() - begin));
    }
  });
}

/// Decodes one stream after another, or four side by side: their cursors do not depend on each other.
template <class U>
class StreamDecoder {
 public:
  StreamDecoder(const UnitType& unit, const ModelDecoder& model, ByteSpan old_values, MutableByteSpan new_values)
      : map_(unit), model_(model), old_values_(old_values.data()), new_values_(new_values.data()) {}

  struct Cursor {
    BitReader bits;
    std::size_t at;   ///< byte offset of the next unit
    std::size_t end;
    bool too_wide = false;
  };

  void decode(std::span<Cursor> cursors) const {
    if (cursors.size() == 4) {
      for (std::size_t units = (cursors[3].end - cursors[3].at) / sizeof(U); units > 0; --units) {
        step(cursors[0]);
        step(cursors[1]);
        step(cursors[2]);
        step(cursors[3]);
      }
    }
    for (Cursor& cursor : cursors) {
      while (cursor.at < cursor.end) step(cursor);
    }
  }

 private:
  void step(Cursor& cursor) const {
    const U old_value = load_le<U>(old_values_ + cursor.at);
    const std::uint64_t window = cursor.bits.peek();
    const unsigned entry = model_.table(map_.exponent(old_value)).data()[window & ((1u << kMaxCodeBits) - 1)];
    const unsigned token = entry & 0xff;
    const unsigned length = entry >> 8;
    const unsigned extra = extra_bits(token);
    std::uint64_t low = window >> length & ((std::uint64_t{1} << extra) - 1);
    if (sizeof(U) == 8 && length + extra > 57) {
      BitReader wide = cursor.bits;
      wide.skip(length);
      low = wide.get(extra);
    }
    cursor.bits.skip(length + extra);
    cursor.too_wide |= extra >= 8 * sizeof(U);
    store_le(new_values_ + cursor.at, map_.apply(old_value, static_cast<U>(residual_of(token, extra, low))));
    cursor.at += sizeof(U);
  }

  ResidualMap<U> map_;
  const ModelDecoder& model_;
  const std::byte* old_values_;
  std::byte* new_values_;
};

void decode_context(ByteSpan payload, const BlockHeader&, const UnitType& unit, const ModelDecoder* model, ByteSpan old_values,
                    MutableByteSpan new_values, const BlockPlace& place) {
  const std::size_t count = old_values.size() / unit.bytes;
  const unsigned streams = stream_count(count);
  if (payload.size() < 4 * (streams - 1)) place.fail("the values are cut off");
  ByteSpan rest = payload.subspan(4 * (streams - 1));
  with_unit(unit.bytes, [&]<class U>(U) {
    std::vector<typename StreamDecoder<U>::Cursor> cursors;
    for (unsigned s = 0; s < streams; ++s) {
      const std::size_t size = s + 1 < streams ? load_le<std::uint32_t>(&payload[4 * s]) : rest.size();
      if (size > rest.size()) place.fail("the values are cut off");
      const Share units = share(count, s, streams);
      cursors.push_back({BitReader(rest.first(size)), units.begin * sizeof(U), units.end * sizeof(U)});
      rest = rest.subspan(size);
    }
    StreamDecoder<U>(unit, *model, old_values, new_values).decode(cursors);
    for (const auto& cursor : cursors) {
      if (cursor.too_wide) place.fail("a residual is wider than the element");
      if (!cursor.bits.ended_exactly()) place.fail("the values do not fill their stream");
    }
  });
}

constexpr ValueCoder kValueCoders[] = {
    {kCodeRaw, "raw", false, false, measure_raw, encode_raw, decode_raw},
    {kCodePacked, "packed", true, false, measure_packed, encode_packed, decode_packed},
    {kCodeContext, "context", false, true, measure_context, encode_context, decode_context},
};

}  // namespace

std::span<const ValueCoder> value_coders() { return kValueCoders; }

const ValueCoder* find_value_coder(std::uint8_t id) {
  for (const ValueCoder& row : kValueCoders) {
    if (row.id == id) return &row;
  }
  return nullptr;
}

}  // namespace dstore
