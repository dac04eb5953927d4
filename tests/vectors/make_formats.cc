#include "vectors/make_formats.h"

#include <algorithm>
#include <fstream>
#include <iostream>

#include "base/json.h"
#include "base/sha256.h"
#include "delta/byte_huffman.h"
#include "delta/chunk_codec.h"
#include "delta/tensor_pairs.h"
#include "fuzz/memory_file.h"
#include "odb/pack.h"
#include "odb/sample_pack.h"

namespace {

using namespace dstore;
using dstore::testing::Change;
using dstore::testing::make_pair;

class Formats {
 public:
  explicit Formats(std::string folder) : folder_(std::move(folder)) {}

  void add_code(const std::string& name, ByteSpan raw) {
    Bytes coded;
    ByteEncoder(raw).append_to(coded);
    add_decoded("byte_code", name, coded, raw);
  }
  void add_planes(const std::string& name, DType dtype, std::uint64_t units) {
    const Bytes raw = make_pair(dtype, units, 0, Change::ulps, 40).base;
    add_decoded("planes", name, encode_chunk(chunk_layout(dtype), raw), raw);
  }
  void add_object(const dstore::test::Sample& sample) {
    std::string name = "page-" + sample.name;
    std::replace(name.begin(), name.end(), ' ', '-');
    Json row;
    row.set("object", write(name + "." + std::string(kind_name(sample.kind)), sample.bytes));
    row.set("kind", kind_name(sample.kind));
    row.set("id", object_id(sample.kind, sample.bytes).hex());
    tell(row);
  }
  void add_pack(const std::string& name, const Bytes& pack) {
    fuzz::MemoryFile file(pack);
    const ObjectId digest(ByteSpan(pack).last<ObjectId::kSize>());
    Json::Array records;
    for (const PackEntry& entry : read_trailer(file, digest)) {
      Json record;
      record.set("kind", kind_name(entry.kind));
      record.set("id", entry.id.hex());
      record.set("bytes", static_cast<std::int64_t>(entry.raw_size));
      record.set("codec", static_cast<std::int64_t>(entry.codec));
      records.push_back(record);
    }
    Json row;
    row.set("pack", write(name + ".pack", pack));
    row.set("name", digest.hex());
    row.set("records", records);
    tell(row);
  }

 private:
  void add_decoded(const char* format, const std::string& name, ByteSpan stored, ByteSpan raw) {
    Json row;
    row.set(format, write(name + "." + format, stored));
    row.set("bytes", static_cast<std::int64_t>(raw.size()));
    row.set("sha256", sha256(raw).hex());
    tell(row);
  }
  std::string write(const std::string& name, ByteSpan bytes) {
    std::ofstream(folder_ + "/" + name, std::ios::binary) << as_text(bytes);
    return name;
  }
  static void tell(const Json& row) { std::cout << row.serialize() << "\n"; }

  std::string folder_;
};

Bytes repeated(std::string_view text, std::size_t count) {
  Bytes out;
  for (std::size_t i = 0; i < count; ++i) out.insert(out.end(), as_bytes(text).begin(), as_bytes(text).end());
  return out;
}

}  // namespace

void make_formats(const std::string& folder) {
  Formats out(folder);
  const Bytes weights = make_pair(DType::bf16, 600, 0, Change::ulps, 40).base;
  out.add_code("code-text", as_bytes("the quick brown fox jumps over the lazy dog, and the dog does not mind at all"));
  out.add_code("code-weights", weights);
  out.add_planes("planes-bf16", DType::bf16, 600);
  out.add_planes("planes-f32", DType::f32, 301);
  out.add_planes("planes-f64", DType::f64, 120);
  for (const dstore::test::Sample& sample : dstore::test::samples()) out.add_object(sample);
  for (const Bytes& pack : dstore::test::sample_packs(repeated("seven b", 100), weights)) out.add_pack("pack-of-the-library", pack);
}
