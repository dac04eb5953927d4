// Writes the valid vectors that the library makes, and a line of JSON for each to the standard output: segments with their bases, and other
// formats (make_formats.h). Called by make.py.
//   make_valid FOLDER
#include <bit>
#include <cmath>
#include <fstream>
#include <iostream>

#include "base/json.h"
#include "base/sha256.h"
#include "delta/bits.h"
#include "delta/segment.h"
#include "delta/tensor_pairs.h"
#include "tensor/dtype.h"
#include "vectors/make_formats.h"

namespace {

using namespace dstore;
using namespace dstore::testing;

/// A piece of a tensor. Its base is `pattern` repeated: large tensors with small files.
struct Piece {
  TensorPair pair;
  Bytes pattern;
  std::uint64_t first = 0;
};

class Vectors {
 public:
  explicit Vectors(std::string folder) : folder_(std::move(folder)) {}

  void add(const std::string& name, const std::vector<Piece>& pieces, Profile profile = Profile::compact) {
    SegmentWriter writer;
    Json::Array rows;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const Piece& piece = pieces[i];
      writer.add(encode_piece(piece.pair.dtype, piece.first, piece.pair.base, piece.pair.task, profile));
      const std::string base = name + (pieces.size() > 1 ? std::to_string(i) : "") + ".base";
      write(base, piece.pattern);
      Json row;
      row.set("base", base);
      row.set("bytes", static_cast<std::int64_t>(piece.pair.base.size()));
      row.set("task_sha256", sha256(piece.pair.task).hex());
      rows.push_back(row);
    }
    write(name + ".segment", writer.finish());
    Json row;
    row.set("segment", name + ".segment");
    row.set("pieces", rows);
    std::cout << row.serialize() << "\n";
  }
  void add(const std::string& name, const TensorPair& pair, Profile profile = Profile::compact) { add(name, {{pair, pair.base, 0}}, profile); }

 private:
  void write(const std::string& name, ByteSpan bytes) { std::ofstream(folder_ + "/" + name, std::ios::binary) << as_text(bytes); }

  std::string folder_;
};

/// Bytes that repeat every 64, `units` of them; the task differs at `places`.
Piece repeating(DType dtype, std::uint64_t units, const std::vector<std::uint64_t>& places, std::uint64_t first = 0) {
  const unsigned unit = unit_type(dtype).bytes;
  const Bytes pattern = make_pair(dtype, 64 / unit, 0, Change::ulps, 21).base;
  Piece piece{{dtype, Bytes(units * unit), {}}, pattern, first};
  for (std::size_t i = 0; i < piece.pair.base.size(); ++i) piece.pair.base[i] = pattern[i % pattern.size()];
  piece.pair.task = piece.pair.base;
  for (const std::uint64_t at : places) piece.pair.task[at * unit] ^= static_cast<std::byte>(1 + at % 5);
  return piece;
}

std::vector<std::uint64_t> every(std::uint64_t begin, std::uint64_t end, std::uint64_t step) {
  std::vector<std::uint64_t> places;
  for (std::uint64_t at = begin; at < end; at += step) places.push_back(at);
  return places;
}

std::vector<std::uint64_t> clusters(std::uint64_t units, std::uint64_t period, std::uint64_t length) {
  std::vector<std::uint64_t> places;
  for (std::uint64_t at = 0; at + length < units; at += period) {
    for (std::uint64_t i = 0; i < length; ++i) places.push_back(at + i);
  }
  return places;
}

TensorPair constant() {
  TensorPair pair = make_pair(DType::f32, 60, 0, Change::fine_tune, 9);
  for (std::size_t i = 0; i < 60; i += 3) std::fill_n(&pair.task[4 * i], 4, std::byte{0});
  return pair;
}

/// Only the top byte of each integer differs.
TensorPair top_bytes() {
  TensorPair pair = make_pair(DType::i32, 200, 0, Change::random_bits, 14);
  for (std::size_t i = 0; i < 200; ++i) pair.task[4 * i + 3] ^= static_cast<std::byte>(1 + 37 * i % 255);
  return pair;
}

/// Every value plus one of seven multiples of `step`, rounded to the dtype.
TensorPair addends(DType dtype, double step) {
  TensorPair pair = make_pair(dtype, 80, 0, Change::fine_tune, 10);
  const unsigned unit = unit_type(dtype).bytes;
  for (std::size_t i = 0; i < pair.task.size(); i += unit) {
    std::byte* const at = &pair.task[i];
    const double addend = step * static_cast<double>(1 + i / unit % 7);
    if (unit == 8) store_le(at, std::bit_cast<std::uint64_t>(std::bit_cast<double>(load_le<std::uint64_t>(at)) + addend));
    else store_le(at, std::bit_cast<std::uint32_t>(std::bit_cast<float>(load_le<std::uint32_t>(at)) + static_cast<float>(addend)));
  }
  return pair;
}

void add_dtypes(Vectors& out) {
  for (const DTypeInfo& info : dtype_table()) {
    std::string name(info.name);
    for (char& c : name) c = c == '_' ? '-' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    out.add("dtype-" + name, make_pair(info.dtype, 24, 0.4, info.is_float() ? Change::ulps : Change::random_bits, 30 + info.bits));
    if (info.is_float() && info.bits >= 16) {
      out.add("special-" + name, make_pair(info.dtype, 60, 0.7, Change::special, 60 + info.bits));
      out.add("one-element-" + name, make_pair(info.dtype, 1, 1.0, Change::random_bits, 90 + info.bits));
    }
  }
}

void add_positions(Vectors& out) {
  out.add("positions-all", make_pair(DType::bf16, 100, 1.0, Change::ulps, 1));
  out.add("positions-bitmap", make_pair(DType::bf16, 200, 0.4, Change::random_bits, 2));
  out.add("positions-rice", make_pair(DType::f32, 400, 0.02, Change::fine_tune, 3));
  out.add("positions-rice-groups", {repeating(DType::f16, 30'000, clusters(30'000, 9'000, 40))});
  out.add("positions-rice-some-groups", {repeating(DType::f16, 30'000, every(12'000, 12'500, 9))});
  out.add("positions-all-of-groups", {repeating(DType::bf16, 3'000, clusters(3'000, 1'024, 128))});
  out.add("positions-coded-groups", {repeating(DType::u8, 200'000, clusters(200'000, 2'048, 128))});
  out.add("positions-coded-bitmap", make_pair(DType::bf16, 2'000, 0.1, Change::ulps, 7));
  out.add("positions-short-list", make_pair(DType::f32, 1'000, 0.01, Change::ulps, 8), Profile::fast);
  out.add("positions-short-list-windows", {repeating(DType::u8, 200'000, every(7, 200'000, 9'001))}, Profile::fast);
  out.add("positions-fast-groups", {repeating(DType::bf16, 5'000, clusters(5'000, 640, 100))}, Profile::fast);
}

void add_values(Vectors& out) {
  out.add("values-raw", make_pair(DType::f16, 40, 1.0, Change::random_bits, 3));
  out.add("values-packed", make_pair(DType::i32, 60, 0.5, Change::ulps, 4));
  out.add("values-context", make_pair(DType::bf16, 600, 0.5, Change::fine_tune, 5));
  out.add("values-context-four-streams", {repeating(DType::bf16, 6'000, clusters(6'000, 10, 8))});
  out.add("values-context-f32", make_pair(DType::f32, 500, 0.6, Change::fine_tune, 6));
  out.add("values-context-f64", make_pair(DType::f64, 300, 0.8, Change::fine_tune, 6));
  out.add("values-drift", make_pair(DType::f32, 1500, 1.0, Change::decay, 18));
  out.add("values-drift-f16", make_pair(DType::f16, 3000, 1.0, Change::decay, 19));
  out.add("values-drift-bf16", make_pair(DType::bf16, 3000, 1.0, Change::decay, 22));
  out.add("values-drift-f64", make_pair(DType::f64, 6000, 1.0, Change::decay, 20));
  out.add("values-packed-i64", make_pair(DType::i64, 200, 1.0, Change::ulps, 13));
  out.add("values-planes", top_bytes());
  out.add("values-planes-fast", make_pair(DType::f32, 200, 0.9, Change::ulps, 15), Profile::fast);
  out.add("values-constant", constant());
  out.add("values-addend-f32-bf16", addends(DType::f32, 0.25));
  out.add("values-addend-f32-f16", addends(DType::f32, 0.25 + 0x1p-10));
  out.add("values-addend-c64", addends(DType::c64, 0.25));
  out.add("values-addend-f64-bf16", addends(DType::f64, 0.25));
  out.add("values-addend-f64-f16", addends(DType::f64, 0.25 + 0x1p-10));
  out.add("values-addend-f64-f32", addends(DType::f64, 0.25 + 0x1p-22));
}

void add_shapes(Vectors& out) {
  const TensorPair first = make_pair(DType::bf16, 50, 0.3, Change::ulps, 16), second = make_pair(DType::f32, 30, 0.3, Change::ulps, 17);
  out.add("pieces-of-two-tensors", {{first, first.base, 0}, {second, second.base, 0}});
  out.add("piece-not-first", {repeating(DType::bf16, 100, every(3, 100, 7), piece_units(DType::bf16))});
  std::vector<std::uint64_t> places = every(5, 260'000, 31);  // none in the second block
  const auto late = every(530'000, 600'000, 14);
  places.insert(places.end(), late.begin(), late.end());
  out.add("several-blocks", {repeating(DType::u8, 600'000, places)});
  out.add("one-long-block", {repeating(DType::u8, (1 << 18) + 1, {0, 1 << 18})}, Profile::fast);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_valid FOLDER\n";
    return 2;
  }
  Vectors out(argv[1]);
  add_dtypes(out);
  add_positions(out);
  add_values(out);
  add_shapes(out);
  make_formats(argv[1]);
}
