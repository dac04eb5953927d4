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
      "44 53 45 47 02 00 01 00 02 00 00 00 "
      "36 00 00 00 0b 12 00 00 00 00 00 00 00 00 00 00 06 00 00 00 02 00 00 00 "
      "1a 00 00 00 "
      "03 00 02 02 02 00 00 00 14 dc 2a 03 4e 34 9a 01 a6 5d d4 d5 31 8a d6 c1 12 06 "
      "4d 00 00 00 0b 12 01 00 00 00 00 00 00 00 00 00 40 00 00 00 40 00 00 00 "
      "7f 00 01 00 00 00 02 0f 01 00 00 00 00 00 00 01 "
      "21 00 00 00 "
      "01 00 03 00 40 00 00 00 d6 0c 06 1c 16 d4 96 64 b2 ef 79 dd 97 ff 55 ef 28 00 00 00 00 00 00 00 00 "
      "c0 84 0f 99 20 33 12 7a");
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
      {DType::u8, 70000, 3, "6c71a646390bec72d35092260bcb847e6e32f42eb93336933a5d9bc3f19f07a6"},
      {DType::bf16, 300000, 1, "16a24cb69427d938cd332072a37222193056c694c1d3dd9d1b3dae035eb38a61"},
      {DType::f16, 300000, 900, "75fbbd40fcd317e834dc52206ba6716cb0e55de30acaf65b8cc25a0ee9a4defd"},
      {DType::f32, 300000, 40, "d4ffd3874715056a66a32001e5c61ccae98ea16dcbc7a63eef6d960ec50ab89c"},
      {DType::f64, 20000, 2, "f00e3a1dbacc59986e84f6d7eaacca905363487f77504f6009bb7388d9df4c4a"},
  };
  for (const Golden& row : table) {
    const TensorPair pair = golden_pair(row.dtype, row.units, row.step);
    const Bytes segment = encode_pair(pair);
    INFO("dtype " << static_cast<int>(row.dtype));
    CHECK(object_id(ObjectKind::segment, segment).hex() == row.id);
    CHECK(apply_pair(pair, segment) == pair.task);
  }
}
