#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>

#include "delta/bits.h"
#include "delta/layout.h"
#include "delta/segment.h"
#include "seeds.h"
#include "tensor_pairs.h"

namespace dstore::fuzz {

using namespace dstore::testing;

void Folder::add(std::string_view target, std::string_view what, ByteSpan content) {
  const std::filesystem::path folder = std::filesystem::path(path_) / target;
  std::filesystem::create_directories(folder);
  std::string name(what.empty() ? "seed" : what);
  std::replace(name.begin(), name.end(), ' ', '-');
  std::filesystem::path path = folder / name;
  for (int number = 2; std::filesystem::exists(path); ++number) path = folder / (name + std::to_string(number));
  std::ofstream(path, std::ios::binary) << as_text(content);
}

TensorBytes bf16_weights(std::size_t units) {
  TensorPair pair = make_pair(DType::bf16, units, 0.3, Change::ulps, 1);
  return {std::move(pair.base), std::move(pair.task)};
}

namespace {

void put_u24(Writer& out, std::size_t value) {
  out.u16(static_cast<std::uint16_t>(value));
  out.u8(static_cast<std::uint8_t>(value >> 16));
}

/// A seed for every way from the pair's bytes: the segment, its first block, and the pair itself.
void add_pair(Folder& folder, std::string_view name, const TensorPair& pair, Profile profile = Profile::compact) {
  const Bytes segment = encode_pair(pair, profile);
  const auto code = static_cast<std::uint8_t>(static_cast<unsigned>(pair.dtype) - 1);
  const auto base_size = static_cast<std::uint16_t>(pair.base.size());
  const std::size_t units = unit_count(pair.dtype, pair.base.size());
  Writer whole, block, both;
  whole.u8(1);
  put_u24(whole, pair.base.size());
  whole.u16(base_size);
  whole.bytes(pair.base);
  whole.bytes(segment);
  folder.add("segment", name, whole.data());

  Reader reader(segment, "own segment");
  reader.bytes(segment_layout::kHeaderBytes);
  const std::size_t end = reader.offset() + load_le<std::uint32_t>(&segment[reader.offset()]);
  const unsigned tables = std::to_integer<unsigned>(segment[reader.offset() + segment_layout::kTableCountOffset]);
  const std::size_t model = reader.offset() + segment_layout::kPieceHeaderBytes;
  std::size_t model_end = model + (tables == 0 ? 0 : 6);
  for (unsigned t = 0; t < tables; ++t) model_end += 2 + (std::to_integer<std::size_t>(segment[model_end + 1]) + 1) / 2;
  block.u8(code);
  block.u8(static_cast<std::uint8_t>(tables));
  put_u24(block, units - 1);
  block.u16(base_size);
  block.bytes(pair.base);
  block.bytes(ByteSpan(segment).subspan(model, model_end - model));
  block.bytes(ByteSpan(segment).subspan(model_end + 4, end - model_end - 4));
  folder.add("segment_block", name, block.data());

  both.u8(code);
  both.u8(profile == Profile::fast ? 3 : 1);
  put_u24(both, units - 1);
  both.u16(base_size);
  both.bytes(pair.base);
  both.bytes(pair.task);
  folder.add("segment_round_trip", name, both.data());
}

TensorPair in_groups() {
  TensorPair pair = make_pair(DType::f16, 3000, 0, Change::ulps, 8);
  for (std::size_t i = 1000; i < 1200; i += 11) pair.task[2 * i] ^= std::byte{5};
  return pair;
}

TensorPair constants() {
  TensorPair pair = make_pair(DType::f32, 100, 0, Change::fine_tune, 9);
  for (std::size_t i = 0; i < 100; i += 3) std::fill_n(&pair.task[4 * i], 4, std::byte{0});
  return pair;
}

TensorPair addends(DType dtype, unsigned unit) {
  TensorPair pair = make_pair(dtype, 120, 0, Change::fine_tune, 10);
  for (std::size_t i = 0; i < 120; ++i) {
    std::byte* at = &pair.task[unit * i];
    if (unit == 8) store_le(at, std::bit_cast<std::uint64_t>(std::bit_cast<double>(load_le<std::uint64_t>(at)) + 0.25 * static_cast<double>(i % 7)));
    else store_le(at, std::bit_cast<std::uint32_t>(std::bit_cast<float>(load_le<std::uint32_t>(at)) + 0.25f * static_cast<float>(i % 7)));
  }
  return pair;
}

void add_kernels(Folder& folder) {
  Writer cells, planes, rice;
  const TensorPair pair = make_pair(DType::bf16, 200, 0.5, Change::ulps, 11);
  cells.u8(0);
  cells.u8(10);
  cells.bytes(pair.base);
  cells.bytes(pair.task);
  folder.add("kernels", "cells", cells.data());
  const Bytes segment = encode_pair(make_pair(DType::bf16, 600, 1.0, Change::ulps, 12));
  Writer decode;  // the segment's model, then its block as the streams
  decode.u8(1);
  decode.u8(10);
  decode.u8(static_cast<std::uint8_t>(std::to_integer<unsigned>(segment[18]) - 1));
  decode.u8(0);
  decode.u16(99);
  decode.bytes(ByteSpan(segment).subspan(36));
  folder.add("kernels", "decode", decode.data());
  rice.u8(2);
  rice.u8(3);
  rice.u16(39);
  put_u24(rice, 4000);
  for (unsigned i = 0; i < 64; ++i) rice.u8(static_cast<std::uint8_t>(i * 37));
  for (unsigned i = 0; i < 30; ++i) rice.u8(0x5a);
  folder.add("kernels", "rice", rice.data());
  planes.u8(3);
  planes.u8(2);
  planes.bytes(pair.base);
  folder.add("kernels", "planes", planes.data());
}

}  // namespace

void write_segments(Folder& folder) {
  add_pair(folder, "rice packed", make_pair(DType::f32, 200, 0.02, Change::fine_tune, 1));
  add_pair(folder, "context", make_pair(DType::bf16, 600, 0.4, Change::fine_tune, 2));
  add_pair(folder, "four streams", make_pair(DType::u8, 4200, 1.0, Change::ulps, 5));
  add_pair(folder, "raw", make_pair(DType::f16, 60, 1.0, Change::random_bits, 3));
  add_pair(folder, "special", make_pair(DType::f64, 20, 0.5, Change::special, 4));
  add_pair(folder, "coded bitmap", make_pair(DType::bf16, 2000, 0.12, Change::ulps, 7));
  add_pair(folder, "groups", in_groups());
  add_pair(folder, "constant", constants());
  add_pair(folder, "addend f64", addends(DType::f64, 8));
  add_pair(folder, "addend f32", addends(DType::f32, 4));
  add_pair(folder, "planes", make_pair(DType::i64, 200, 1.0, Change::ulps, 13));
  add_pair(folder, "fast", make_pair(DType::bf16, 600, 0.02, Change::ulps, 14), Profile::fast);
  add_pair(folder, "fast dense", make_pair(DType::f32, 200, 0.9, Change::ulps, 15), Profile::fast);
  add_pair(folder, "drift", make_pair(DType::f32, 1500, 1.0, Change::decay, 18));
  add_pair(folder, "drift bf16", make_pair(DType::bf16, 2000, 1.0, Change::decay, 19));
  add_kernels(folder);
}

}  // namespace dstore::fuzz
