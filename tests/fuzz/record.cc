// Kind, codec and raw size of a record (1, 1 and 3 bytes), then its stored bytes.
#include "fuzz.h"
#include "odb/object_codec.h"

void dstore::fuzz::test_input(ByteSpan bytes) {
  Input input(bytes);
  const auto kind = kind_from_code(input.u8());
  const auto codec = codec_from_code(input.u8());
  const std::uint64_t raw_size = input.number(3) & 0xfffff;
  if (!kind || !codec || record_problem(*kind, *codec, raw_size, input.rest().size())) return;
  Bytes raw(raw_size);
  accepted({ErrorCode::corrupt}, [&] { decode_object(*codec, input.rest(), raw, "input"); });

  const EncodedObject encoded = encode_object(*kind, input.rest());
  if (encoded.codec == Codec::none) return;
  Bytes back(input.rest().size());
  require(!record_problem(*kind, encoded.codec, back.size(), encoded.bytes.size()), "a record that is written can be read");
  decode_object(encoded.codec, encoded.bytes, back, "own record");
  require(same(back, input.rest()), "a record gives its bytes back");
}
