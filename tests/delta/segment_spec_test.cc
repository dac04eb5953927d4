#include <cstdio>
#include <string>

#include "base/bytes.h"
#include "catch.h"
#include "delta/bits.h"
#include "delta/segment.h"
#include "dstore/id.h"
#include "tensor_pairs.h"

using namespace dstore;
using namespace dstore::testing;

namespace {

/// "44 53 45 47 ..." with any white space between.
Bytes from_hex(std::string_view text) {
  Bytes out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == ' ') {
      ++i;
      continue;
    }
    out.push_back(static_cast<std::byte>(std::stoul(std::string(text.substr(i, 2)), nullptr, 16)));
    i += 2;
  }
  return out;
}

std::string to_hex(ByteSpan bytes) {
  std::string out;
  for (std::byte b : bytes) {
    char digits[4];
    std::snprintf(digits, sizeof digits, "%02x ", std::to_integer<unsigned>(b));
    out += digits;
  }
  return out;
}

TensorPair bf16_pair(std::initializer_list<std::uint16_t> base, std::initializer_list<std::uint16_t> task) {
  Writer a;
  Writer b;
  for (std::uint16_t value : base) a.u16(value);
  for (std::uint16_t value : task) b.u16(value);
  return {DType::bf16, a.take(), b.take()};
}

/// Integers only, so that every machine makes the same bytes.
TensorPair golden_pair(DType dtype, std::uint64_t units, unsigned step) {
  const unsigned size = unit_type(dtype).bytes;
  TensorPair pair{dtype, Bytes(units * size), {}};
  for (std::uint64_t i = 0; i < units; ++i) {
    const std::uint64_t value = 0x3b00 + (i * 2654435761u >> 7) % 1024;
    for (unsigned b = 0; b < size; ++b) {
      pair.base[i * size + size - 1 - b] = static_cast<std::byte>(b < 2 ? value >> (8 - 8 * b) : i * 31 + b);
    }
  }
  pair.task = pair.base;
  for (std::uint64_t i = 0; i < units; i += 1 + i * 7 % step) pair.task[i * size] ^= static_cast<std::byte>(1 + i * i % 5);
  return pair;
}

}  // namespace

TEST_CASE("The worked example of spec/segment.md is what the writer makes and the reader reads") {
  const Bytes example = from_hex(
      "44 53 45 47 02 00 02 00 02 00 00 00 "
      "36 00 00 00 0b 12 00 00 00 00 00 00 00 00 00 00 06 00 00 00 02 00 00 00 "
      "1a 00 00 00 "
      "03 00 02 02 02 00 00 00 14 dc 2a 03 4e 34 9a 01 a6 5d d4 d5 31 8a d6 c1 12 06 "
      "4d 00 00 00 0b 12 01 00 00 00 00 00 00 00 00 00 40 00 00 00 40 00 00 00 "
      "7f 00 01 00 00 00 02 0f 01 00 00 00 00 00 00 01 "
      "21 00 00 00 "
      "01 00 03 00 40 00 00 00 d6 0c 06 1c 16 d4 96 64 b2 ef 79 dd 97 ff 55 ef 28 00 00 00 00 00 00 00 00 "
      "a8 9e 5f a5 5a 38 1d 86");
  const TensorPair first = bf16_pair({0x3f80, 0x4000, 0x4040, 0xbf80, 0x0000, 0x3e80}, {0x3f80, 0x4001, 0x4040, 0xbf80, 0x8000, 0x3e80});
  TensorPair second{DType::bf16, Bytes(128), Bytes(128)};
  for (std::size_t i = 0; i < 64; ++i) {
    store_le<std::uint16_t>(&second.base[2 * i], 0x3f80);
    store_le<std::uint16_t>(&second.task[2 * i], i == 3 ? 0x3f89 : 0x3f81);
  }
  SegmentWriter writer;
  writer.add(encode_piece(first.dtype, 0, first.base, first.task));
  writer.add(encode_piece(second.dtype, 0, second.base, second.task));
  CHECK(to_hex(writer.finish()) == to_hex(example));

  const SegmentReader reader(example, "example");
  REQUIRE(reader.pieces().size() == 2);
  Bytes target = first.base;
  reader.apply(0, 0, target);
  CHECK(target == first.task);
  target = second.base;
  reader.apply(1, 0, target);
  CHECK(target == second.task);
}

TEST_CASE("Golden segments keep their bytes") {
  struct Golden {
    DType dtype;
    std::uint64_t units;
    unsigned step;
    const char* id;
  };
  const Golden table[] = {
      {DType::u8, 70000, 3, "1c8b0a26474fbae9d2bd1d1290783957d9a12dd8900a16c38efb21ecd60531de"},
      {DType::bf16, 300000, 1, "3903dc2e48e3b828ed52f28c4c7a9c5160c02b73b1d1f4bb4c3da77415dbbc1d"},
      {DType::f16, 300000, 900, "5848d023262bdb3a9b587b0ba6513778b3b05731d6c66ad7ad3c013499907b38"},
      {DType::f32, 300000, 40, "4966d479367094b234a60a9afb5e0d77ae7903a5a7c0bc0f451156a9e13f5417"},
      {DType::f64, 20000, 2, "11ecd440c0a1815c1129e984d6bcde3cd3e0d8efe34eb887e3100bc70cc496f7"},
  };
  for (const Golden& row : table) {
    const TensorPair pair = golden_pair(row.dtype, row.units, row.step);
    const Bytes segment = encode_pair(pair);
    INFO("dtype " << static_cast<int>(row.dtype));
    CHECK(object_id(ObjectKind::segment, segment).hex() == row.id);
    CHECK(apply_pair(pair, segment) == pair.task);
  }
}
