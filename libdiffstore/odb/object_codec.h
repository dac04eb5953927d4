#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "delta/chunk_codec.h"

namespace dstore {

/// How a record's bytes are stored (spec/pack.md, "Codecs"). Not part of an object's id. Never reused.
enum class Codec : std::uint8_t { none = 0, lz4 = 1, planes = 2 };

std::optional<Codec> codec_from_code(std::uint8_t code);

/// The pack version that a record of this codec needs.
std::uint32_t pack_version_of(Codec codec);

/// Why no record can be like this, knowing its header alone; nullopt if it can. A record without problem can be decoded
/// in memory of raw_size.
std::optional<std::string> record_problem(ObjectKind kind, Codec codec, std::uint64_t raw_size, std::uint64_t stored_size);

/// The bytes to store for an object; `bytes` is empty where codec is none (store the raw bytes themselves).
struct EncodedObject {
  Codec codec = Codec::none;
  Bytes bytes;
};

/// The smaller of planes, for a chunk whose layout is given, and LZ4, where that saves at least 5 %; else none. Checked by
/// decoding. Segments are at entropy and never tried.
EncodedObject encode_object(ObjectKind kind, ByteSpan raw, const std::optional<ChunkLayout>& layout = {});

/// Decodes into exactly raw.size() bytes; Error{corrupt} naming `what` if the stored bytes give anything else. The sizes have
/// no record_problem().
void decode_object(Codec codec, ByteSpan stored, MutableByteSpan raw, std::string_view what);

/// xxh3-64, the checksum of stored bytes.
std::uint64_t stored_checksum(ByteSpan stored);

}  // namespace dstore
