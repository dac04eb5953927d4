#include "odb/pack.h"

#include <cstdio>

#include "base/sha256.h"
#include "odb/layout.h"
#include "odb/object_codec.h"
#include "odb/pack_format.h"
#include "test_store.h"

namespace dstore::test {
namespace {

struct Sample {
  ObjectKind kind;
  Bytes bytes;
  std::optional<ChunkLayout> layout = {};
};

constexpr ChunkLayout kBf16{2, true};

/// Like bf16 weights: the high byte of each pair is one of few.
Bytes weight_bytes(std::size_t size, unsigned seed) {
  Bytes out = random_bytes(size, seed);
  for (std::size_t i = 1; i < size; i += 2) out[i] = static_cast<std::byte>(0x3b + std::to_integer<unsigned>(out[i]) % 3);
  return out;
}

/// A pack with these objects, written to DIR/packs.
ObjectId write_pack(const std::string& dir, const std::vector<Sample>& samples) {
  Filesystem& fs = posix_filesystem();
  ObjectStore::create(fs, dir);
  PackWriter writer(fs, join_path(dir, "tmp"));
  for (const Sample& sample : samples) {
    const EncodedObject encoded = encode_object(sample.kind, sample.bytes, sample.layout);
    writer.append(sample.kind, object_id(sample.kind, sample.bytes), sample.bytes.size(), encoded.codec,
                  encoded.codec == Codec::none ? sample.bytes : encoded.bytes);
  }
  const ObjectId name = writer.finish();
  writer.publish(join_path(dir, "packs"));
  return name;
}

std::string pack_path(const std::string& dir, const ObjectId& name) { return join_path(join_path(dir, "packs"), pack_file_name(name)); }

const std::vector<Sample> kSmall = {{ObjectKind::chunk, dull_bytes(300, 1)},
                                    {ObjectKind::commit, text_bytes("{\"v\":1}")},
                                    {ObjectKind::segment, random_bytes(90, 2)},
                                    {ObjectKind::file, {}},
                                    {ObjectKind::chunk, weight_bytes(260, 3), kBf16}};

}  // namespace

TEST_CASE("the codec saves at least 5 % or is none, and decodes to the same bytes") {
  for (const ObjectKind kind : kAllKinds) {
    for (const std::size_t size : {0u, 1u, 12u, 13u, 64u, 1000u, 70'000u, (1u << 20) + 1, 4u << 20}) {
      for (const Bytes& raw : {dull_bytes(size, 3), random_bytes(size, 4)}) {
        const EncodedObject encoded = encode_object(kind, raw);
        if (encoded.codec == Codec::none) {
          CHECK(encoded.bytes.empty());
          continue;
        }
        CHECK(kind != ObjectKind::segment);
        CHECK(encoded.bytes.size() * 100 <= raw.size() * 95);
        Bytes back(size);
        decode_object(encoded.codec, encoded.bytes, back, "test");
        CHECK(back == raw);
      }
    }
  }
  CHECK(encode_object(ObjectKind::chunk, dull_bytes(4 << 20, 5)).codec == Codec::lz4);
  CHECK(encode_object(ObjectKind::segment, dull_bytes(4 << 20, 5)).codec == Codec::none);
  CHECK(encode_object(ObjectKind::file, Bytes(1 << 20)).codec == Codec::lz4);
}

TEST_CASE("a chunk with a layout is stored by planes where that is the smallest") {
  for (const std::size_t size : {0u, 1u, 12u, 400u, 70'001u, 4u << 20}) {
    INFO(size);
    const Bytes raw = weight_bytes(size, 7);
    const EncodedObject encoded = encode_object(ObjectKind::chunk, raw, kBf16);
    CHECK((encoded.codec == Codec::planes) == (size >= 400));
    CHECK(encode_object(ObjectKind::chunk, raw).codec == Codec::none);
    CHECK(encode_object(ObjectKind::file, raw, kBf16).codec == Codec::none);
    CHECK(encode_object(ObjectKind::chunk, random_bytes(size, 8), kBf16).codec == Codec::none);
    if (encoded.codec == Codec::none) continue;
    CHECK(encoded.bytes.size() < size * 7 / 10 + 40);
    Bytes back(size), shorter(size - 1), longer(size + 1);
    decode_object(Codec::planes, encoded.bytes, back, "x");
    CHECK(back == raw);
    CHECK(error_of([&] { decode_object(Codec::planes, encoded.bytes, shorter, "x"); }) == ErrorCode::corrupt);
    CHECK(error_of([&] { decode_object(Codec::planes, encoded.bytes, longer, "x"); }) == ErrorCode::corrupt);
  }
  CHECK(encode_object(ObjectKind::chunk, weight_bytes((4u << 20) + 2, 7), kBf16).codec == Codec::none);
  CHECK(encode_object(ObjectKind::chunk, dull_bytes(4 << 20, 5), ChunkLayout{1, false}).codec == Codec::lz4);
}

TEST_CASE("records that no codec can have made are refused by their header") {
  const std::uint64_t most = chunk_code::kMaxInput;
  CHECK_FALSE(record_problem(ObjectKind::chunk, Codec::planes, most, 20));
  CHECK(record_problem(ObjectKind::chunk, Codec::planes, most + 1, 20));
  CHECK(record_problem(ObjectKind::chunk, Codec::planes, 20, 20));
  CHECK(record_problem(ObjectKind::chunk, Codec::planes, 20, 0));
  CHECK(record_problem(ObjectKind::file, Codec::planes, 1000, 20));
  CHECK_FALSE(codec_from_code(3));
}

TEST_CASE("a pack has version 2 exactly if a record needs it") {
  const Scratch folder;
  const std::vector<Sample> without = {kSmall[0]};
  for (const std::vector<Sample>& samples : {without, kSmall}) {
    const ObjectId name = write_pack(folder.path(), samples);
    const std::string path = pack_path(folder.path(), name);
    Bytes bytes = read_file(posix_filesystem(), path);
    CHECK(bytes[8] == static_cast<std::byte>(samples.size() > 1 ? 2 : 1));
    CHECK(is_whole_pack(posix_filesystem(), path, name));
    bytes[8] ^= std::byte{3};
    put_file(path, bytes);
    const auto file = posix_filesystem().open(path, OpenMode::read_store);
    CHECK(error_of([&] { read_trailer(*file, name); }) == ErrorCode::corrupt);
    bytes[8] = std::byte{3};
    put_file(path, bytes);
    const auto newer = posix_filesystem().open(path, OpenMode::read_store);
    CHECK(error_of([&] { read_trailer(*newer, name); }) == ErrorCode::unsupported);
  }
}

TEST_CASE("a pack of version 2 without a record that needs it is refused, also under a right digest") {
  const Scratch folder;
  const ObjectId name = write_pack(folder.path(), {kSmall[0]});
  Bytes bytes = read_file(posix_filesystem(), pack_path(folder.path(), name));
  const std::size_t digest = bytes.size() - ObjectId::kSize;
  const std::size_t trailer = Reader(ByteSpan(bytes).subspan(digest - 8), "tail").u64();
  bytes[8] = bytes[trailer + 4] = std::byte{2};
  const ObjectId forged = sha256(ByteSpan(bytes).subspan(trailer, digest - trailer));
  std::copy(forged.bytes().begin(), forged.bytes().end(), bytes.begin() + static_cast<std::ptrdiff_t>(digest));
  put_file(pack_path(folder.path(), forged), bytes);
  const auto file = posix_filesystem().open(pack_path(folder.path(), forged), OpenMode::read_store);
  CHECK(message_of([&] { read_trailer(*file, forged); }).find("does not fit its records") != std::string::npos);
}

TEST_CASE("LZ4 data that gives fewer, more or other bytes is refused") {
  const Bytes raw = dull_bytes(5000, 6);
  const EncodedObject encoded = encode_object(ObjectKind::chunk, raw);
  REQUIRE(encoded.codec == Codec::lz4);
  Bytes shorter(4999), longer(5001);
  CHECK(error_of([&] { decode_object(Codec::lz4, encoded.bytes, shorter, "x"); }) == ErrorCode::corrupt);
  CHECK(error_of([&] { decode_object(Codec::lz4, encoded.bytes, longer, "x"); }) == ErrorCode::corrupt);
  CHECK(error_of([&] { decode_object(Codec::none, encoded.bytes, longer, "x"); }) == ErrorCode::corrupt);
}

TEST_CASE("a pack gives back every kind and size") {
  const Scratch folder;
  std::vector<Sample> samples;
  unsigned seed = 0;
  for (const ObjectKind kind : kAllKinds) {
    for (const std::size_t size : {0u, 1u, 100u, 65'537u}) {
      samples.push_back({kind, random_bytes(size, ++seed)});
      if (size > 1) samples.push_back({kind, dull_bytes(size, ++seed)});
    }
  }
  const ObjectId name = write_pack(folder.path(), samples);
  const auto file = posix_filesystem().open(pack_path(folder.path(), name), OpenMode::read_store);
  const auto entries = read_trailer(*file, name);
  REQUIRE(entries.size() == samples.size());
  CHECK(scan_records(*file) == entries);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    CHECK(entries[i].kind == samples[i].kind);
    CHECK(read_object(*file, entries[i]) == samples[i].bytes);
  }
}

TEST_CASE("the bytes of a pack are those of spec/pack.md") {
  const Scratch folder;
  const ObjectId name = write_pack(folder.path(), {{ObjectKind::file, text_bytes("hello\n")}});
  const Bytes bytes = read_file(posix_filesystem(), pack_path(folder.path(), name));
  std::string hex;
  for (const std::byte b : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(b));
    hex += digits;
  }
  CHECK(name.hex() == "37456d5fda0427c620e226bfc0f58faeb9e3cf256eba669734e83e0f3c28f495");
  CHECK(hex == "4453544f5245504b010000000000000044524543040000005e02e14bc39a91a96cfd98bf91500ec89868d57dac0f707fb27a"
               "8fddbf33b683060000000000000006000000000000002a46a2ab9a81fc9968656c6c6f0a4454524c01000000010000000000"
               "00005e02e14bc39a91a96cfd98bf91500ec89868d57dac0f707fb27a8fddbf33b68304000000000000001000000000000000"
               "060000000000000006000000000000002a46a2ab9a81fc99560000000000000037456d5fda0427c620e226bfc0f58faeb9e3"
               "cf256eba669734e83e0f3c28f495");
}

TEST_CASE("a pack cut at any byte is refused, and a scan never reads past its end") {
  const Scratch folder;
  const ObjectId name = write_pack(folder.path(), kSmall);
  const std::string path = pack_path(folder.path(), name);
  const Bytes whole = read_file(posix_filesystem(), path);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    put_file(path, ByteSpan(whole).first(size));
    const auto file = posix_filesystem().open(path, OpenMode::read_store);
    CHECK(error_of([&] { read_trailer(*file, name); }) == ErrorCode::corrupt);
    const auto found = scan_records(*file);
    CHECK(found.size() <= kSmall.size());
    for (const PackEntry& entry : found) CHECK(object_id(entry.kind, read_object(*file, entry)) == entry.id);
  }
}

TEST_CASE("whatever byte of a pack is flipped, reading fails or gives the same bytes") {
  const Scratch folder;
  const ObjectId name = write_pack(folder.path(), kSmall);
  const std::string path = pack_path(folder.path(), name);
  const Bytes whole = read_file(posix_filesystem(), path);
  std::size_t unnoticed = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const unsigned mask : {0x01u, 0x80u, 0xFFu}) {
      Bytes damaged = whole;
      damaged[at] ^= static_cast<std::byte>(mask);
      put_file(path, damaged);
      const auto file = posix_filesystem().open(path, OpenMode::read_store);
      bool noticed = false;
      std::vector<PackEntry> entries;
      try {
        entries = read_trailer(*file, name);
      } catch (const Error&) {
        noticed = true;
        entries = scan_records(*file);
      }
      for (const PackEntry& entry : entries) {
        try {
          const Bytes raw = read_object(*file, entry);
          CHECK(object_id(entry.kind, raw) == entry.id);
        } catch (const Error&) {
          noticed = true;
        }
      }
      if (!noticed) ++unnoticed;
    }
  }
  CHECK(unnoticed == 0);
}

TEST_CASE("a pack with two records of one object, wrong sizes or a gap is refused") {
  const Scratch folder;
  const Bytes bytes = random_bytes(50, 1);
  ObjectStore::create(posix_filesystem(), folder.path());
  PackWriter writer(posix_filesystem(), folder / "tmp");
  const ObjectId id = object_id(ObjectKind::chunk, bytes);
  CHECK(error_of([&] { writer.append(ObjectKind::chunk, id, 51, Codec::none, bytes); }) == ErrorCode::invalid_argument);
  CHECK(error_of([&] { writer.append(ObjectKind::chunk, id, 50, Codec::lz4, bytes); }) == ErrorCode::invalid_argument);
  CHECK(error_of([&] { writer.append(ObjectKind::chunk, id, 255 * 50 + 1, Codec::lz4, bytes); }) == ErrorCode::invalid_argument);
  CHECK(error_of([&] { writer.append(ObjectKind::chunk, id, layout::kMaxRawSize + 1, Codec::lz4, bytes); }) == ErrorCode::invalid_argument);
  writer.append(ObjectKind::chunk, id, 50, Codec::none, bytes);
  writer.append(ObjectKind::chunk, id, 50, Codec::none, bytes);
  const ObjectId name = writer.finish();
  writer.publish(folder / "packs");
  const auto file = posix_filesystem().open(pack_path(folder.path(), name), OpenMode::read_store);
  CHECK(message_of([&] { read_trailer(*file, name); }).find("twice") != std::string::npos);
}

TEST_CASE("only 64 lower-case hex digits and .pack name a pack") {
  const std::string hex = fake_id("x").hex();
  CHECK(parse_pack_file_name(hex + ".pack") == fake_id("x"));
  for (const std::string& name : {hex, hex + ".pac", hex + ".pack ", hex.substr(1) + ".pack", "0" + hex + ".pack", std::string(".pack"),
                                  "A" + hex.substr(1) + ".pack", "../" + hex + ".pack"}) {
    CHECK_FALSE(parse_pack_file_name(name).has_value());
  }
}

}  // namespace dstore::test
