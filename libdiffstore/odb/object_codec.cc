#include "odb/object_codec.h"

#include <lz4.h>
#include <xxhash.h>

#include <algorithm>

#include "dstore/error.h"
#include "odb/layout.h"

namespace dstore {
namespace {

constexpr std::size_t kSampleFrom = 1 << 20;
constexpr std::size_t kSampleSize = 64 << 10;

/// The largest stored size that still saves 5 % of `raw`.
std::size_t worthwhile_size(std::size_t raw) { return raw - (raw + 19) / 20; }

/// Empty where the result would not fit into worthwhile_size().
Bytes try_lz4(ByteSpan raw) {
  Bytes out(worthwhile_size(raw.size()));
  if (out.empty()) return out;
  const int size = LZ4_compress_default(reinterpret_cast<const char*>(raw.data()), reinterpret_cast<char*>(out.data()),
                                        static_cast<int>(raw.size()), static_cast<int>(out.size()));
  out.resize(static_cast<std::size_t>(std::max(size, 0)));
  return out;
}

std::string_view none_problem(ObjectKind, std::uint64_t raw, std::uint64_t stored) {
  return stored == raw ? "" : "stored and raw size differ without a codec";
}

void decode_none(ByteSpan stored, MutableByteSpan raw, std::string_view what) {
  if (stored.size() != raw.size()) throw Error(ErrorCode::corrupt, std::string(what) + ": the stored size is not the raw size");
  std::copy(stored.begin(), stored.end(), raw.begin());
}

std::string_view lz4_problem(ObjectKind, std::uint64_t raw, std::uint64_t stored) {
  if (stored == 0 || stored >= raw) return "LZ4 that saves nothing";
  return raw <= layout::kMaxLz4Ratio * stored ? "" : "more than LZ4 can expand to";
}

void decode_lz4(ByteSpan stored, MutableByteSpan raw, std::string_view what) {
  if (raw.size() > layout::kMaxRawSize || stored.size() >= raw.size()) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": impossible sizes for LZ4");
  }
  const int size = LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(raw.data()),
                                       static_cast<int>(stored.size()), static_cast<int>(raw.size()));
  if (size < 0 || static_cast<std::size_t>(size) != raw.size()) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": the LZ4 data is damaged");
  }
}

std::string_view planes_problem(ObjectKind kind, std::uint64_t raw, std::uint64_t stored) {
  if (kind != ObjectKind::chunk || raw > chunk_code::kMaxInput) return "planes of something that is no chunk of a tensor";
  return stored != 0 && stored < raw ? "" : "planes that save nothing";
}

struct CodecRow {
  Codec codec;
  std::uint32_t pack_version;
  std::string_view (*problem)(ObjectKind kind, std::uint64_t raw, std::uint64_t stored);  ///< empty: none
  void (*decode)(ByteSpan stored, MutableByteSpan raw, std::string_view what);
};

/// Indexed by the codec's code.
constexpr CodecRow kCodecs[] = {
    {Codec::none, 1, none_problem, decode_none},
    {Codec::lz4, 1, lz4_problem, decode_lz4},
    {Codec::planes, 2, planes_problem, decode_chunk},
};

const CodecRow& row_of(Codec codec) { return kCodecs[static_cast<std::size_t>(codec)]; }

/// False too if the stored bytes are refused: a defect of an encoder may cost space, never data.
bool gives_back(const EncodedObject& encoded, ByteSpan raw) {
  Bytes back(raw.size());
  try {
    decode_object(encoded.codec, encoded.bytes, back, "a new record");
  } catch (const Error&) {
    return false;
  }
  return std::equal(back.begin(), back.end(), raw.begin());
}

}  // namespace

std::optional<Codec> codec_from_code(std::uint8_t code) {
  if (code >= std::size(kCodecs)) return std::nullopt;
  return kCodecs[code].codec;
}

std::uint32_t pack_version_of(Codec codec) { return row_of(codec).pack_version; }

std::optional<std::string> record_problem(ObjectKind kind, Codec codec, std::uint64_t raw_size, std::uint64_t stored_size) {
  if (raw_size > layout::kMaxRawSize) return "larger than an object may be";
  const std::string_view problem = row_of(codec).problem(kind, raw_size, stored_size);
  if (problem.empty()) return std::nullopt;
  return std::string(problem);
}

EncodedObject encode_object(ObjectKind kind, ByteSpan raw, const std::optional<ChunkLayout>& layout) {
  if (kind == ObjectKind::segment || raw.size() > layout::kMaxRawSize) return {};
  EncodedObject best;
  if (layout && kind == ObjectKind::chunk && raw.size() <= chunk_code::kMaxInput) best = {Codec::planes, encode_chunk(*layout, raw)};
  if (raw.size() <= kSampleFrom || !try_lz4(raw.subspan(raw.size() / 2, kSampleSize)).empty()) {
    Bytes stored = try_lz4(raw);
    if (!stored.empty() && (best.bytes.empty() || stored.size() < best.bytes.size())) best = {Codec::lz4, std::move(stored)};
  }
  if (best.bytes.empty() || record_problem(kind, best.codec, raw.size(), best.bytes.size()) || !gives_back(best, raw)) return {};
  return best;
}

void decode_object(Codec codec, ByteSpan stored, MutableByteSpan raw, std::string_view what) { row_of(codec).decode(stored, raw, what); }

std::uint64_t stored_checksum(ByteSpan stored) { return XXH3_64bits(stored.data(), stored.size()); }

}  // namespace dstore
