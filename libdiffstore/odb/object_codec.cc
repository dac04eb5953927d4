#include "odb/object_codec.h"

#include <lz4.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

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

bool lz4_gives(ByteSpan stored, ByteSpan raw) {
  Bytes back(raw.size());
  const int size = LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(back.data()),
                                       static_cast<int>(stored.size()), static_cast<int>(back.size()));
  return size >= 0 && static_cast<std::size_t>(size) == raw.size() && std::equal(back.begin(), back.end(), raw.begin());
}

}  // namespace

std::optional<Codec> codec_from_code(std::uint8_t code) {
  if (code > static_cast<std::uint8_t>(Codec::lz4)) return std::nullopt;
  return static_cast<Codec>(code);
}

EncodedObject encode_object(ObjectKind kind, ByteSpan raw) {
  if (kind == ObjectKind::segment || raw.size() > layout::kMaxRawSize) return {};
  if (raw.size() > kSampleFrom && try_lz4(raw.subspan(raw.size() / 2, kSampleSize)).empty()) return {};
  Bytes stored = try_lz4(raw);
  if (stored.empty() || raw.size() > layout::kMaxLz4Ratio * stored.size() || !lz4_gives(stored, raw)) return {};
  return {Codec::lz4, std::move(stored)};
}

void decode_object(Codec codec, ByteSpan stored, MutableByteSpan raw, std::string_view what) {
  if (codec == Codec::none) {
    if (stored.size() != raw.size()) throw Error(ErrorCode::corrupt, std::string(what) + ": the stored size is not the raw size");
    std::copy(stored.begin(), stored.end(), raw.begin());
    return;
  }
  if (raw.size() > layout::kMaxRawSize || stored.size() >= raw.size()) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": impossible sizes for LZ4");
  }
  const int size = LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(raw.data()),
                                       static_cast<int>(stored.size()), static_cast<int>(raw.size()));
  if (size < 0 || static_cast<std::size_t>(size) != raw.size()) {
    throw Error(ErrorCode::corrupt, std::string(what) + ": the LZ4 data is damaged");
  }
}

std::uint64_t stored_checksum(ByteSpan stored) { return XXH3_64bits(stored.data(), stored.size()); }

}  // namespace dstore
