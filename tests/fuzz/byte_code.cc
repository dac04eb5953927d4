// The first byte: 0, the rest is coded and decoded; else the next two are a size and the rest is decoded into it.
#include "delta/byte_huffman.h"

#include "fuzz.h"

namespace dstore::fuzz {
namespace {

void round_trip(ByteSpan raw) {
  if (raw.empty()) return;
  const ByteEncoder encoder(raw);
  Bytes coded, back(raw.size());
  encoder.append_to(coded);
  require(coded.size() == encoder.size(), "the size is known beforehand");
  require(decode_bytes(coded, back).empty() && same(back, raw), "what is coded is decoded");
  Bytes longer = coded;
  longer.push_back(std::byte{0});
  require(!decode_bytes(longer, back).empty(), "a byte too many is refused");
  require(!decode_bytes(ByteSpan(coded).first(coded.size() - 1), back).empty(), "a byte too few is refused");
}

}  // namespace

void test_input(ByteSpan bytes) {
  Input input(bytes);
  if (input.u8() == 0) return round_trip(input.rest());
  Bytes out(input.number(2) + 1);
  if (decode_bytes(input.rest(), out).empty()) round_trip(out);
}

}  // namespace dstore::fuzz
