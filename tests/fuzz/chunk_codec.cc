// The first byte: 0, the next is a dtype and the rest a chunk; else the next three are a size and the rest is decoded into it.
#include "delta/chunk_codec.h"

#include "fuzz.h"
#include "tensor/dtype.h"

namespace dstore::fuzz {
namespace {

void round_trip(DType dtype, ByteSpan raw) {
  const Bytes stored = encode_chunk(chunk_layout(dtype), raw);
  if (stored.empty()) return;
  require(stored.size() < raw.size(), "what is stored is smaller");
  Bytes back(raw.size());
  decode_chunk(stored, back, "own chunk");
  require(same(back, raw), "a chunk gives its bytes back");
}

}  // namespace

void test_input(ByteSpan bytes) {
  Input input(bytes);
  if (input.u8() == 0) {
    const auto dtype = dtype_from_code(static_cast<std::uint8_t>(1 + input.u8() % dtype_table().size()));
    return round_trip(*dtype, input.rest());
  }
  Bytes raw(input.size(1 << 17));
  accepted({ErrorCode::corrupt}, [&] { decode_chunk(input.rest(), raw, "input"); });
}

}  // namespace dstore::fuzz
