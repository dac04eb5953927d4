// Huffman tokens by the old value's exponent, each followed by its raw extra bits.
#include <algorithm>

#include "delta/bits.h"
#include "delta/kernels.h"
#include "delta/value_coders.h"

namespace dstore {

using namespace segment_layout;

namespace {

constexpr std::size_t kSizeField = 4;

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

bool with_model(const UnitType&, Profile profile) { return profile == Profile::compact; }
bool no_parameter(const UnitType&, std::uint8_t parameter) { return parameter == 0; }

bool encode(const BlockValues& values, const ModelEncoder* model, std::uint64_t limit, std::uint8_t&, Bytes& out) {
  const std::size_t count = values.count();
  const std::size_t unit = values.unit.bytes;
  thread_local Bytes shifted;  // room that stays from block to block
  const ByteSpan old_values = model->drift() ? model->drift()->predict(values.old_values, shifted) : values.old_values;
  const unsigned streams = stream_count(count);
  const std::size_t most = kSizeField * (streams - 1) + (count * (kMaxCodeBits + 8 * unit) + 7) / 8 + 16 * streams;
  out.resize(std::max(out.size(), most));
  std::byte* to = out.data() + kSizeField * (streams - 1);
  for (unsigned s = 0; s < streams; ++s) {
    const Share units = share(count, s, streams);
    std::byte* const begin = to;
    to = kernels().encode(values.unit, model->codes(), old_values.data() + units.begin * unit,
                          values.new_values.data() + units.begin * unit, units.end - units.begin, to);
    if (s + 1 < streams) store_le(&out[kSizeField * s], static_cast<std::uint32_t>(to - begin));
  }
  const auto size = static_cast<std::size_t>(to - out.data());
  if (size >= limit) return false;
  out.resize(size);
  return true;
}

std::optional<std::uint64_t> decode(ByteSpan payload, std::uint8_t, const UnitType& unit, const ModelDecoder* model, ByteSpan old_values,
                                    MutableByteSpan new_values, const BlockPlace& place) {
  const std::size_t count = old_values.size() / unit.bytes;
  const unsigned streams = stream_count(count);
  if (payload.size() < kSizeField * (streams - 1)) place.fail("the values are cut off");
  ByteSpan rest = payload.subspan(kSizeField * (streams - 1));
  std::array<StreamPart, 4> parts;
  for (unsigned s = 0; s < streams; ++s) {
    const std::size_t size = s + 1 < streams ? load_le<std::uint32_t>(&payload[kSizeField * s]) : rest.size();
    if (size > rest.size()) place.fail("the values are cut off");
    const Share units = share(count, s, streams);
    parts[s] = {rest.first(size), units.begin, units.end};
    rest = rest.subspan(size);
  }
  thread_local Bytes shifted;  // room that stays from block to block
  const ByteSpan from = model->drift() ? model->drift()->predict(old_values, shifted) : old_values;
  if (!kernels().decode(unit, model->tables(), std::span(parts).first(streams), from.data(), new_values.data())) {
    place.fail("the values do not fill their stream");
  }
  const std::uint64_t moved = kernels().apply(unit, from.data(), new_values.data(), count);
  if (model->drift()) return std::nullopt;  // a residual of 0 is no unchanged value
  return moved;
}

}  // namespace

constinit const ValueCoder kContextCoder = {3, "context", true, with_model, no_parameter, nullptr, encode, decode};

}  // namespace dstore
